//! From the domain to the wire.

use besom_proto::v1;
use besom_sweep::{Expansion, Goal, KeepModels, MetricName, Params, ScoredEpoch, SweepSpec};

use crate::dispatcher::Offer;
use crate::domain::utc;
use crate::domain::{
    Assignment, BestRun, Directive, JobCounts, Lease, Progress, RunningJob, Sweep, SweepState, WorkerRow, WriteResult,
};

/// Points that a plan shows; a person reads no more.
const FIRST_POINTS: u64 = 100;

/// What a sweep file asks for.
pub(crate) fn plan(name: &str, spec: &SweepSpec, expansion: &Expansion) -> v1::Plan {
    let plan = expansion.plan();
    v1::Plan {
        name: name.to_owned(),
        method: spec.method.as_str().to_owned(),
        metric: spec.metric.name.as_str().to_owned(),
        goal: goal(spec.metric.goal),
        points: plan.points,
        merged: plan.merged,
        seeds: spec.seeds.clone(),
        jobs: plan.jobs,
        jobs_cut: plan.jobs_cut,
        notes: plan.notes.clone(),
        first_points: (0..plan.points.min(FIRST_POINTS)).map(|i| json(expansion.point(i).to_params())).collect(),
        swept: plan.swept.clone(),
    }
}

/// A sweep with its file.
pub(crate) fn sweep_with_text(mut found: Sweep) -> v1::Sweep {
    let text = std::mem::take(&mut found.new.text);
    v1::Sweep { text, ..sweep(found) }
}

/// A sweep without its file, which may be a thousand times as long as all else.
pub(crate) fn sweep(sweep: Sweep) -> v1::Sweep {
    let new = sweep.new;
    let title = if new.title == new.name { String::new() } else { new.title };
    v1::Sweep {
        id: sweep.id.0,
        name: new.name,
        state: match sweep.state {
            SweepState::Active => v1::SweepState::Active,
            SweepState::Paused => v1::SweepState::Paused,
            SweepState::Completed => v1::SweepState::Completed,
            SweepState::Cancelled => v1::SweepState::Cancelled,
        } as i32,
        method: new.method,
        metric: new.metric.name.as_str().to_owned(),
        goal: goal(new.metric.goal),
        dataset: new.dataset.as_str().to_owned(),
        dataset_source: new.dataset_source,
        jobs_total: new.jobs_total.unwrap_or(0),
        jobs_created: sweep.jobs_created,
        counts: Some(counts(sweep.counts)),
        created_at: utc(sweep.created_at),
        text: String::new(),
        swept: new.swept,
        title,
        problem: sweep.problem.unwrap_or_default(),
        engine: new.engine.unwrap_or_default(),
    }
}

pub(crate) fn progress(progress: Progress) -> v1::SweepProgress {
    let metric = progress.sweep.new.metric.name.clone();
    let running = progress.running.into_iter().map(|job| running(job, &metric)).collect();
    v1::SweepProgress {
        sweep: Some(sweep(progress.sweep)),
        epochs_done: progress.epochs_done,
        epochs_total: progress.epochs_total,
        epoch_seconds: progress.epoch_seconds,
        running,
        best: progress.best.map(best_run),
    }
}

fn best_run(best: BestRun) -> v1::BestRun {
    v1::BestRun { job: best.job.0, objective: best.objective, params: json(best.params) }
}

pub(crate) fn worker_row(row: WorkerRow) -> v1::Worker {
    v1::Worker {
        id: row.id.0,
        name: row.new.name,
        host: row.new.host,
        slots: row.new.slots,
        running: row.running,
        build: row.new.build,
        last_seen_at: utc(row.last_seen_at),
        last_seen_ms_ago: row.last_seen_ms_ago,
        left: row.left,
        gone: row.gone,
    }
}

pub(crate) fn acquired(offer: Offer) -> v1::AcquireResponse {
    v1::AcquireResponse {
        assignments: offer.assignments.into_iter().map(assignment).collect(),
        notice: offer.notice.unwrap_or_default(),
        sweep_ended: offer.sweep_ended,
        waited_ms: u64::try_from(offer.waited.as_millis()).unwrap_or(u64::MAX),
    }
}

/// One answer a job, in the order of the request.
pub(crate) fn directives(answers: impl Iterator<Item = (Lease, Directive)>) -> v1::ReportResponse {
    let jobs = answers.map(|(to, directive)| v1::JobDirective {
        attempt: Some(lease(to)),
        directive: match directive {
            Directive::Continue => v1::Directive::Continue,
            Directive::StopEarly => v1::Directive::StopEarly,
            Directive::Cancelled => v1::Directive::Cancelled,
            Directive::LeaseLost => v1::Directive::LeaseLost,
            Directive::Refused(_) => v1::Directive::Refused,
        } as i32,
        problem: match directive {
            Directive::Refused(problem) => problem,
            Directive::Continue | Directive::StopEarly | Directive::Cancelled | Directive::LeaseLost => String::new(),
        },
    });
    v1::ReportResponse { jobs: jobs.collect() }
}

/// One answer a job, in the order of the request.
pub(crate) fn results(answers: impl Iterator<Item = (Lease, WriteResult)>) -> Vec<v1::JobResult> {
    let jobs = answers.map(|(to, result)| v1::JobResult {
        attempt: Some(lease(to)),
        result: match result {
            WriteResult::Accepted => v1::Result::Accepted,
            WriteResult::LeaseLost => v1::Result::LeaseLost,
            WriteResult::Cancelled => v1::Result::Cancelled,
        } as i32,
    });
    jobs.collect()
}

fn assignment(assignment: Assignment) -> v1::Assignment {
    v1::Assignment {
        attempt: Some(lease(assignment.lease)),
        sweep: assignment.sweep.0,
        sweep_name: assignment.sweep_name,
        slot: assignment.slot,
        seed: assignment.seed,
        config: assignment.config,
        config_hash: assignment.config_hash,
        metric: assignment.metric.name.as_str().to_owned(),
        goal: goal(assignment.metric.goal),
        scored_epoch: match assignment.scored_epoch {
            ScoredEpoch::Final => v1::ScoredEpoch::Final,
            ScoredEpoch::Best => v1::ScoredEpoch::Best,
        } as i32,
        keep_models: match assignment.keep_models {
            KeepModels::All => v1::KeepModels::All,
            KeepModels::Best => v1::KeepModels::Best,
            KeepModels::None => v1::KeepModels::None,
        } as i32,
    }
}

fn running(job: RunningJob, metric: &MetricName) -> v1::RunningJob {
    let latest = job.latest.as_ref();
    v1::RunningJob {
        job: job.at.job.0,
        attempt: job.at.attempt,
        worker: job.worker,
        slot: job.slot,
        params: json(job.params),
        seed: job.seed,
        epochs: job.epochs,
        epochs_done: latest.map_or(0, |record| u32::try_from(record.step).unwrap_or(u32::MAX)),
        metric: latest.and_then(|record| record.metric(metric.as_str())),
    }
}

fn lease(lease: Lease) -> v1::AttemptRef {
    v1::AttemptRef { job: lease.at.job.0, attempt: lease.at.attempt, lease: lease.number }
}

fn counts(counts: JobCounts) -> v1::JobCounts {
    v1::JobCounts {
        queued: counts.queued,
        running: counts.running,
        succeeded: counts.succeeded,
        stopped: counts.stopped,
        diverged: counts.diverged,
        failed: counts.failed,
        cancelled: counts.cancelled,
    }
}

fn goal(goal: Goal) -> i32 {
    let goal = match goal {
        Goal::Maximize => v1::Goal::Maximize,
        Goal::Minimize => v1::Goal::Minimize,
    };
    goal as i32
}

fn json(params: Params) -> String {
    serde_json::Value::Object(params).to_string()
}
