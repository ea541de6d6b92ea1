//! What a coordinator keeps of how well a run's model did: its confusion matrix, or only counts by
//! class.

use std::collections::BTreeMap;

use besom_proto::v1::Sweep;
use besom_sweep::{ClassCounts, Confusion, Counts, MATRIX_CLASSES, Row, TableError, statements};

use crate::reader::Reader;

/// Pairs of classes that are read at once: a full matrix of 1,024 classes has a million.
const PAIRS: usize = 250_000;

/// The counts of the job's model on data of so many classes; nothing where there are none, or none
/// that fit the data.
///
/// # Errors
/// The coordinator is away.
pub(crate) async fn fetch(
    reader: &Reader,
    sweep: &Sweep,
    job: i64,
    classes: usize,
) -> anyhow::Result<Option<Confusion>> {
    let Ok(number) = u32::try_from(classes) else { return Ok(None) };
    let counts = match number {
        few if few <= MATRIX_CLASSES => pairs(reader, sweep, job, few).await?.map(Counts::Pairs),
        many => by_class(reader, sweep, job, many).await?.map(Counts::Classes),
    };
    Ok(counts.map(|counts| Confusion { classes: number, counts }))
}

async fn pairs(reader: &Reader, sweep: &Sweep, job: i64, classes: u32) -> anyhow::Result<Option<BTreeMap<u32, u32>>> {
    let mut pairs = BTreeMap::new();
    let step = (PAIRS / classes.max(1) as usize).max(1);
    for from in (0..i64::from(classes)).step_by(step) {
        // What lies beyond the classes belongs to other data; the last part finds it.
        let to = from + step as i64;
        let to = if to >= i64::from(classes) { i64::MAX } else { to };
        let parameters = vec![sweep.id.into(), job.into(), from.into(), to.into()];
        for row in reader.queries().query(statements::CONFUSION, parameters).await?.iter() {
            let Some((place, count)) = pair(row, classes)? else { return Ok(None) };
            pairs.insert(place, count);
        }
    }
    Ok((!pairs.is_empty()).then_some(pairs))
}

/// The place in the matrix and the count; nothing where they do not fit so many classes.
fn pair(row: Row<'_>, classes: u32) -> Result<Option<(u32, u32)>, TableError> {
    let class = |column| {
        let class = row.maybe_integer(column)?;
        Ok::<_, TableError>(class.and_then(|class| u32::try_from(class).ok()).filter(|&class| class < classes))
    };
    let count = row.maybe_integer("count")?.and_then(|count| u32::try_from(count).ok());
    let place = class("target")?.zip(class("predicted")?).map(|(target, predicted)| target * classes + predicted);
    Ok(place.zip(count))
}

async fn by_class(reader: &Reader, sweep: &Sweep, job: i64, classes: u32) -> anyhow::Result<Option<Vec<ClassCounts>>> {
    let rows = reader.queries().query(statements::CLASSES, vec![sweep.id.into(), job.into()]).await?;
    let mut counts = Vec::with_capacity(rows.rows.len());
    for row in rows.iter() {
        let number = |column| Ok::<_, TableError>(u64::try_from(row.integer(column)?).ok());
        let class = number("class")?;
        let (support, predicted, correct) = (number("support")?, number("predicted")?, number("correct")?);
        match (class, support, predicted, correct) {
            (Some(class), Some(support), Some(predicted), Some(correct)) if class == counts.len() as u64 => {
                counts.push(ClassCounts { support, predicted, correct });
            }
            _ => return Ok(None),
        }
    }
    Ok((counts.len() == classes as usize).then_some(counts))
}
