//! (e) Which worker and slot ran which job when, and what became of each attempt.

use std::collections::BTreeMap;

use besom_proto::v1::Attempt;
use time::{PrimitiveDateTime, format_description::FormatItem, macros::format_description};

use super::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    data::SweepData,
    page::{MARGIN, Page},
    panel::Panel,
    style::{BLUE, Color, GRID, INK, LABEL, ORANGE, PALE, SKY, SMALL, SOFT, VERMILLION, WHITE, fit, ink_on, width},
};

const SHEET: f64 = 1100.0;
const NAME: f64 = 230.0;
const BELOW: f64 = 46.0;
const KEY: f64 = 30.0;
/// Attempts of one slot that end alike and are closer than this are one bar: nobody can tell them apart.
const APART: f64 = 0.4;

/// How the view writes a time: UTC with microseconds.
const TEXT: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:1+]Z");

/// What became of an attempt, as it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Done,
    Diverged,
    Failed,
    Lost,
    GivenBack,
    Running,
}

impl End {
    const ALL: [Self; 6] = [Self::Done, Self::Diverged, Self::Failed, Self::Lost, Self::GivenBack, Self::Running];

    fn of(attempt: &Attempt) -> Self {
        match attempt.outcome.as_deref() {
            Some("succeeded" | "stopped") => Self::Done,
            Some("diverged") => Self::Diverged,
            Some("failed") => Self::Failed,
            Some("lost") => Self::Lost,
            // Released, cancelled, and what a later build may say.
            Some(_) => Self::GivenBack,
            None => Self::Running,
        }
    }

    fn look(self) -> (&'static str, Color) {
        match self {
            Self::Done => ("ended well", BLUE),
            Self::Diverged => ("diverged", ORANGE),
            Self::Failed => ("failed", VERMILLION),
            Self::Lost => ("lost (crossed out)", WHITE),
            Self::GivenBack => ("given back or cancelled", PALE),
            Self::Running => ("still running", SKY),
        }
    }
}

/// One attempt, or several that cannot be told apart.
struct Bar {
    start: f64,
    end: f64,
    kind: End,
    /// The job and attempt of a single one.
    of: Option<(i64, u32)>,
}

/// A slot with its attempts, by start.
struct Slot {
    worker: String,
    slot: u32,
    bars: Vec<Bar>,
}

/// Draws the figure; nothing where no attempt was made.
pub(super) fn draw(data: &SweepData) -> Option<Canvas> {
    let (slots, seconds) = slots(&data.attempts)?;
    let row = (460.0 / slots.len() as f64).clamp(5.0, 26.0);
    let labels: Vec<(usize, String)> = labels(&slots, row);
    let widest = labels.iter().map(|(_, text)| width(text, SMALL)).fold(0.0, f64::max);
    let left = MARGIN + widest + 10.0;
    let (unit, name) = unit(seconds);
    let page = Page::new(data, "who ran which job when", SHEET, &notes(data));
    let mut canvas = page.canvas(KEY + slots.len() as f64 * row + BELOW);
    let panel = Panel {
        x: left,
        y: page.top() + KEY,
        width: SHEET - MARGIN - left - 8.0,
        height: slots.len() as f64 * row,
        across: Scale::Linear { low: 0.0, high: seconds / unit },
        up: Scale::slots(1),
    };
    key(&mut canvas, &slots, page.top() + 14.0);
    let ticks = panel.across.ticks(10);
    for (value, _) in &ticks {
        let x = panel.at_x(*value);
        canvas.line((x, panel.y), (x, panel.bottom()), Stroke::new(GRID, 1.0));
    }
    for (at, slot) in slots.iter().enumerate() {
        let y = panel.y + at as f64 * row;
        let border = if at > 0 && slots[at - 1].worker != slot.worker { 1.0 } else { 0.0 };
        if border > 0.0 {
            canvas.line((MARGIN, y), (panel.x + panel.width, y), Stroke::new(SOFT, 0.6).faint(0.6));
        }
        let places = slot.bars.iter().map(|bar| (panel.at_x(bar.start / unit), panel.at_x(bar.end / unit), bar));
        for (start, end, kind, of) in merged(places) {
            // A hair's breadth between neighbours.
            draw_bar(&mut canvas, (start, y + row * 0.1, (end - start - 0.5).max(0.8), row * 0.8), kind, of);
        }
    }
    for (at, text) in &labels {
        canvas.text(left - 8.0, panel.y + (*at as f64 + 0.5) * row + 4.0, text, SMALL, Align::End, INK);
    }
    panel.lower_axis(&mut canvas, &ticks, &format!("{name} since the first job began"));
    Some(canvas)
}

/// By worker and slot, times in seconds since the first start; and how long it took altogether.
fn slots(attempts: &[Attempt]) -> Option<(Vec<Slot>, f64)> {
    let at = |text: &str| {
        let time = PrimitiveDateTime::parse(text, TEXT).ok()?.assume_utc();
        Some(time.unix_timestamp_nanos() as f64 / 1e9)
    };
    let times = attempts.iter().filter_map(|attempt| {
        let start = at(&attempt.started_at)?;
        Some((attempt, start, attempt.ended_at.as_deref().and_then(at)))
    });
    let times: Vec<_> = times.collect();
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

type Placed = (f64, f64, End, Option<(i64, u32)>);

/// Bars that are too narrow and too close to be told apart, put together.
fn merged<'a>(bars: impl Iterator<Item = (f64, f64, &'a Bar)>) -> Vec<Placed> {
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

/// Each slot where there is room, else each worker once, at its middle.
fn labels(slots: &[Slot], row: f64) -> Vec<(usize, String)> {
    if row >= 12.0 {
        let text = |slot: &Slot| {
            let number = format!(" slot {}", slot.slot);
            format!("{}{number}", fit(&slot.worker, SMALL, NAME - width(&number, SMALL)))
        };
        return slots.iter().enumerate().map(|(at, slot)| (at, text(slot))).collect();
    }
    let mut labels = Vec::new();
    let mut start = 0;
    for at in 1..=slots.len() {
        if at == slots.len() || slots[at].worker != slots[start].worker {
            let apart = labels.last().is_none_or(|(before, _)| ((start + at) / 2 - before) as f64 * row >= 13.0);
            if apart {
                labels.push(((start + at) / 2, fit(&slots[start].worker, SMALL, NAME)));
            }
            start = at;
        }
    }
    labels
}

/// Seconds to divide by, and what is left then.
fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s < 0.5 => (0.001, "milliseconds"),
        s if s < 300.0 => (1.0, "seconds"),
        s if s < 3.0 * 3600.0 => (60.0, "minutes"),
        s if s < 72.0 * 3600.0 => (3600.0, "hours"),
        _ => (86400.0, "days"),
    }
}

fn draw_bar(canvas: &mut Canvas, (x, y, wide, high): (f64, f64, f64, f64), kind: End, of: Option<(i64, u32)>) {
    let (_, color) = kind.look();
    canvas.rect(x, y, wide, high, color, 1.0);
    match kind {
        End::Lost | End::GivenBack => {
            let edge = if kind == End::Lost { VERMILLION } else { SOFT };
            canvas.frame(x, y, wide, high, Stroke::new(edge, 0.8));
        }
        End::Done | End::Diverged | End::Failed | End::Running => {}
    }
    match kind {
        End::Lost => {
            let stroke = Stroke::new(VERMILLION, 1.2);
            canvas.line((x, y), (x + wide, y + high), stroke);
            canvas.line((x, y + high), (x + wide, y), stroke);
        }
        // Goes on beyond what the store knows.
        End::Running => {
            canvas.area(&[(x + wide, y), (x + wide + 7.0, y + high / 2.0), (x + wide, y + high)], color, 1.0)
        }
        End::Done | End::Diverged | End::Failed | End::GivenBack => {}
    }
    let Some((job, attempt)) = of.filter(|_| high >= 11.0) else { return };
    let text = if attempt > 1 { format!("{job}/{attempt}") } else { job.to_string() };
    if width(&text, SMALL) + 4.0 <= wide {
        if kind == End::Lost {
            let wide_text = width(&text, SMALL) + 4.0;
            canvas.rect(x + (wide - wide_text) / 2.0, y + 1.0, wide_text, high - 2.0, WHITE, 0.85);
        }
        canvas.text(x + wide / 2.0, y + high / 2.0 + 4.0, &text, SMALL, Align::Middle, ink_on(color));
    }
}

fn notes(data: &SweepData) -> Vec<String> {
    let mut notes = vec!["The number in a bar is the job; after a slash, the attempt from the second on.".to_owned()];
    let ends: Vec<End> = data.attempts.iter().map(End::of).collect();
    let lost = ends.iter().filter(|end| **end == End::Lost).count();
    if lost > 0 {
        notes.push(format!(
            "{lost} of {} attempts were lost: their worker was not heard of until the lease ran out, and the job was \
             tried again.",
            ends.len()
        ));
    }
    notes
}

fn key(canvas: &mut Canvas, slots: &[Slot], y: f64) {
    let mut x = MARGIN;
    for kind in End::ALL {
        let count = slots.iter().flat_map(|slot| &slot.bars).filter(|bar| bar.kind == kind).count();
        if count == 0 {
            continue;
        }
        let text = format!("{}: {count}", kind.look().0);
        draw_bar(canvas, (x, y - 9.0, 18.0, 11.0), kind, None);
        canvas.text(x + 31.0, y + 1.0, &text, LABEL, Align::Start, INK);
        x += 31.0 + width(&text, LABEL) + 24.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(job: i64, slot: u32, start: &str, end: Option<(&str, &str)>) -> Attempt {
        Attempt {
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
