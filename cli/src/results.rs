//! The runs of one sweep, fetched page by page.

use besom_proto::v1::{ListRunsRequest, Run, Sweep, SweepRef, sweep_service_client::SweepServiceClient};
use tonic::transport::Channel;

use crate::connect::refused;

/// Of a page; the service gives no more at once.
const PAGE: u32 = 1000;

/// A sweep with its runs.
pub(crate) struct Results {
    /// The sweep.
    pub(crate) sweep: Sweep,
    /// How they are ordered.
    pub(crate) order: Order,
    /// In that order.
    pub(crate) runs: Vec<Run>,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By number.
    Job,
    /// By score; those without one at the end.
    BestFirst,
}

/// At most `limit` runs of the sweep of this name or number.
///
/// # Errors
/// No such sweep, or the coordinator is away.
pub(crate) async fn fetch(
    mut client: SweepServiceClient<Channel>,
    asked: &str,
    order: Order,
    limit: Option<u64>,
) -> anyhow::Result<Results> {
    let sweep = client.get_sweep(SweepRef { sweep: asked.to_owned() }).await.map_err(refused)?.into_inner();
    let limit = limit.unwrap_or(u64::MAX);
    let mut runs: Vec<Run> = Vec::new();
    loop {
        let have = runs.len() as u64;
        let page = u64::from(PAGE).min(limit - have);
        let request = ListRunsRequest {
            // As it was asked for: a name may be too long to be asked by.
            sweep: asked.to_owned(),
            best_first: order == Order::BestFirst,
            limit: u32::try_from(page).unwrap_or(PAGE),
            offset: have,
        };
        let answer = client.list_runs(request).await.map_err(refused)?.into_inner();
        runs.extend(answer.runs);
        if !answer.more || runs.len() as u64 >= limit {
            return Ok(Results { sweep, order, runs, more: answer.more });
        }
    }
}
