//! The table of configurations over their seeds: what was tried, and how well it does on average.

use besom_sweep::{Cell, Row, TableError};
use serde_json::{Map, Value};

use super::{runs::ALWAYS, table::Table};
use crate::{
    configurations::{OVERLAPS, RANK},
    text::number,
};

/// The columns that a narrow terminal does without, the first at first; the mean, its interval and
/// what was swept stay.
pub(crate) fn expendable(swept: &[String]) -> Vec<&'static str> {
    let mut columns = vec!["mean_seconds", "std"];
    columns.extend(ALWAYS.iter().filter(|always| !swept.iter().any(|name| name == *always)));
    columns.extend(["job", "failed", "diverged", OVERLAPS, "n"]);
    columns
}

/// Ranked configurations, in the order given. `swept` are the sweep's varied parameters.
///
/// # Errors
/// The rows are not those of [`crate::configurations::ranked`].
pub(crate) fn table(configs: &[Row<'_>], swept: &[String]) -> Result<Table, TableError> {
    let more: Vec<&String> = swept.iter().filter(|name| !ALWAYS.contains(&name.as_str())).collect();
    // Columns of nothing but zeros would push the others out of sight.
    let mut bad = Vec::new();
    for name in ["diverged", "failed"] {
        for config in configs {
            if config.integer(name)? > 0 {
                bad.push(name);
                break;
            }
        }
    }
    let mut header = vec![RANK, "job"];
    header.extend(ALWAYS);
    header.extend(more.iter().map(|name| name.as_str()));
    header.extend(["n", "mean", "std", "low", "high", OVERLAPS]);
    header.extend(&bad);
    header.push("mean_seconds");
    let mut table = Table::new(header);
    for config in configs {
        let params: Map<String, Value> =
            config.maybe_text("params")?.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let whole = |name: &str| {
            let count = config.maybe_integer(name)?;
            Ok::<_, TableError>(count.map_or_else(|| "-".to_owned(), |count| count.to_string()))
        };
        let measured = |name: &str| Ok::<_, TableError>(number::metric(config.maybe_float(name)?));
        let mut cells = vec![whole(RANK)?, whole("job")?];
        cells.push(config.maybe_text("optimizer")?.unwrap_or("-").to_owned());
        cells.push(config.maybe_float("learning_rate")?.map_or_else(|| "-".to_owned(), number::exact));
        cells.push(whole("batch_size")?);
        cells.extend(more.iter().map(|name| number::value(params.get(*name))));
        cells.push(whole("n")?);
        for name in ["mean", "std", "low", "high"] {
            cells.push(measured(name)?);
        }
        cells.push(overlaps(*config)?.to_owned());
        for name in &bad {
            cells.push(whole(name)?);
        }
        cells.push(number::seconds(config.maybe_float("mean_seconds")?));
        table.row(cells);
    }
    Ok(table)
}

fn overlaps(config: Row<'_>) -> Result<&'static str, TableError> {
    Ok(match config.cell(OVERLAPS)? {
        Cell::Boolean(true) => "yes",
        Cell::Boolean(false) => "no",
        _ => "-",
    })
}
