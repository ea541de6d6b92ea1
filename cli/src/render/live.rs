//! Live lines at the bottom of a terminal: one for each running job, one for the whole sweep.
//!
//! They go to stderr, and only where that is a terminal; elsewhere whoever calls prints plain
//! lines. No line is wider than the terminal and all together are lower, because what is wrapped or
//! scrolled away cannot be drawn over.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use besom_proto::v1::SweepProgress;
use console::{Term, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::{
    output::{self, printable},
    text::{number, state},
};

/// Room at the end of a line, where the terminal echoes `^C`.
const MARGIN: usize = 4;

/// The control sequence EL.
const ERASE_TO_END: &str = "\x1b[K";

/// The lines.
pub(crate) struct Live {
    terminal: Term,
    bars: MultiProgress,
    jobs: Vec<ProgressBar>,
    total: ProgressBar,
    over: bool,
}

impl Live {
    /// `None` where stderr is no terminal.
    pub(crate) fn on_terminal() -> Option<Self> {
        let terminal = Term::stderr();
        if !terminal.is_term() {
            return None;
        }
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Unpadded::new()), 8));
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{msg}"));
        output::set_live(bars.clone());
        Some(Self { terminal, bars, jobs: Vec::new(), total, over: false })
    }

    /// Shows these lines, one a running job: as many as fit, and how many more there are.
    pub(crate) fn jobs(&mut self, lines: &[String]) {
        if self.over {
            return;
        }
        let (rows, columns) = self.size();
        let lines = fitting(lines, rows, columns);
        while self.jobs.len() > lines.len() {
            let Some(bar) = self.jobs.pop() else { break };
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        while self.jobs.len() < lines.len() {
            let bar = self.bars.insert_before(&self.total, ProgressBar::new_spinner());
            bar.set_style(style("{msg}"));
            self.jobs.push(bar);
        }
        for (bar, line) in self.jobs.iter().zip(lines) {
            bar.set_message(line);
        }
    }

    /// Shows how far the sweep is.
    pub(crate) fn total(&self, done: u64, all: u64, message: &str) {
        if !self.over {
            let (_, columns) = self.size();
            self.total.set_message(total_line(done, all, message, columns));
        }
    }

    /// Takes the lines away for good.
    pub(crate) fn clear(&mut self) {
        self.jobs(&[]);
        self.over = true;
        self.total.finish_and_clear();
    }

    fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.terminal.size();
        (rows.into(), columns.into())
    }
}

/// An error on the way out leaves no stale lines behind.
impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A terminal whose cursor stays at the end of the text. The drawer pads each line, also the last,
/// to the last column, where an echoed `^C` begins a new line, so that one stale line would stay
/// behind. Here padding is a line feed, once more text follows.
#[derive(Debug)]
struct Unpadded {
    terminal: Term,
    padded: AtomicBool,
}

impl Unpadded {
    fn new() -> Self {
        Self { terminal: Term::buffered_stderr(), padded: AtomicBool::new(false) }
    }
}

impl TermLike for Unpadded {
    fn width(&self) -> u16 {
        self.terminal.size().1
    }

    fn height(&self) -> u16 {
        self.terminal.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.terminal.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if self.padded.swap(false, Ordering::Relaxed) && text != "\r" {
            self.terminal.write_str("\n")?;
        }
        if text.is_empty() || text.bytes().any(|byte| byte != b' ') {
            return self.terminal.write_str(text);
        }
        self.padded.store(true, Ordering::Relaxed);
        self.terminal.write_str(ERASE_TO_END)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.terminal.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        // What follows is another drawing, which begins by moving the cursor.
        self.padded.store(false, Ordering::Relaxed);
        self.terminal.flush()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants of this file")
}

/// The lines that a terminal of this size can show above the line of the whole sweep.
fn fitting(lines: &[String], rows: usize, columns: usize) -> Vec<String> {
    // The line of the whole sweep, and one that the prompt left.
    let room = rows.saturating_sub(2).max(1);
    let shown = if lines.len() <= room { lines.len() } else { room - 1 };
    let mut fitting: Vec<String> = lines[..shown].iter().map(|line| cut(line, columns)).collect();
    if shown < lines.len() {
        fitting.push(cut(&format!("... and {} more", lines.len() - shown), columns));
    }
    fitting
}

/// `[=====>    ] 120/300 epochs  about 3 min 05 s left, 4/10 jobs`.
fn total_line(done: u64, all: u64, message: &str, columns: usize) -> String {
    let width = if columns < 90 { 10 } else { 30 };
    let full = if all == 0 { 0 } else { (u128::from(done.min(all)) * width as u128 / u128::from(all)) as usize };
    let head = if full > 0 && full < width { ">" } else { "" };
    let bar = format!("{}{head}", "=".repeat(full - head.len()));
    cut(&format!("[{bar:width$}] {done}/{all} epochs  {message}"), columns)
}

fn cut(line: &str, columns: usize) -> String {
    truncate_str(&printable(line), columns.saturating_sub(MARGIN), "…").into_owned()
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
        // The first second says more about start-up than about training. Longer than a clock counts
        // is not told.
        let left = elapsed / seen as f64 * all.saturating_sub(done) as f64;
        (seen > 0 && elapsed >= 1.0).then(|| Duration::try_from_secs_f64(left).ok()).flatten()
    }
}

/// `about 3 min 05 s left, 12/27 jobs, best val_accuracy 0.8412, 1 diverged`: what matters most
/// stands first.
pub(crate) fn summary(progress: &SweepProgress, left: Option<Duration>) -> String {
    let Some(sweep) = &progress.sweep else { return String::new() };
    let counts = sweep.counts.unwrap_or_default();
    let mut parts = Vec::new();
    match state::sweep(sweep.state) {
        "active" => parts.extend(left.map(|left| format!("about {} left", number::duration(left)))),
        other => parts.push(other.to_owned()),
    }
    parts.push(format!("{}/{} jobs", state::final_jobs(&counts), sweep.jobs_total));
    if let Some(best) = &progress.best {
        parts.push(format!("best {} {}", sweep.metric, number::metric(Some(best.objective))));
    }
    parts.extend((counts.diverged > 0).then(|| format!("{} diverged", counts.diverged)));
    parts.extend((counts.failed > 0).then(|| format!("{} failed", counts.failed)));
    parts.join(", ")
}

/// `job 7  epoch 3/25  val_accuracy 0.8412  optimizer adam, seed 1`: what changes stands first, and
/// is not cut.
pub(crate) fn job_line(job: i64, done: u32, epochs: u32, metric: (&str, Option<f64>), what: &str) -> String {
    let width = epochs.to_string().len();
    let (name, value) = metric;
    format!("job {job}  epoch {done:>width$}/{epochs}  {name} {:>6}  {what}", number::metric(value))
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

    #[test]
    fn a_short_terminal_keeps_a_line_for_the_whole_sweep() {
        let lines: Vec<String> = (0..20).map(|slot| format!("slot {slot}")).collect();
        let shown = fitting(&lines, 12, 80);
        assert_eq!(shown.len(), 10);
        assert_eq!((shown[8].as_str(), shown[9].as_str()), ("slot 8", "... and 11 more"));
        assert_eq!(fitting(&lines[..10], 12, 80), lines[..10]);
        assert_eq!(fitting(&lines, 1, 80), ["... and 20 more"]);
    }

    #[test]
    fn a_line_fits_with_its_numbers_first() {
        let what = "optimizer adam, learning_rate 0.0001, batch_size 4096, seed 1";
        let line = cut(&job_line(7, 3, 25, ("val_accuracy", Some(0.84)), what), 60);
        assert_eq!(line, "job 7  epoch  3/25  val_accuracy 0.8400  optimizer adam…");
        assert_eq!(total_line(5, 10, "about 9 s left", 60), "[====>     ] 5/10 epochs  about 9 s left");
        assert_eq!(total_line(10, 10, "", 60), "[==========] 10/10 epochs  ");
        assert_eq!(total_line(0, 0, "", 60), "[          ] 0/0 epochs  ");
        assert!(total_line(u64::MAX, u64::MAX, "", 60).starts_with("[==========] 18446744073709551615/"));
        let (start, mut pace) = (Instant::now(), Pace::new());
        assert_eq!(pace.left(0, u64::MAX, start), None);
        assert_eq!(pace.left(1, u64::MAX, start + Duration::from_secs(10)), None);
    }
}
