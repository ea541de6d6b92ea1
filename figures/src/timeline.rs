//! (e) Which worker and slot ran which job when, and what became of each attempt.

use besom_sweep::number;

use crate::{
    attempts::{End, Placed, Slot, merged, slots, untimed},
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
/// A line of the legend, and the air between it and the bars.
const KEY: f64 = 18.0;
const AIR: f64 = 12.0;
/// Of a bar in the legend.
const SWATCH: f64 = 18.0;
/// How far the arrow of a bar that goes on reaches beyond it.
const ARROW: f64 = 7.0;
/// More slots than this nobody tells apart on a sheet.
const MOST: usize = 600;

/// Draws the figure; nothing where no attempt was made.
pub(crate) fn draw(data: &SweepData) -> Option<Canvas> {
    let (mut slots, seconds) = slots(&data.attempts)?;
    let hidden = slots.len().saturating_sub(MOST);
    slots.truncate(MOST);
    let row = (460.0 / slots.len() as f64).clamp(5.0, 26.0);
    let labels: Vec<(usize, String)> = labels(&slots, row);
    let widest = labels.iter().map(|(_, text)| width(text, SMALL)).fold(0.0, f64::max);
    let left = MARGIN + widest + 10.0;
    let (unit, name) = unit(seconds);
    let mut panel = Panel {
        x: left,
        y: 0.0,
        width: SHEET - MARGIN - left - ARROW - 1.0,
        height: slots.len() as f64 * row,
        across: Scale::Linear { low: 0.0, high: seconds / unit },
        up: Scale::slots(1),
    };
    let high = row * 0.8;
    let marks: Vec<Vec<Mark>> = slots.iter().map(|slot| marks(slot, &panel, unit, high)).collect();
    let entries = entries(&slots);
    let legend = entries.len() as f64 * KEY + AIR;
    let page = Page::new(data, "who ran which job when", SHEET, &notes(data, &slots, &marks, hidden));
    let mut canvas = page.canvas(legend + panel.height + BELOW);
    panel.y = page.top() + legend;
    for (line, entries) in entries.iter().enumerate() {
        let y = page.top() + 14.0 + line as f64 * KEY;
        for (x, kind, text) in entries {
            draw_bar(&mut canvas, (*x, y - 9.0, SWATCH, 11.0), *kind, None);
            canvas.text(x + room_of(*kind), y + 1.0, text, LABEL, Align::Start, INK);
        }
    }
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
        for mark in &marks[at] {
            draw_bar(&mut canvas, (mark.x, y + row * 0.1, mark.wide, high), mark.kind, mark.text.as_deref());
        }
    }
    for (at, text) in &labels {
        canvas.text(left - 8.0, panel.y + (*at as f64 + 0.5) * row + 4.0, text, SMALL, Align::End, INK);
    }
    panel.lower_axis(&mut canvas, &ticks, &format!("{name} since the first job began"));
    Some(canvas)
}

/// A bar as it is drawn.
struct Mark {
    x: f64,
    wide: f64,
    kind: End,
    /// Whether it stands for several attempts.
    is_merged: bool,
    /// The job and attempt of a single one, where the bar has room for it.
    text: Option<String>,
}

fn marks(slot: &Slot, panel: &Panel, unit: f64, high: f64) -> Vec<Mark> {
    let places = slot.bars.iter().map(|bar| (panel.at_x(bar.start / unit), panel.at_x(bar.end / unit), bar));
    let mark = |(start, end, kind, of): Placed| {
        // A hair's breadth between neighbours.
        let wide = (end - start - 0.5).max(0.8);
        let text = of.map(|(job, attempt)| if attempt > 1 { format!("{job}/{attempt}") } else { job.to_string() });
        let text = text.filter(|text| high >= 11.0 && width(text, SMALL) + 4.0 <= wide);
        Mark { x: start, wide, kind, is_merged: of.is_none(), text }
    };
    merged(places).into_iter().map(mark).collect()
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

/// What an end is called, and its colour.
fn look(end: End) -> (&'static str, Color) {
    match end {
        End::Done => ("ended well", BLUE),
        End::Diverged => ("diverged", ORANGE),
        End::Failed => ("failed", VERMILLION),
        End::Lost => ("lost (crossed out)", WHITE),
        End::GivenBack => ("given back", PALE),
        End::Cancelled => ("cancelled (struck out)", PALE),
        End::Running => ("still running", SKY),
    }
}

fn draw_bar(canvas: &mut Canvas, (x, y, wide, high): (f64, f64, f64, f64), kind: End, text: Option<&str>) {
    let (_, color) = look(kind);
    canvas.rect(x, y, wide, high, color, 1.0);
    match kind {
        End::Lost | End::GivenBack | End::Cancelled => {
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
        End::Cancelled => canvas.line((x, y + high), (x + wide, y), Stroke::new(SOFT, 1.0)),
        // Goes on beyond what the store knows.
        End::Running => {
            canvas.area(&[(x + wide, y), (x + wide + ARROW, y + high / 2.0), (x + wide, y + high)], color, 1.0);
        }
        End::Done | End::Diverged | End::Failed | End::GivenBack => {}
    }
    let Some(text) = text else { return };
    if matches!(kind, End::Lost | End::Cancelled) {
        let wide_text = width(text, SMALL) + 4.0;
        canvas.rect(x + (wide - wide_text) / 2.0, y + 1.0, wide_text, high - 2.0, color, 0.85);
    }
    canvas.text(x + wide / 2.0, y + high / 2.0 + 4.0, text, SMALL, Align::Middle, ink_on(color));
}

/// Only what this drawing shows is explained.
fn notes(data: &SweepData, slots: &[Slot], marks: &[Vec<Mark>], hidden: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let texts = || marks.iter().flatten().filter_map(|mark| mark.text.as_deref());
    if texts().next().is_some() {
        let again =
            if texts().any(|text| text.contains('/')) { "; after a slash, the attempt from the second on" } else { "" };
        notes.push(format!("The number in a bar is the job{again}."));
    }
    if marks.iter().flatten().any(|mark| mark.is_merged) {
        notes.push("Attempts that are too short to be told apart and end alike are one bar.".to_owned());
    }
    let ends = || slots.iter().flat_map(|slot| &slot.bars).map(|bar| bar.kind);
    let lost = ends().filter(|end| *end == End::Lost).count();
    if lost > 0 {
        notes.push(format!(
            "{lost} of {} attempts were lost: their worker was not heard of until the lease ran out, and the job was \
             tried again.",
            ends().count()
        ));
    }
    let untimed = untimed(&data.attempts);
    if untimed > 0 {
        notes.push(format!("Left out: {} with times that cannot be right.", number::plural(untimed as u64, "attempt")));
    }
    if hidden > 0 {
        notes.push(format!("The last {hidden} slots are left out."));
    }
    notes
}

/// From the left edge of a bar in the legend to its text.
fn room_of(kind: End) -> f64 {
    SWATCH + if kind == End::Running { ARROW } else { 0.0 } + 7.0
}

/// The legend in lines that fit the sheet: of each kind that is drawn its place, and how many
/// attempts ended so.
fn entries(slots: &[Slot]) -> Vec<Vec<(f64, End, String)>> {
    const BETWEEN: f64 = 24.0;
    let mut lines: Vec<Vec<(f64, End, String)>> = Vec::new();
    let mut x = SHEET;
    for kind in End::ALL {
        let count = slots.iter().flat_map(|slot| &slot.bars).filter(|bar| bar.kind == kind).count();
        if count == 0 {
            continue;
        }
        let text = format!("{}: {count}", look(kind).0);
        let wide = room_of(kind) + width(&text, LABEL);
        if x + wide > SHEET - MARGIN {
            lines.push(Vec::new());
            x = MARGIN;
        }
        if let Some(line) = lines.last_mut() {
            line.push((x, kind, text));
        }
        x += wide + BETWEEN;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::AttemptRow;

    /// `count` attempts of each outcome, one after the other in one slot; an empty one is still
    /// running.
    fn data(count: usize, outcomes: &[&str]) -> SweepData {
        let attempt = |(n, outcome): (usize, &str)| AttemptRow {
            job: n as i64 + 1,
            attempt: 1,
            worker: "w".into(),
            slot: 0,
            started_at: format!("2026-11-23T{:02}:{:02}:00.0Z", n / 60 % 24, n % 60),
            ended_at: (!outcome.is_empty()).then(|| format!("2026-11-23T{:02}:{:02}:30.0Z", n / 60 % 24, n % 60)),
            outcome: (!outcome.is_empty()).then(|| outcome.to_owned()),
            error: None,
        };
        let outcomes = outcomes.iter().flat_map(|outcome| std::iter::repeat_n(*outcome, count));
        SweepData { attempts: outcomes.enumerate().map(attempt).collect(), ..SweepData::default() }
    }

    #[test]
    fn the_legend_explains_what_is_drawn_and_nothing_else() {
        let plain = draw(&data(2, &["succeeded"])).unwrap().svg();
        assert!(plain.contains("ended well: 2") && plain.contains("The number in a bar is the job.<"), "{plain}");
        for other in ["slash", "one bar", "lost", "given back", "cancelled", "still running"] {
            assert!(!plain.contains(other), "{other} in {plain}");
        }
        let other = draw(&data(1, &["succeeded", "cancelled", "released"])).unwrap().svg();
        assert!(other.contains("cancelled (struck out): 1") && other.contains("given back: 1"), "{other}");
        let crowd = draw(&data(1400, &["succeeded"])).unwrap().svg();
        assert!(!crowd.contains("The number") && crowd.contains("are one bar"), "no bar has room for a number");
    }

    #[test]
    fn a_long_legend_goes_on_in_the_next_line() {
        let outcomes = ["succeeded", "diverged", "failed", "lost", "released", "cancelled", ""];
        let (slots, _) = slots(&data(200, &outcomes).attempts).unwrap();
        let lines = entries(&slots);
        assert!(lines.len() == 2 && lines[1][0].0 == MARGIN, "{}", lines.len());
        for (x, kind, text) in lines.iter().flatten() {
            assert!(x + room_of(*kind) + width(text, LABEL) <= SHEET - MARGIN, "{text}");
        }
    }
}
