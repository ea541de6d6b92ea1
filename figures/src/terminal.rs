//! The curves in a terminal: the panels of each hyperparameter side by side, a letter for each
//! line.
//!
//! A drawing here has the size of the terminal's cells, so that every text stands in cells of its
//! own. Lines are told apart by letters, since some terminals have no colours and some eyes
//! neither.

use besom_sweep::number;

use crate::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    curves,
    data::SweepData,
    lines::{Band, Line},
    panel::{self, Panel},
    rows::{self, Row},
    style::{self, Color},
};

/// Units of one cell.
const WIDE: f64 = 8.0;
const HIGH: f64 = 16.0;
/// Rows of cells of a panel, of the text above it, and of the axis below.
const ROWS: usize = 12;
const BELOW: usize = 2;
/// Columns of the numbers left of a panel.
const NUMBERS: usize = 7;
/// Columns that stay free at the right of a panel and before its numbers.
const FREE: usize = 3;

const AXIS: Color = Color(140, 140, 140);

/// Draws the curves of a sweep as lines of text: so many columns wide, with the colours of a
/// terminal if they are wanted.
#[must_use]
pub fn draw(data: &SweepData, columns: usize, colored: bool) -> String {
    let rows = rows::rows(data);
    let all = || rows.iter().flat_map(|row| &row.lines).map(|entry| &entry.line);
    let scales = curves::scales(&rows);
    let last = all().map(|line| line.epochs).max().unwrap_or(0);
    let (title, counts) = (&data.sweep.title, data.sweep.counts);
    let (ended, jobs) = data.ended();
    let mut parts = vec![if ended == jobs {
        format!("{title}: {counts}")
    } else {
        format!("{title}: unfinished, {ended} of {} have ended; {counts}", number::plural(jobs, "job"))
    }];
    for row in &rows {
        parts.push(format!("\n{}", console::truncate_str(&row.title, columns, "…")));
        parts.push(panels(row, scales, last, columns, colored, Letters::With));
        parts.extend(key(row, columns, colored));
    }
    if data.odd > 0 {
        parts.push(format!("\nleft out: {} that no training gives", number::plural(data.odd, "stored number")));
    }
    parts.join("\n")
}

/// Draws the curves of one run as lines of text, without a title and a key: the data have this run
/// alone, and nothing is varied. Nothing where no epoch has a number to draw.
#[must_use]
pub fn draw_run(data: &SweepData, columns: usize, colored: bool) -> Option<String> {
    if columns / 2 <= NUMBERS + FREE {
        return None;
    }
    let rows = rows::rows(data);
    let row = rows.first()?;
    let line = &row.lines.first()?.line;
    line.val_accuracy.iter().chain(&line.val_loss).flatten().next()?;
    Some(panels(row, curves::scales(&rows), line.epochs, columns, colored, Letters::Without))
}

/// Whether lines have letters, which tell them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    With,
    Without,
}

fn panels(row: &Row, scales: (Scale, Scale), last: usize, columns: usize, colored: bool, letters: Letters) -> String {
    let each = columns / 2;
    let height = ROWS + BELOW;
    let mut canvas = Canvas::new(columns as f64 * WIDE, height as f64 * HIGH, "");
    let chosen = rows::shown(row);
    for (at, (name, up)) in [("val_accuracy", scales.0), ("val_loss", scales.1)].into_iter().enumerate() {
        let left = at * each + NUMBERS;
        let panel = Panel {
            x: left as f64 * WIDE + WIDE / 2.0,
            y: HIGH * 1.5,
            width: (each - NUMBERS - FREE) as f64 * WIDE,
            height: (ROWS - 2) as f64 * HIGH,
            across: panel::epochs(last),
            up,
        };
        axes(&mut canvas, &panel, left, name, last);
        let metric = |line: &Line| if at == 0 { line.val_accuracy.clone() } else { line.val_loss.clone() };
        for (look, place) in chosen.iter().enumerate() {
            let line = &row.lines[*place].line;
            let points = clipped(&panel, &metric(line));
            curves::curve(&mut canvas, &panel, line, &points, Stroke::new(style::line(look).0, 1.0));
        }
        for (look, place) in chosen.iter().enumerate().filter(|_| letters == Letters::With) {
            let line = &row.lines[*place].line;
            letter(&mut canvas, &panel, line, &metric(line), (look, chosen.len()));
        }
    }
    canvas.terminal(columns, height, colored)
}

/// Points outside the panel would be drawn over the texts around it.
fn clipped(panel: &Panel, points: &[Option<Band>]) -> Vec<Option<Band>> {
    let inside = |band: &Band| (-0.001..=1.001).contains(&panel.up.share(band.mean));
    points.iter().map(|point| point.filter(inside)).collect()
}

fn axes(canvas: &mut Canvas, panel: &Panel, left: usize, name: &str, last: usize) {
    let (x, bottom) = (left as f64 * WIDE, panel.bottom() + HIGH * 0.5);
    let text = |canvas: &mut Canvas, column: f64, row: f64, text: &str, align| {
        canvas.text(column, (row * HIGH).floor() + HIGH / 2.0, text, 12, align, AXIS);
    };
    text(canvas, x, 0.0, name, Align::Start);
    canvas.line((x, panel.y), (x, bottom), Stroke::new(AXIS, 1.0));
    canvas.line((x, bottom), (panel.x + panel.width, bottom), Stroke::new(AXIS, 1.0));
    let mut taken = f64::INFINITY;
    for (value, number) in panel.up.ticks(5) {
        let row = (panel.at_y(value) / HIGH).floor();
        if taken - row >= 1.0 {
            let start = x - WIDE * (number.chars().count() as f64 + 1.0);
            text(canvas, start, row, &number, Align::Start);
            taken = row;
        }
    }
    let row = (bottom / HIGH).floor() + 1.0;
    text(canvas, x, row, "1", Align::Start);
    let last = last.to_string();
    text(canvas, panel.x + panel.width - last.chars().count() as f64 * WIDE, row, &last, Align::Start);
    text(canvas, panel.x + panel.width / 2.0 - 3.0 * WIDE, row, "epoch", Align::Start);
}

/// On the line, each at another place along it, so that lines that end together can be told apart.
fn letter(canvas: &mut Canvas, panel: &Panel, line: &Line, points: &[Option<Band>], (look, looks): (usize, usize)) {
    let inside: Vec<(usize, Band)> =
        clipped(panel, points).iter().enumerate().filter_map(|(e, p)| Some((e, (*p)?))).collect();
    if inside.is_empty() {
        return;
    }
    let at = (look as f64 + 1.0) / (looks as f64 + 0.5) * (inside.len() - 1) as f64;
    let (entry, band) = inside[(at.round() as usize).min(inside.len() - 1)];
    let (x, y) = (panel.at_x(line.epoch(entry)), panel.at_y(band.mean));
    let cell = |place: f64, size: f64| (place / size).floor() * size;
    canvas.text(
        cell(x, WIDE),
        cell(y, HIGH) + HIGH / 2.0,
        &name(look).to_string(),
        12,
        Align::Start,
        style::line(look).0,
    );
}

fn name(look: usize) -> char {
    char::from(b'a' + (look % 26) as u8)
}

/// What each letter is, and where its line ended.
fn key(row: &Row, columns: usize, colored: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (look, place) in rows::shown(row).into_iter().enumerate() {
        let entry = &row.lines[place];
        let last = number::metric(entry.line.last_accuracy());
        let remarks = entry.line.remarks();
        let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) };
        let color = style::line(look).0;
        let letter = console::Style::new().true_color(color.0, color.1, color.2).force_styling(colored);
        let about = if entry.about.is_empty() { String::new() } else { format!(": {}", entry.about.join(", ")) };
        let name_and_about = format!("{}{about}", entry.name);
        let of = console::truncate_str(&name_and_about, columns / 2, "…");
        let text = format!("  {} {of}  {last}{remarks}", letter.apply_to(name(look)));
        match lines.last_mut() {
            Some(line) if console::measure_text_width(line) + console::measure_text_width(&text) <= columns => {
                line.push_str(&text);
            }
            _ => lines.push(text),
        }
    }
    if rows::is_many(row) {
        let (what, diverged) = (row.what, row.diverged);
        lines.push(format!("  the best of {} {what}s, by last val_accuracy; {diverged} diverged", row.all));
    }
    lines
}
