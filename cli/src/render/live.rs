//! Live lines at the bottom of a terminal: one for each running job, one for the whole sweep.
//!
//! They go to stderr, and only where that is a terminal; elsewhere whoever calls prints plain lines.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use besom_proto::v1::SweepProgress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{number, state};
use crate::output;

/// The lines.
pub(crate) struct Live {
    bars: MultiProgress,
    jobs: Vec<ProgressBar>,
    total: ProgressBar,
}

impl Live {
    /// `None` where stderr is no terminal.
    pub(crate) fn on_terminal() -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("[{bar:30}] {pos}/{len} epochs  {wide_msg}"));
        output::set_live(bars.clone());
        Some(Self { bars, jobs: Vec::new(), total })
    }

    /// Shows these lines, one a running job.
    pub(crate) fn jobs(&mut self, lines: &[String]) {
        while self.jobs.len() > lines.len() {
            let Some(bar) = self.jobs.pop() else { break };
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        while self.jobs.len() < lines.len() {
            let bar = self.bars.insert_before(&self.total, ProgressBar::new_spinner());
            bar.set_style(style("{wide_msg}"));
            self.jobs.push(bar);
        }
        for (bar, line) in self.jobs.iter().zip(lines) {
            bar.set_message(line.clone());
        }
    }

    /// Shows how far the sweep is.
    pub(crate) fn total(&self, done: u64, all: u64, message: String) {
        self.total.set_length(all);
        self.total.set_position(done);
        self.total.set_message(message);
    }

    /// Takes the lines away.
    pub(crate) fn clear(&mut self) {
        self.jobs(&[]);
        self.total.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants of this file").progress_chars("=> ")
}

/// How fast a sweep advances, from the progress seen since the watching began.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Option<(Instant, u64)>,
}

impl Pace {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        Self { start: None }
    }

    /// The time left, once it can be told: by epochs, as if all took as long as those seen.
    pub(crate) fn left(&mut self, done: u64, all: u64, now: Instant) -> Option<Duration> {
        let (since, before) = *self.start.get_or_insert((now, done));
        let elapsed = now.saturating_duration_since(since).as_secs_f64();
        let seen = done.saturating_sub(before);
        // The first second says more about start-up than about training.
        (seen > 0 && elapsed >= 1.0)
            .then(|| Duration::from_secs_f64(elapsed / seen as f64 * all.saturating_sub(done) as f64))
    }
}

/// `12/27 jobs, 1 diverged, about 3 min 05 s left, best val_accuracy 0.8412`.
pub(crate) fn summary(progress: &SweepProgress, left: Option<Duration>) -> String {
    let Some(sweep) = &progress.sweep else { return String::new() };
    let counts = sweep.counts.unwrap_or_default();
    let mut parts = vec![format!("{}/{} jobs", state::final_jobs(&counts), sweep.jobs_total)];
    parts.extend((counts.diverged > 0).then(|| format!("{} diverged", counts.diverged)));
    parts.extend((counts.failed > 0).then(|| format!("{} failed", counts.failed)));
    match state::sweep(sweep.state) {
        "active" => parts.extend(left.map(|left| format!("about {} left", number::duration(left)))),
        other => parts.push(other.to_owned()),
    }
    if let Some(best) = &progress.best {
        parts.push(format!("best {} {}", sweep.metric, number::metric(best.objective)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_counts_only_what_was_seen() {
        let start = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.left(40, 100, start), None);
        assert_eq!(pace.left(40, 100, start + Duration::from_secs(5)), None);
        assert_eq!(pace.left(50, 100, start + Duration::from_secs(10)), Some(Duration::from_secs(50)));
    }
}
