//! `besom rm SWEEP`: removes an ended sweep with all that only it has.
//!
//! What goes is looked up without holding the store, shown, and confirmed. Then the sweep is called
//! by its number, which no other one ever has: whatever was made or removed meanwhile, nothing else
//! can be hit, however often the request is sent.

use std::io::{self, IsTerminal};

use besom_proto::v1::{RemoveSweepRequest, RemoveSweepResponse};
use tonic::{Code, Status};

use crate::{
    again::{At, quoted},
    connect::{self, Access, Connection},
    output::{self, Exit, say, usage},
    render::json,
    settings::{Settings, Where},
    text::number,
};

/// So many answers in a row that tell of no progress: what is left is then left to the coordinator.
const STALLS: u32 = 6;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It cannot be undone. The sweep and its name are gone at once; its rows go right after that, also if this \
                        command or the coordinator is killed in between. Of its artifacts (dataset, models) those go that no \
                        other sweep names; one that somebody asked for within the last hour stays for that hour."
)]
pub(super) struct Args {
    /// Name or number of the sweep, which must be completed or cancelled
    sweep: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Print JSON: what was removed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

/// What was removed, as JSON.
#[derive(serde::Serialize)]
struct Removed {
    sweep: String,
    sweep_id: i64,
    jobs: u64,
    epochs: u64,
    /// No other sweep names them; one that somebody asked for lately stays for an hour.
    artifacts: u64,
    bytes: u64,
    /// Rows of so many jobs are still being removed.
    jobs_left: u64,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let asks = !args.yes;
    if asks && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let again = At::of(&args.at).hint(&format!("rm {} --yes", quoted(&args.sweep)));
        return Err(usage(format_args!(
            "expected a terminal to ask whether the sweep is to be removed; {again} does not ask"
        )));
    }
    let plan = Connection::with(settings, &args.at, Access::Read, async |connection| {
        request(connection, &args.sweep, true).await.map_err(connect::refused)
    })
    .await?;
    if asks && !confirmed(&plan).await? {
        anyhow::bail!("nothing was removed");
    }
    let left = Connection::with(settings, &args.at, Access::Change, async |connection| {
        remove(connection, &plan.sweep_id.to_string()).await
    })
    .await?;
    if args.json {
        let RemoveSweepResponse { name: sweep, sweep_id, jobs, epochs, artifacts, bytes, .. } = plan;
        json::print(&Removed { sweep, sweep_id, jobs, epochs, artifacts, bytes, jobs_left: left })?;
    } else {
        output::line(format_args!("{} is removed: {}", plan.name, worth(&plan)))?;
    }
    if left > 0 {
        say(format_args!(
            "the rows of {} are still there, unseen; a running coordinator removes them, or the next command that changes the store",
            number::plural(left, "job")
        ));
    }
    Ok(Exit::Success)
}

async fn request(connection: &Connection, sweep: &str, validate_only: bool) -> Result<RemoveSweepResponse, Status> {
    let request = RemoveSweepRequest { sweep: sweep.to_owned(), validate_only };
    Ok(connection.sweeps().remove_sweep(request).await?.into_inner())
}

/// Removes the sweep of this number and waits for as long as it moves on; how many of its jobs are
/// left.
async fn remove(connection: &Connection, sweep: &str) -> anyhow::Result<u64> {
    let (mut left, mut stalls) = (None, 0);
    loop {
        let answer = match request(connection, sweep, false).await {
            Ok(answer) => answer,
            // It was there a moment ago: somebody else removed it, or the end of it came between
            // two requests.
            Err(status) if status.code() == Code::NotFound => return Ok(0),
            Err(status) => return Err(connect::refused(status)),
        };
        if answer.gone {
            return Ok(0);
        }
        stalls = if left == Some(answer.jobs_left) { stalls + 1 } else { 0 };
        if stalls >= STALLS {
            return Ok(answer.jobs_left);
        }
        left = Some(answer.jobs_left);
        say(format_args!("{} left", number::plural(answer.jobs_left, "job")));
    }
}

/// What goes, in words.
fn worth(plan: &RemoveSweepResponse) -> String {
    let rows = format!("{}, {}", number::plural(plan.jobs, "job"), number::plural(plan.epochs, "epoch"));
    match plan.artifacts {
        0 => format!("{rows}, no artifacts"),
        artifacts => {
            format!(
                "{rows}, {} of {} that no other sweep names",
                number::plural(artifacts, "artifact"),
                size(plan.bytes)
            )
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => number::plural(bytes, "byte"),
        _ => format!("{:.2} MiB", bytes as f64 / (1_u64 << 20) as f64),
    }
}

/// Whether the person at the terminal says yes. It is read on a thread of its own, which the end of
/// the process ends.
async fn confirmed(plan: &RemoveSweepResponse) -> anyhow::Result<bool> {
    say(format_args!("sweep {} has {}; removed, they cannot be brought back", plan.name, worth(plan)));
    output::stderr_bytes(b"remove it? [y/N] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await??;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_told_in_words() {
        let plan = RemoveSweepResponse { jobs: 1, epochs: 30, artifacts: 2, bytes: 3 << 20, ..Default::default() };
        assert_eq!(worth(&plan), "1 job, 30 epochs, 2 artifacts of 3.00 MiB that no other sweep names");
        assert_eq!(
            worth(&RemoveSweepResponse { bytes: 1, artifacts: 1, ..plan }),
            "1 job, 30 epochs, 1 artifact of 1 byte that no other sweep names"
        );
        assert_eq!(worth(&RemoveSweepResponse::default()), "0 jobs, 0 epochs, no artifacts");
    }
}
