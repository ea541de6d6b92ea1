//! The attempts of a sweep as the timeline draws them: by slot, in seconds since the first start.

use std::collections::BTreeMap;

use time::{PrimitiveDateTime, format_description::FormatItem, macros::format_description};

use crate::input::AttemptRow;

/// Attempts of one slot that end alike and are closer than this are one bar: nobody can tell them
/// apart.
const APART: f64 = 0.4;

/// How the view writes a time: UTC with microseconds.
const TEXT: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:1+]Z");

/// What became of an attempt, as it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Done,
    Diverged,
    Failed,
    Lost,
    GivenBack,
    Cancelled,
    Running,
}

impl End {
    pub(crate) const ALL: [Self; 7] =
        [Self::Done, Self::Diverged, Self::Failed, Self::Lost, Self::GivenBack, Self::Cancelled, Self::Running];

    pub(crate) fn of(attempt: &AttemptRow) -> Self {
        match attempt.outcome.as_deref() {
            Some("succeeded" | "stopped") => Self::Done,
            Some("diverged") => Self::Diverged,
            Some("failed") => Self::Failed,
            Some("lost") => Self::Lost,
            Some("cancelled") => Self::Cancelled,
            // Released, and what a later build may say.
            Some(_) => Self::GivenBack,
            None => Self::Running,
        }
    }
}

/// One attempt, or several that cannot be told apart.
pub(crate) struct Bar {
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) kind: End,
    /// The job and attempt of a single one.
    pub(crate) of: Option<(i64, u32)>,
}

/// A slot with its attempts, by start.
pub(crate) struct Slot {
    pub(crate) worker: String,
    pub(crate) slot: u32,
    pub(crate) bars: Vec<Bar>,
}

/// No sweep lasts longer than this before or after the middle of its starts: what lies there has a
/// wrong time, and would press all others into one point.
const LONGEST: f64 = 10.0 * 365.0 * 86400.0;

/// The attempts with the seconds of their start and end, without those whose times cannot be.
fn timed(attempts: &[AttemptRow]) -> Vec<(&AttemptRow, f64, Option<f64>)> {
    let at = |text: &str| {
        let time = PrimitiveDateTime::parse(text, TEXT).ok()?.assume_utc();
        Some(time.unix_timestamp_nanos() as f64 / 1e9)
    };
    let times = attempts.iter().filter_map(|attempt| {
        let end = attempt.ended_at.as_deref().map(at);
        // An end that cannot be read is not the same as none.
        let end = if end == Some(None) { return None } else { end.flatten() };
        Some((attempt, at(&attempt.started_at)?, end))
    });
    let mut times: Vec<_> = times.collect();
    let mut starts: Vec<f64> = times.iter().map(|(_, start, _)| *start).collect();
    starts.sort_by(f64::total_cmp);
    if let Some(middle) = starts.get(starts.len() / 2) {
        let near = |at: f64| (at - middle).abs() <= LONGEST;
        times.retain(|(_, start, end)| near(*start) && end.is_none_or(near));
    }
    times
}

/// How many attempts have times that cannot be, or no readable ones.
pub(crate) fn untimed(attempts: &[AttemptRow]) -> usize {
    attempts.len() - timed(attempts).len()
}

/// By worker and slot, times in seconds since the first start; and how long it took altogether.
pub(crate) fn slots(attempts: &[AttemptRow]) -> Option<(Vec<Slot>, f64)> {
    let times = timed(attempts);
    let first = times.iter().map(|(_, start, _)| *start).reduce(f64::min)?;
    // The latest that the store knows, not the clock: the same data give the same figure.
    let last = times.iter().map(|(_, start, end)| end.unwrap_or(*start)).fold(first, f64::max);
    let all = (last - first).max(0.001);
    let mut slots: BTreeMap<(&str, u32), Vec<Bar>> = BTreeMap::new();
    for (attempt, start, end) in times {
        slots.entry((&attempt.worker, attempt.slot)).or_default().push(Bar {
            start: start - first,
            end: end.map_or(all, |end| end - first),
            kind: End::of(attempt),
            of: Some((attempt.job, attempt.attempt)),
        });
    }
    let slots = slots.into_iter().map(|((worker, slot), mut bars)| {
        bars.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.of.cmp(&b.of)));
        Slot { worker: worker.to_owned(), slot, bars }
    });
    Some((slots.collect(), all))
}

/// A bar from left to right, how it ended, and the job and attempt of a single one.
pub(crate) type Placed = (f64, f64, End, Option<(i64, u32)>);

/// Bars that are too narrow and too close to be told apart, put together.
pub(crate) fn merged<'a>(bars: impl Iterator<Item = (f64, f64, &'a Bar)>) -> Vec<Placed> {
    let mut merged: Vec<Placed> = Vec::new();
    for (start, end, bar) in bars {
        match merged.last_mut() {
            Some((_, before, kind, of)) if *kind == bar.kind && start - *before < APART && end - start < 1.5 => {
                *before = end;
                *of = None;
            }
            _ => merged.push((start, end, bar.kind, bar.of)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(job: i64, slot: u32, start: &str, end: Option<(&str, &str)>) -> AttemptRow {
        AttemptRow {
            job,
            attempt: 1,
            worker: "w".into(),
            slot,
            started_at: format!("2026-11-23T17:{start}Z"),
            ended_at: end.map(|(end, _)| format!("2026-11-23T17:{end}Z")),
            outcome: end.map(|(_, outcome)| outcome.to_owned()),
            error: None,
        }
    }

    #[test]
    fn slots_stand_in_order_and_time_runs_from_the_first_start_to_the_last_end() {
        let attempts = [
            attempt(1, 1, "30:00.000000", Some(("30:02.500000", "succeeded"))),
            attempt(2, 0, "29:59.500000", Some(("30:00.000001", "lost"))),
            attempt(3, 1, "30:02.500000", None),
        ];
        let (slots, seconds) = slots(&attempts).unwrap();
        assert_eq!(seconds, 3.0);
        let seen: Vec<_> =
            slots.iter().map(|s| (s.slot, s.bars.iter().map(|b| (b.start, b.kind)).collect::<Vec<_>>())).collect();
        assert_eq!(seen, [(0, vec![(0.0, End::Lost)]), (1, vec![(0.5, End::Done), (3.0, End::Running)])]);
        assert!((slots[0].bars[0].end - 0.500001).abs() < 1e-6);
        assert!(super::slots(&[]).is_none());
    }

    #[test]
    fn bars_that_nobody_could_tell_apart_are_one() {
        let bar = |start, end, kind| (start, end, Bar { start, end, kind, of: Some((1, 1)) });
        let bars =
            [bar(0.0, 0.5, End::Done), bar(0.6, 1.1, End::Done), bar(1.1, 1.5, End::Lost), bar(1.6, 40.0, End::Lost)];
        let merged = merged(bars.iter().map(|(start, end, bar)| (*start, *end, bar)));
        let seen: Vec<_> = merged.iter().map(|(start, end, kind, of)| (*start, *end, *kind, of.is_some())).collect();
        assert_eq!(seen, [(0.0, 1.1, End::Done, false), (1.1, 1.5, End::Lost, true), (1.6, 40.0, End::Lost, true)]);
    }
}
