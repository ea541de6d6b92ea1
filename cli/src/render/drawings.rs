//! Drawings in the terminal: two pixels a character, in shades of grey where there are colours and
//! in blocks where not, with the guesses below.

use console::{Style, measure_text_width, pad_str, truncate_str};

use besom_figures::{Drawing, Picture, Sheet};

use crate::text::number;

/// Of a picture and the text below it, where there is room: a sketch of 28 pixels.
const CELL: usize = 28;
const GAP: usize = 2;
/// Where stdout is no terminal: three sketches.
const NO_TERMINAL: usize = 3 * CELL + 2 * GAP;

/// The sheet in at most `width` columns (`None`: no terminal), coloured or plain.
pub(crate) fn sheet(sheet: &Sheet, width: Option<usize>, colours: bool) -> String {
    let width = width.unwrap_or(NO_TERMINAL).max(8);
    let cell = CELL.min(width);
    let across = ((width + GAP) / (cell + GAP)).max(1);
    let mut text = String::new();
    for row in sheet.drawings.chunks(across) {
        let cells: Vec<Vec<String>> = row.iter().map(|drawing| lines(sheet, drawing, cell, colours)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let parts: Vec<String> = cells
                .iter()
                .map(|cell_lines| {
                    let part = cell_lines.get(line).map_or("", String::as_str);
                    pad_str(part, cell, console::Alignment::Left, None).into_owned()
                })
                .collect();
            text.push_str(parts.join(&" ".repeat(GAP)).trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// A picture, its target and the guesses, each line at most `width` wide.
fn lines(sheet: &Sheet, drawing: &Drawing, width: usize, colours: bool) -> Vec<String> {
    let style = |style: Style| style.force_styling(colours);
    let mut lines = picture(&drawing.picture.at_most(width), colours);
    let name = match drawing.target {
        Some(target) => sheet.classes[target].clone(),
        None => format!("drawing {}", drawing.sample),
    };
    lines.push(style(Style::new().bold()).apply_to(truncate_str(&name, width, "…")).to_string());
    for (model, guess) in sheet.models.iter().zip(&drawing.guesses) {
        let (mark, colour) = match drawing.is_right(guess) {
            Some(true) => ("✓ ", Style::new().green()),
            Some(false) => ("✗ ", Style::new().red()),
            None => ("", Style::new()),
        };
        let job = if sheet.models.len() > 1 { format!("job {} ", model.job) } else { String::new() };
        let (start, end) = (format!("{job}{mark}"), format!(" {}", number::percent(guess.confidence())));
        let room = width.saturating_sub(measure_text_width(&start) + measure_text_width(&end));
        let class = truncate_str(&sheet.classes[guess.class], room, "…");
        lines.push(style(colour).apply_to(format!("{start}{class}{end}")).to_string());
    }
    lines
}

fn picture(picture: &Picture, colours: bool) -> Vec<String> {
    let pairs = picture.pixels.chunks(2 * picture.width);
    pairs
        .map(|pair| {
            let (upper, lower) = pair.split_at(picture.width);
            let below = |x: usize| lower.get(x).copied().unwrap_or(0);
            let pixels = upper.iter().enumerate().map(|(x, &above)| (above, below(x)));
            if colours { shaded(pixels) } else { pixels.map(|(above, below)| block(above, below)).collect() }
        })
        .collect()
}

/// Half blocks whose two halves have their greys; the escape only where it changes.
fn shaded(pixels: impl Iterator<Item = (u8, u8)>) -> String {
    let mut text = String::new();
    let mut last = None;
    for (above, below) in pixels {
        let greys = (grey(above), grey(below));
        if last != Some(greys) {
            text.push_str(&format!("\u{1b}[38;5;{};48;5;{}m", greys.0, greys.1));
            last = Some(greys);
        }
        text.push('▀');
    }
    text.push_str("\u{1b}[0m");
    text
}

/// The nearest of the terminal's palette of 256: black, 24 greys, white.
fn grey(value: u8) -> u8 {
    match value {
        0..=3 => 16,
        247..=255 => 231,
        _ => (232 + (u32::from(value).saturating_sub(3) / 10).min(23)) as u8,
    }
}

/// Without colours: bright halves as blocks, faint pairs as a shade.
fn block(above: u8, below: u8) -> char {
    match (above >= 128, below >= 128) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => match u16::from(above) + u16::from(below) {
            0..48 => ' ',
            48..128 => '░',
            _ => '▒',
        },
    }
}

#[cfg(test)]
mod tests {
    use besom_figures::{Guess, Model};

    use super::*;

    fn example(models: usize) -> Sheet {
        let guess = |class: usize| {
            let mut probabilities = vec![0.25, 0.25];
            probabilities[class] = 0.75;
            Guess { class, probabilities }
        };
        Sheet {
            title: "x".into(),
            synthetic: false,
            models: (0..models)
                .map(|n| Model { job: 12 + n as i64, about: String::new(), val_accuracy: None })
                .collect(),
            classes: vec!["ant".into(), "The Great Wall of China".into()],
            drawings: (0..3)
                .map(|sample| Drawing {
                    sample,
                    picture: Picture {
                        width: 4,
                        height: 3,
                        pixels: [[255, 0, 255, 0], [255, 255, 0, 90], [0; 4]].concat(),
                    },
                    target: Some(0),
                    guesses: (0..models).map(guess).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn blocks_show_bright_and_faint_pixels() {
        let text = sheet(&example(1), Some(28), false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..5], ["█▄▀░", "", "ant", "✓ ant 75 %", ""]);
    }

    #[test]
    fn a_wrong_guess_is_marked_and_long_names_make_room_for_the_confidence() {
        let text = sheet(&example(2), Some(20), false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3..5], ["job 12 ✓ ant 75 %", "job 13 ✗ The G… 75 %"]);
        assert!(text.lines().all(|line| measure_text_width(line) <= 20), "{text}");
    }

    #[test]
    fn drawings_stand_side_by_side_where_there_is_room() {
        let wide = sheet(&example(1), Some(60), false);
        assert!(wide.lines().nth(2).unwrap().matches("ant").count() == 2, "{wide}");
        let coloured = sheet(&example(1), Some(60), true);
        assert!(coloured.contains("\u{1b}[38;5;231;48;5;231m▀") && coloured.contains("\u{1b}[32m"), "{coloured}");
        let plain: Vec<String> = coloured.lines().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert!(plain.iter().all(|line| measure_text_width(line) <= 60), "{plain:?}");
    }
}
