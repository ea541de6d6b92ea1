//! The sheet that every figure stands on: its title, how far the sweep is, and below what the marks
//! mean.

use besom_sweep::number;

use crate::{
    canvas::{Align, Canvas},
    data::SweepData,
    style::{HEADING, INK, LABEL, SMALL, SOFT, TITLE, VERMILLION, fit, width, wrap},
};

/// Left and right of everything.
pub(crate) const MARGIN: f64 = 24.0;
const LINE: f64 = 16.0;

/// A sheet of a given width; the body's height is known later.
pub(crate) struct Page {
    pub(crate) width: f64,
    title: String,
    about: Vec<String>,
    warning: Vec<String>,
    notes: Vec<String>,
}

impl Page {
    /// For a figure of `what`, with notes that stand below it.
    pub(crate) fn new(data: &SweepData, what: &str, sheet: f64, notes: &[String]) -> Self {
        let room = sheet - 2.0 * MARGIN;
        let sweep = &data.sweep;
        let counts = sweep.counts;
        let seeds = number::plural(data.seeds as u64, "seed");
        let method = fit(&sweep.method, LABEL, room / 2.0);
        let (ended, all) = data.ended();
        let (about, warning) = if ended == all {
            (format!("{method}, {seeds}; {}: {counts}", number::plural(all, "job")), String::new())
        } else {
            let state = &sweep.state;
            let warning = format!("unfinished ({state}): {ended} of {all} jobs have ended; {counts}");
            (format!("{method}, {seeds}"), warning)
        };
        Self {
            width: sheet,
            title: format!("{}: {what}", fit(&sweep.title, TITLE, room - width(&format!(": {what}"), TITLE))),
            about: wrap(&about, LABEL, room),
            warning: wrap(&warning, LABEL, room),
            notes: notes.iter().cloned().chain(odd(data)).flat_map(|note| wrap(&note, SMALL, room)).collect(),
        }
    }

    /// Where the body begins.
    pub(crate) fn top(&self) -> f64 {
        44.0 + (self.about.len() + self.warning.len()) as f64 * LINE
    }

    /// The sheet with all but its body, which is so high.
    pub(crate) fn canvas(&self, body: f64) -> Canvas {
        let end = self.top() + body;
        let notes = if self.notes.is_empty() { 0.0 } else { 8.0 + self.notes.len() as f64 * LINE };
        let mut canvas = Canvas::new(self.width, end + notes + 14.0, &self.title);
        canvas.text(MARGIN, 32.0, &self.title, TITLE, Align::Start, INK);
        let mut y = 52.0;
        for (lines, color) in [(&self.about, SOFT), (&self.warning, VERMILLION)] {
            for line in lines {
                canvas.text(MARGIN, y, line, LABEL, Align::Start, color);
                y += LINE;
            }
        }
        for (index, note) in self.notes.iter().enumerate() {
            canvas.text(MARGIN, end + 18.0 + index as f64 * LINE, note, SMALL, Align::Start, SOFT);
        }
        canvas
    }
}

/// What is not drawn though it is stored.
fn odd(data: &SweepData) -> Option<String> {
    (data.odd > 0).then(|| {
        format!(
            "Left out: {} that no training gives (a share below 0 or above 1, a loss below 0 or beyond 3.4e38); \
             `besom export` has them.",
            number::plural(data.odd, "stored number")
        )
    })
}

/// A heading above a panel, and how wide it is.
pub(crate) fn heading(canvas: &mut Canvas, x: f64, y: f64, text: &str, room: f64) -> f64 {
    let text = fit(text, HEADING, room);
    canvas.text(x, y, &text, HEADING, Align::Start, INK);
    width(&text, HEADING)
}
