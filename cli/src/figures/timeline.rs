//! (e) Which worker and slot ran which job when, and what became of each attempt.

use super::{
    attempts::{End, Slot, merged, slots, untimed},
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
/// More slots than this nobody tells apart on a sheet.
const MOST: usize = 600;

/// Draws the figure; nothing where no attempt was made.
pub(super) fn draw(data: &SweepData) -> Option<Canvas> {
    let (mut slots, seconds) = slots(&data.attempts)?;
    let hidden = slots.len().saturating_sub(MOST);
    slots.truncate(MOST);
    let row = (460.0 / slots.len() as f64).clamp(5.0, 26.0);
    let labels: Vec<(usize, String)> = labels(&slots, row);
    let widest = labels.iter().map(|(_, text)| width(text, SMALL)).fold(0.0, f64::max);
    let left = MARGIN + widest + 10.0;
    let (unit, name) = unit(seconds);
    let page = Page::new(data, "who ran which job when", SHEET, &notes(data, hidden));
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
        End::GivenBack => ("given back or cancelled", PALE),
        End::Running => ("still running", SKY),
    }
}

fn draw_bar(canvas: &mut Canvas, (x, y, wide, high): (f64, f64, f64, f64), kind: End, of: Option<(i64, u32)>) {
    let (_, color) = look(kind);
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

fn notes(data: &SweepData, hidden: usize) -> Vec<String> {
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
    let untimed = untimed(&data.attempts);
    if untimed > 0 {
        notes.push(format!(
            "Left out: {} with times that cannot be right.",
            crate::render::number::plural(untimed as u64, "attempt")
        ));
    }
    if hidden > 0 {
        notes.push(format!("The last {hidden} slots are left out."));
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
        let text = format!("{}: {count}", look(kind).0);
        draw_bar(canvas, (x, y - 9.0, 18.0, 11.0), kind, None);
        canvas.text(x + 31.0, y + 1.0, &text, LABEL, Align::Start, INK);
        x += 31.0 + width(&text, LABEL) + 24.0;
    }
}
