//! What `besom best` shows, and what a sweep that was followed to its end is told with:
//! configurations where there are several seeds, else single runs.

use crate::{
    configurations::{self, Configurations},
    reader::Reader,
    results::{self, Results},
};

/// What is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum By {
    /// Configurations, by the mean of the objective over their seeds
    Config,
    /// Single runs, by their objective
    Run,
}

/// A sweep with what is ranked of it.
pub(crate) enum Ranking {
    /// Configurations.
    Configs(Configurations),
    /// Runs.
    Runs(Results),
}

/// At most `limit` places of the ranking of the sweep of this name or number. Where nobody says by
/// what, it is by configuration if the sweep has several seeds and a run has ended.
///
/// # Errors
/// No such sweep, or the coordinator is away.
pub(crate) async fn fetch(reader: &Reader, asked: &str, by: Option<By>, limit: u64) -> anyhow::Result<Ranking> {
    let mut sweep = reader.sweep(asked).await?;
    let by_config = by.map_or_else(|| configurations::has_several_seeds(&sweep), |by| by == By::Config);
    if by_config {
        let configs = configurations::fetch(reader, sweep, limit).await?;
        if by.is_some() || !configs.rows.rows.is_empty() {
            return Ok(Ranking::Configs(configs));
        }
        sweep = configs.sweep;
    }
    Ok(Ranking::Runs(results::ranked_of(reader, sweep, Some(limit)).await?))
}
