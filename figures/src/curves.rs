//! (a) Validation accuracy and loss by epoch: a pair of panels for each swept hyperparameter, a
//! line for each value; in a large grid a pair for the runs as well.

use crate::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    data::SweepData,
    lines::{Band, Kind, Line},
    page::{MARGIN, Page, heading},
    panel::{self, Panel},
    rows::{Entry, Row, is_many, rows, shown, thin},
    style::{self, BLUE, Color, INK, LABEL, SMALL, SOFT, VERMILLION, fit, listed},
};

const PANEL: f64 = 350.0;
const LEAST_HEIGHT: f64 = 210.0;
const KEY: f64 = 250.0;
/// From the sheet's margin to the first panel, and between the two: numbers and the axis' name.
const LEFT: f64 = 66.0;
const ABOVE: f64 = 34.0;
const BELOW: f64 = 50.0;
const ENTRY: f64 = 19.0;
const REMARK: f64 = 14.0;
const FIRST_ENTRY: f64 = 24.0;
/// From the key's left edge to its texts.
const TEXT: f64 = 38.0;
/// Lines of text below an entry, at most.
const ABOUT: usize = 6;
/// Of more lines than this the highest losses may leave the panel, which a few would flatten: so
/// many stay inside.
const CROWD: usize = 50;
const LOSSES: f64 = 0.98;

/// Draws the figure; nothing where no run has an epoch.
pub(crate) fn draw(data: &SweepData) -> Option<Canvas> {
    let rows = rows(data);
    let all = || rows.iter().flat_map(|row| &row.lines).map(|entry| &entry.line);
    let last = all().map(|line| line.epochs).max().filter(|last| *last > 0)?;
    let page = Page::new(data, "validation accuracy and loss by epoch", width(), &notes(data, &rows));
    let heights: Vec<f64> = rows.iter().map(|row| LEAST_HEIGHT.max(key_height(row))).collect();
    let mut canvas = page.canvas(heights.iter().map(|height| height + ABOVE + BELOW).sum());
    let (accuracy, loss) = scales(&rows);
    let mut y = page.top();
    for (row, height) in rows.iter().zip(heights) {
        heading(&mut canvas, MARGIN, y + 20.0, &row.title, page.width - 2.0 * MARGIN);
        let panel = |column: f64, up| Panel {
            x: MARGIN + LEFT + column * (PANEL + LEFT),
            y: y + ABOVE,
            width: PANEL,
            height,
            across: panel::epochs(last),
            up,
        };
        let panels = [panel(0.0, accuracy), panel(1.0, loss)];
        for (panel, name) in panels.iter().zip(["val_accuracy (share correct)", "val_loss (cross-entropy)"]) {
            panel.left_axis(&mut canvas, name);
            panel.epoch_axis(&mut canvas);
        }
        lines_of(&mut canvas, row, &panels);
        key(&mut canvas, row, panels[1].x + PANEL + 22.0, y + ABOVE);
        y += height + ABOVE + BELOW;
    }
    Some(canvas)
}

fn width() -> f64 {
    2.0 * MARGIN + 2.0 * (LEFT + PANEL) + 22.0 + KEY
}

/// Of both metrics, over all rows, so that panels can be compared. Diverged lines may leave them:
/// they would flatten all others.
pub(crate) fn scales(rows: &[Row]) -> (Scale, Scale) {
    let drawn = drawn(rows);
    let ends = |banded: bool, band: &Band| if banded { [band.low, band.mean, band.high] } else { [band.mean; 3] };
    let numbers = |metric: fn(&Line) -> &[Option<Band>]| -> Vec<f64> {
        let of = |(banded, line): &(bool, &Line)| {
            let banded = *banded;
            metric(line).iter().flatten().flat_map(move |band| ends(banded, band)).collect::<Vec<_>>()
        };
        drawn.iter().flat_map(of).collect()
    };
    let (accuracy, mut loss) = (numbers(|line| &line.val_accuracy), numbers(|line| &line.val_loss));
    if drawn.len() > CROWD {
        loss.sort_by(f64::total_cmp);
        loss.truncate((loss.len() as f64 * LOSSES).ceil() as usize);
    }
    (Scale::shares(&accuracy, 0.05), Scale::around(&loss, 0.05).clamped(0.0, f64::INFINITY))
}

/// The lines that the panels are made for, and whether each has a band: without diverged ones, if
/// there are others.
fn drawn(rows: &[Row]) -> Vec<(bool, &Line)> {
    let of = |row: &'_ Row| row.has_bands && !is_many(row);
    let all = || rows.iter().flat_map(move |row| row.lines.iter().map(move |entry| (of(row), entry)));
    let steady = all().any(|(_, entry)| matches!(entry.line.kind, Kind::Finished | Kind::Running));
    all()
        .flat_map(|(banded, entry)| std::iter::once(&entry.line).chain(&entry.best).map(move |line| (banded, line)))
        .filter(|(_, line)| !steady || line.kind != Kind::Diverged)
        .collect()
}

fn notes(data: &SweepData, rows: &[Row]) -> Vec<String> {
    let values = || rows.iter().filter(|row| row.what == "value");
    let lines = || rows.iter().flat_map(|row| &row.lines).map(|entry| &entry.line);
    let mut notes = Vec::new();
    if lines().any(|line| line.runs > 1) {
        let (mean, band) = if data.one_at_a_time || data.parameters.is_empty() {
            ("over the seeds", "goes from the lowest seed to the highest")
        } else {
            ("over all runs with the value", "holds the middle 80 % of them")
        };
        let has_bands = values().any(|row| row.has_bands && !is_many(row));
        let band = if has_bands { format!(", its band {band}") } else { String::new() };
        let what = if values().count() < rows.len() { "A value's line" } else { "A line" };
        notes.push(format!("{what} is the mean {mean}{band}."));
    }
    if rows.iter().flat_map(|row| &row.lines).any(|entry| entry.best.is_some()) {
        notes.push(
            "The thin line of the same colour and dash is the best run with the value, by its last val_accuracy."
                .to_owned(),
        );
    }
    if lines().any(|line| line.prolonged) {
        notes.push("Runs that ended early count with their last epoch in the epochs after it.".to_owned());
    }
    if lines().any(|line| line.kind == Kind::Diverged) {
        notes.push("A cross ends the line of runs that diverged: their loss was no longer finite.".to_owned());
    }
    if data.stride > 1 {
        notes.push(format!(
            "Of every {} epochs the lowest and the highest are drawn; a line ends with its last one.",
            2 * data.stride
        ));
    }
    let of_many = |what: &str| rows.iter().any(|row| row.what == what && is_many(row));
    let many = [("run", "runs"), ("value", "values")].iter().filter(|(what, _)| of_many(what));
    let many: Vec<&str> = many.map(|(_, word)| *word).collect();
    if !many.is_empty() {
        let many = many.join(" or all ");
        notes.push(format!("Faint lines are all {many}; those with the best last val_accuracy stand out."));
    }
    let every = rows.iter().map(|row| style::thinned(row.all)).max().unwrap_or(1);
    if every > 1 {
        notes.push(format!("One faint line in {every} is drawn."));
    }
    if drawn(rows).len() > CROWD {
        notes.push("The highest 2 % of the losses are beyond the panel.".to_owned());
    }
    notes
}

/// How a line looks, by its place in the row.
fn looks(row: &Row) -> Vec<(usize, Color, Option<&'static str>)> {
    shown(row).into_iter().enumerate().map(|(look, at)| (at, style::line(look).0, style::line(look).1)).collect()
}

fn lines_of(canvas: &mut Canvas, row: &Row, panels: &[Panel; 2]) {
    let looks = looks(row);
    let metric = |line: &'_ Line, at: usize| if at == 0 { line.val_accuracy.clone() } else { line.val_loss.clone() };
    for (at, panel) in panels.iter().enumerate() {
        canvas.within(panel.x, panel.y - 2.0, panel.width + 3.0, panel.height + 4.0, |canvas| {
            if is_many(row) {
                let thin = thin(row);
                let opacity = (60.0 / thin.len() as f64).clamp(0.06, 0.5);
                for entry in thin.iter().map(|place| &row.lines[*place]) {
                    let color = if entry.line.kind == Kind::Diverged { VERMILLION } else { BLUE };
                    let stroke = Stroke::new(color, 0.8).faint(opacity);
                    curve(canvas, panel, &entry.line, &metric(&entry.line, at), stroke);
                }
            } else if row.has_bands {
                let opacity = match row.lines.len() {
                    0..=3 => 0.12,
                    4 | 5 => 0.09,
                    _ => 0.06,
                };
                for (place, color, _) in &looks {
                    let line = &row.lines[*place].line;
                    band(canvas, panel, line, &metric(line, at), *color, opacity);
                }
            }
            // The best on top; of few lines the dashed ones, so that lines that coincide are all
            // seen.
            let mut order: Vec<usize> = (0..looks.len()).collect();
            if is_many(row) {
                order.reverse();
            }
            for look in order {
                let (place, color, dash) = looks[look];
                let entry = &row.lines[place];
                let points = metric(&entry.line, at);
                let best = entry.best.as_ref().map(|best| (best, metric(best, at)));
                let stroke = Stroke::new(color, 2.0).dashed(dash);
                match points[..] {
                    [Some(band)] if is_lone(panel) => {
                        let x = place_of(panel, 1.0, look, looks.len());
                        if row.has_bands {
                            let ends = (panel.inside_y(band.low), panel.inside_y(band.high));
                            canvas.line((x, ends.0), (x, ends.1), stroke.faint(0.4));
                        }
                        canvas.dot(x, panel.inside_y(band.mean), 4.0, color, 1.0);
                        if let Some((_, [Some(best)])) = best.as_ref().map(|(best, points)| (best, &points[..])) {
                            canvas.ring(x, panel.inside_y(best.mean), 3.0, Stroke::new(color, 1.2));
                        }
                    }
                    _ => {
                        if let Some((best, points)) = best {
                            curve(canvas, panel, best, &points, Stroke { width: 0.9, ..stroke });
                        }
                        curve(canvas, panel, &entry.line, &points, stroke);
                    }
                }
            }
        });
        // Above everything, and over the panel's edge where the line left it.
        let places: Vec<(usize, Color)> = if is_many(row) {
            thin(row).into_iter().map(|place| (place, VERMILLION)).collect()
        } else {
            looks.iter().map(|(place, color, _)| (*place, *color)).collect()
        };
        let count = if is_many(row) { 1 } else { places.len() };
        for (look, (place, color)) in places.into_iter().enumerate() {
            if row.lines[place].line.kind != Kind::Diverged {
                continue;
            }
            let points = metric(&row.lines[place].line, at);
            if let Some((epoch, last)) = points.iter().enumerate().filter_map(|(e, p)| p.map(|p| (e, p))).next_back() {
                let x = place_of(panel, row.lines[place].line.epoch(epoch), look.min(count - 1), count);
                canvas.cross(x, panel.inside_y(last.mean), 4.0, Stroke::new(color, 1.8));
            }
        }
    }
}

/// Whether there is but one epoch.
fn is_lone(panel: &Panel) -> bool {
    matches!(panel.across, Scale::Linear { low, .. } if low < 1.0)
}

/// The place of an epoch. Where there is but one, the lines stand side by side, in the order of the
/// key: dots have no dashes to tell them apart.
fn place_of(panel: &Panel, epoch: f64, look: usize, looks: usize) -> f64 {
    let shift = if is_lone(panel) { (look as f64 - (looks - 1) as f64 / 2.0) * 16.0 } else { 0.0 };
    panel.at_x(epoch) + shift
}

/// The points of a line, broken where an epoch has no number; a lone epoch is a dot.
pub(crate) fn curve(canvas: &mut Canvas, panel: &Panel, line: &Line, points: &[Option<Band>], stroke: Stroke) {
    let place = |(entry, band): (usize, &Option<Band>)| {
        // Beyond a screen's height nothing is seen, and some readers of SVG stumble over huge
        // numbers.
        let far = 3.0 * panel.height;
        band.map(|band| {
            (panel.at_x(line.epoch(entry)), panel.at_y(band.mean).clamp(panel.y - far, panel.bottom() + far))
        })
    };
    let places: Vec<Option<(f64, f64)>> = points.iter().enumerate().map(place).collect();
    for piece in places.split(Option::is_none) {
        let piece: Vec<(f64, f64)> = piece.iter().copied().flatten().collect();
        match piece[..] {
            [] => {}
            [(x, y)] => canvas.dot(x, y, stroke.width * 1.5, stroke.color, stroke.opacity),
            _ => canvas.polyline(&piece, stroke),
        }
    }
}

fn band(canvas: &mut Canvas, panel: &Panel, line: &Line, points: &[Option<Band>], color: Color, opacity: f64) {
    for (start, piece) in pieces(points) {
        if piece.iter().all(|band| band.high <= band.low) {
            continue;
        }
        let edge = |(at, value): (usize, f64)| (panel.at_x(line.epoch(start + at)), panel.inside_y(value));
        let upper = piece.iter().map(|band| band.high).enumerate().map(edge);
        let lower = piece.iter().map(|band| band.low).enumerate().rev().map(edge);
        canvas.area(&upper.chain(lower).collect::<Vec<_>>(), color, opacity);
    }
}

fn pieces(points: &[Option<Band>]) -> Vec<(usize, Vec<Band>)> {
    let mut pieces: Vec<(usize, Vec<Band>)> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let Some(band) = point else { continue };
        match pieces.last_mut() {
            Some((start, piece)) if *start + piece.len() == at => piece.push(*band),
            _ => pieces.push((at, vec![*band])),
        }
    }
    pieces
}

fn key_height(row: &Row) -> f64 {
    let looks = looks(row);
    let below = looks.iter().map(|(at, ..)| &row.lines[*at]);
    let below: usize = below.map(|entry| about(entry).len() + entry.line.remarks().len()).sum();
    let others = if is_many(row) { 2.0 * ENTRY } else { 0.0 };
    FIRST_ENTRY + looks.len() as f64 * ENTRY + below as f64 * REMARK + others
}

/// The lines of text below an entry's name.
fn about(entry: &Entry) -> Vec<String> {
    listed(&entry.about, SMALL, KEY - TEXT, ABOUT)
}

/// Beside the panels: what each line is, and where it ended.
fn key(canvas: &mut Canvas, row: &Row, x: f64, y: f64) {
    let right = x + KEY;
    let text = x + TEXT;
    let title = match (is_many(row), row.what) {
        (true, what) => format!("best {} of {} {what}s", looks(row).len(), row.all),
        (false, what) => what.to_owned(),
    };
    canvas.text(x, y + 9.0, &title, SMALL, Align::Start, SOFT);
    canvas.text(right, y + 9.0, "last val_accuracy", SMALL, Align::End, SOFT);
    let mut y = y + FIRST_ENTRY + 4.0;
    for (at, color, dash) in looks(row) {
        let entry = &row.lines[at];
        let (name, line) = (&entry.name, &entry.line);
        canvas.line((x, y - 4.0), (x + 30.0, y - 4.0), Stroke::new(color, 2.0).dashed(dash));
        if line.kind == Kind::Diverged {
            canvas.cross(x + 30.0, y - 4.0, 4.0, Stroke::new(color, 1.8));
        }
        let last = line.last_accuracy().map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        canvas.text(text, y, &fit(name, LABEL, right - text - 60.0), LABEL, Align::Start, INK);
        canvas.text(right, y, &last, LABEL, Align::End, INK);
        for about in about(entry) {
            y += REMARK;
            canvas.text(text, y, &about, SMALL, Align::Start, SOFT);
        }
        for remark in line.remarks() {
            y += REMARK;
            canvas.text(text, y, &remark, SMALL, Align::Start, VERMILLION);
        }
        y += ENTRY;
    }
    if is_many(row) {
        let others = row.all - looks(row).len() - row.diverged;
        for (count, what, color) in [(others, "others", BLUE), (row.diverged, "diverged", VERMILLION)] {
            if count > 0 {
                canvas.line((x, y - 4.0), (x + 30.0, y - 4.0), Stroke::new(color, 0.8).faint(0.6));
                canvas.text(text, y, &format!("{count} {what}"), LABEL, Align::Start, SOFT);
                y += ENTRY;
            }
        }
    }
}
