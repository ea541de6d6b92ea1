//! A sheet of drawings: each with its target and, below, what every model takes it for, how sure it
//! is, and whether that is wrong.
//!
//! Wrong guesses differ by mark and colour; a bar shows the confidence.

use besom_sweep::number;

use crate::{
    canvas::{Align, Canvas},
    letters,
    sheet::{Drawing, Picture, Sheet},
    style::{self, BLUE, Color, HEADING, INK, PALE, SMALL, SOFT, TITLE, VERMILLION},
};

const MARGIN: f64 = 24.0;
/// Of a picture, at most; a sketch of 28 pixels fills it with six units a pixel.
const PICTURE: f64 = 168.0;
/// From one drawing to the next.
const PITCH: f64 = 194.0;
/// Below a drawing: its target, a line and a bar for each guess, and air.
const TARGET: f64 = 22.0;
const GUESS: f64 = 34.0;
const BAR: f64 = 6.0;
const AIR: f64 = 22.0;
/// Right of a bar: `100 %`.
const SHARE: f64 = 40.0;
/// Drawings of a row; more rows than six make wider ones.
const ACROSS: usize = 5;
const ROWS: usize = 6;

/// Draws a sheet of drawings with what models take them for.
#[must_use]
pub fn draw(sheet: &Sheet) -> Canvas {
    let count = sheet.drawings.len();
    let across = ACROSS.max(count.div_ceil(ROWS).min(2 * ACROSS)).min(count.max(3));
    let head = heading(sheet);
    let line = f64::from(SMALL) * 1.5;
    let top = MARGIN + f64::from(TITLE) + 8.0 + head.len() as f64 * line + 14.0;
    let pitch = PICTURE + TARGET + GUESS * sheet.models.len() as f64 + AIR;
    let width = 2.0 * MARGIN + across as f64 * PITCH - (PITCH - PICTURE);
    let height = top + count.div_ceil(across) as f64 * pitch - AIR + MARGIN;
    let mut canvas = Canvas::new(width, height, &sheet.title);
    let room = width - 2.0 * MARGIN;
    let y = MARGIN + f64::from(TITLE) * 0.8;
    canvas.text(MARGIN, y, &style::fit(&sheet.title, TITLE, room), TITLE, Align::Start, INK);
    for (n, text) in head.iter().enumerate() {
        let y = MARGIN + f64::from(TITLE) + 8.0 + (n as f64 + 0.8) * line;
        canvas.text(MARGIN, y, &style::fit(text, SMALL, room), SMALL, Align::Start, SOFT);
    }
    let names = letters::distinct(&sheet.classes);
    for (place, drawing) in sheet.drawings.iter().enumerate() {
        let x = MARGIN + (place % across) as f64 * PITCH;
        cell(&mut canvas, (sheet, &names), drawing, x, top + (place / across) as f64 * pitch);
    }
    canvas
}

/// What each model is, how it did on these drawings, and how to read them.
fn heading(sheet: &Sheet) -> Vec<String> {
    let mut lines: Vec<String> = (0..sheet.models.len()).map(|model| sheet.line(model)).collect();
    if sheet.drawings.iter().any(|drawing| drawing.target.is_some()) {
        let guesses = if sheet.models.len() > 1 { "each job's guess" } else { "the model's guess" };
        lines.push(format!("Below each drawing: what it is, then {guesses} with its confidence; ✗ is wrong."));
    }
    lines
}

fn cell(canvas: &mut Canvas, (sheet, names): (&Sheet, &[String]), drawing: &Drawing, x: f64, y: f64) {
    picture(canvas, &drawing.picture.at_most(PICTURE as usize), x, y);
    let mut y = y + PICTURE;
    let name = match drawing.target {
        Some(target) => names[target].clone(),
        None => format!("drawing {}", drawing.sample),
    };
    canvas.text(x, y + 17.0, &style::fit(&name, HEADING, PITCH - 12.0), HEADING, Align::Start, INK);
    y += TARGET;
    for (model, guess) in sheet.models.iter().zip(&drawing.guesses) {
        let (mark, text, bar) = match drawing.is_right(guess) {
            Some(true) => ("✓ ", INK, BLUE),
            Some(false) => ("✗ ", VERMILLION, VERMILLION),
            None => ("", INK, BLUE),
        };
        let job = if sheet.models.len() > 1 { format!("job {}  ", model.job) } else { String::new() };
        let base = y + 13.0;
        let mut start = x;
        for (part, color) in [(job.as_str(), SOFT), (mark, text)] {
            canvas.text(start, base, part.trim_end(), SMALL, Align::Start, color);
            start += style::width(part, SMALL);
        }
        let class = style::fit(&names[guess.class], SMALL, x + PITCH - 8.0 - start);
        canvas.text(start, base, &class, SMALL, Align::Start, text);
        let (top, full) = (base + 7.0, PICTURE - SHARE);
        canvas.rect(x, top, full, BAR, PALE, 1.0);
        canvas.rect(x, top, full * guess.confidence(), BAR, bar, 1.0);
        let share = number::percent(guess.confidence());
        canvas.text(x + PICTURE, top + BAR + 1.0, &share, SMALL, Align::End, text);
        y += GUESS;
    }
}

/// Pixels as rectangles on black, as large as whole units allow and centred; equal neighbours are
/// one rectangle.
fn picture(canvas: &mut Canvas, picture: &Picture, x: f64, y: f64) {
    canvas.rect(x, y, PICTURE, PICTURE, Color(0, 0, 0), 1.0);
    let size = (PICTURE / picture.width.max(picture.height) as f64).floor();
    let left = x + ((PICTURE - size * picture.width as f64) / 2.0).floor();
    let top = y + ((PICTURE - size * picture.height as f64) / 2.0).floor();
    for (row, pixels) in picture.pixels.chunks_exact(picture.width).enumerate() {
        let mut column = 0;
        for run in pixels.chunk_by(|a, b| a == b) {
            if run[0] > 0 {
                let (x, y) = (left + size * column as f64, top + size * row as f64);
                canvas.rect(x, y, size * run.len() as f64, size, Color(run[0], run[0], run[0]), 1.0);
            }
            column += run.len();
        }
    }
}
