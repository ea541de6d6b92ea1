//! Confusion matrices as they are kept.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::place::{Place, Shown, capped};
use crate::domain::{Confusion, Counts, JobId};

/// See sql/confusion_of.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct ConfusionRow {
    job: i64,
    classes: i64,
    counts: Shown<StoredCounts>,
}

impl From<ConfusionRow> for (JobId, Confusion) {
    fn from(row: ConfusionRow) -> Self {
        let StoredCounts(counts) = Place { table: "confusions", id: row.job }.shown("counts", row.counts);
        (JobId(row.job), Confusion { classes: capped(row.classes), counts: Counts::Pairs(counts) })
    }
}

/// The column `counts`: a list of all pairs, row by row, or an object that has those that are not 0
/// by their places in that list. Of both the shorter one is written, and of classes that are only
/// summed an empty object.
pub(in crate::store) fn stored_counts(confusion: &Confusion) -> Value {
    /// A place takes about so much more room than a 0.
    const PLACE: usize = 4;
    let Counts::Pairs(pairs) = &confusion.counts else { return Value::Object(serde_json::Map::new()) };
    let all = confusion.classes as usize * confusion.classes as usize;
    match confusion.rows() {
        Some(rows) if pairs.len() * PLACE >= all => Value::from(rows),
        _ => Value::Object(pairs.iter().map(|(place, &count)| (place.to_string(), count.into())).collect()),
    }
}

/// See [`stored_counts`].
#[derive(Debug, Default)]
struct StoredCounts(BTreeMap<u32, u32>);

impl<'de> Deserialize<'de> for StoredCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;

        impl<'de> Visitor<'de> for Both {
            type Value = StoredCounts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of counts, or an object of counts by place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<StoredCounts, A::Error> {
                let mut counts = BTreeMap::new();
                let mut place = 0;
                while let Some(count) = list.next_element()? {
                    if count > 0 {
                        counts.insert(place, count);
                    }
                    place += 1;
                }
                Ok(StoredCounts(counts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<StoredCounts, A::Error> {
                let mut counts = BTreeMap::new();
                while let Some((place, count)) = object.next_entry()? {
                    counts.insert(place, count);
                }
                Ok(StoredCounts(counts))
            }
        }

        deserializer.deserialize_any(Both)
    }
}
