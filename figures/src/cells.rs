//! A drawing in the cells of a terminal: letters above lines of box characters above curves of
//! Braille dots.
//!
//! Only what the curves are made of is drawn: upright texts, lines, curves and dots.

use std::fmt::Write;

use crate::{
    shape::{Align, Scene, Shape},
    style::Color,
};

/// Letters, whatever is said about their colour: light enough for a dark terminal, dark enough for
/// a light one.
const TEXT: Color = Color(176, 176, 176);
/// From a text's baseline to the middle of its capitals, for each unit of its size.
const MIDDLE: f64 = 0.3645;

/// The four ends of lines that may meet in a cell, and the characters for each set of them.
const TOP: u8 = 1;
const RIGHT: u8 = 2;
const BOTTOM: u8 = 4;
const LEFT: u8 = 8;
const BOXES: [char; 16] = [' ', '╵', '╶', '└', '╷', '│', '┌', '├', '╴', '┘', '─', '┴', '┐', '┤', '┬', '┼'];
/// The bits of a Braille character's dots, by column and row.
const DOTS: [[u8; 4]; 2] = [[1, 2, 4, 64], [8, 16, 32, 128]];

/// The drawing as `rows` lines of at most `columns` characters.
pub(crate) fn draw(scene: &Scene, columns: usize, rows: usize, colored: bool) -> String {
    let empty = Cell { letter: None, line: (0, TEXT), dots: (0, TEXT) };
    let unit = (scene.width / columns as f64, scene.height / rows as f64);
    let mut cells = Cells { columns, rows, unit, cells: vec![empty; columns * rows] };
    cells.shapes(&scene.shapes);
    cells.text(colored)
}

/// What stands in one cell, each with its colour.
#[derive(Clone, Copy)]
struct Cell {
    letter: Option<(char, Color)>,
    line: (u8, Color),
    dots: (u8, Color),
}

impl Cell {
    /// The topmost.
    fn shown(self) -> Option<(char, Color)> {
        let line = (self.line.0 != 0).then(|| (BOXES[usize::from(self.line.0)], self.line.1));
        let dots = || char::from_u32(0x2800 + u32::from(self.dots.0)).filter(|_| self.dots.0 != 0);
        self.letter.or(line).or_else(|| Some((dots()?, self.dots.1)))
    }
}

/// All cells, row by row.
struct Cells {
    columns: usize,
    rows: usize,
    /// Units of the drawing in a cell.
    unit: (f64, f64),
    cells: Vec<Cell>,
}

impl Cells {
    fn shapes(&mut self, shapes: &[Shape]) {
        for shape in shapes {
            match shape {
                Shape::Text { x, y, text, size, align, turn: None, .. } => {
                    self.letters(*x, y - MIDDLE * f64::from(*size), text, *align);
                }
                Shape::Line { from, to, stroke } if (from.1 - to.1).abs() < 0.5 => {
                    let row = self.row(from.1);
                    let ends = (self.column(from.0.min(to.0)), self.column(from.0.max(to.0)));
                    self.straight(ends, (RIGHT, LEFT), stroke.color, |column| (column, row));
                }
                Shape::Line { from, to, stroke } if (from.0 - to.0).abs() < 0.5 => {
                    let column = self.column(from.0);
                    let ends = (self.row(from.1.min(to.1)), self.row(from.1.max(to.1)));
                    self.straight(ends, (BOTTOM, TOP), stroke.color, |row| (column, row));
                }
                Shape::Line { from, to, stroke } => self.curve(&[*from, *to], stroke.color),
                Shape::Path { points, stroke } => self.curve(points, stroke.color),
                Shape::Circle { x, y, radius, color, .. } => self.disc((*x, *y), *radius, *color),
                Shape::Clip { shapes, .. } => self.shapes(shapes),
                Shape::Text { .. } | Shape::Area { .. } | Shape::Rect { .. } => {}
            }
        }
    }

    fn column(&self, x: f64) -> isize {
        (x / self.unit.0).floor() as isize
    }

    fn row(&self, y: f64) -> isize {
        (y / self.unit.1).floor() as isize
    }

    /// The cell at this place, if it is inside.
    fn at(&mut self, column: isize, row: isize) -> Option<&mut Cell> {
        let (column, row) = (usize::try_from(column).ok()?, usize::try_from(row).ok()?);
        let inside = column < self.columns && row < self.rows;
        inside.then(|| &mut self.cells[row * self.columns + column])
    }

    fn letters(&mut self, x: f64, y: f64, text: &str, align: Align) {
        let (column, row, length) = (self.column(x), self.row(y), text.chars().count() as isize);
        let first = match align {
            Align::Start => column,
            Align::Middle => column - length / 2,
            Align::End => column - length,
        };
        for (place, letter) in (first..).zip(text.chars()) {
            if let Some(cell) = self.at(place, row) {
                cell.letter = Some((letter, TEXT));
            }
        }
    }

    /// From the first to the last of `ends` along one axis: `halves` are what a line has in its
    /// first and in its last cell, and both between them.
    fn straight(
        &mut self,
        ends: (isize, isize),
        halves: (u8, u8),
        color: Color,
        place: impl Fn(isize) -> (isize, isize),
    ) {
        for along in ends.0..=ends.1 {
            let (column, row) = place(along);
            let Some(cell) = self.at(column, row) else { continue };
            cell.line.0 |= match along {
                _ if ends.0 == ends.1 => halves.0 | halves.1,
                first if first == ends.0 => halves.0,
                last if last == ends.1 => halves.1,
                _ => halves.0 | halves.1,
            };
            cell.line.1 = color;
        }
    }

    /// The dot that holds the point; a cell has two columns and four rows of them.
    fn dot_of(&self, (x, y): (f64, f64)) -> (isize, isize) {
        // As in an SVG, a hundredth of a unit counts: a curve must not touch another dot for less.
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        ((rounded(x) * 2.0 / self.unit.0).floor() as isize, (rounded(y) * 4.0 / self.unit.1).floor() as isize)
    }

    fn dot(&mut self, (x, y): (isize, isize), color: Color) {
        let bit = DOTS[x.rem_euclid(2) as usize][y.rem_euclid(4) as usize];
        if let Some(cell) = self.at(x.div_euclid(2), y.div_euclid(4)) {
            cell.dots = (cell.dots.0 | bit, color);
        }
    }

    /// Bresenham's line from dot to dot.
    fn curve(&mut self, points: &[(f64, f64)], color: Color) {
        for pair in points.windows(2) {
            let (mut at, end) = (self.dot_of(pair[0]), self.dot_of(pair[1]));
            let (wide, high) = ((end.0 - at.0).abs(), (end.1 - at.1).abs());
            let step = ((end.0 - at.0).signum(), (end.1 - at.1).signum());
            let mut error = wide - high;
            loop {
                self.dot(at, color);
                if at == end {
                    break;
                }
                let twice = 2 * error;
                if twice > -high {
                    error -= high;
                    at.0 += step.0;
                }
                if twice < wide {
                    error += wide;
                    at.1 += step.1;
                }
            }
        }
    }

    /// All dots of which the corner is inside the circle.
    fn disc(&mut self, (x, y): (f64, f64), radius: f64, color: Color) {
        let (wide, high) = (self.unit.0 / 2.0, self.unit.1 / 4.0);
        let range = |middle: f64, size: f64, most: usize| {
            let dot = |place: f64| (place / size).floor() as isize;
            dot(middle - radius).max(0)..=dot(middle + radius).min(most as isize - 1)
        };
        for column in range(x, wide, 2 * self.columns) {
            for row in range(y, high, 4 * self.rows) {
                let (across, up) = (column as f64 * wide - x, row as f64 * high - y);
                if across.powi(2) + up.powi(2) <= radius * radius {
                    self.dot((column, row), color);
                }
            }
        }
    }

    /// The lines without what is empty at their ends. Colours end with each stretch of them, and
    /// once more below.
    fn text(&self, colored: bool) -> String {
        const RESET: &str = "\x1b[0m";
        let mut text = String::new();
        for row in self.cells.chunks(self.columns) {
            let (mut line, mut last) = (String::new(), None);
            for cell in row {
                let shown = cell.shown();
                let color = shown.map(|(_, color)| color).filter(|_| colored);
                if color != last {
                    match color {
                        Some(Color(red, green, blue)) => {
                            let _ = write!(line, "\x1b[38;2;{red};{green};{blue}m");
                        }
                        None => line.push_str(RESET),
                    }
                    last = color;
                }
                line.push(shown.map_or(' ', |(letter, _)| letter));
            }
            line.push_str(if last.is_some() { RESET } else { "" });
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push_str(if colored { RESET } else { "" });
        text.truncate(text.strip_suffix('\n').map_or(text.len(), str::len));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shape::Stroke, style::INK};

    /// Four by two cells of one unit.
    fn drawn(shapes: Vec<Shape>, colored: bool) -> String {
        let scene = Scene { width: 4.0, height: 2.0, title: String::new(), shapes };
        draw(&scene, 4, 2, colored).trim_end().to_owned()
    }

    fn line(from: (f64, f64), to: (f64, f64)) -> Shape {
        Shape::Line { from, to, stroke: Stroke::new(Color(1, 2, 3), 1.0) }
    }

    #[test]
    fn lines_meet_in_one_character_and_letters_stand_above_them() {
        let cross = || vec![line((0.5, 0.5), (3.5, 0.5)), line((1.5, 0.2), (1.5, 1.8))];
        assert_eq!(drawn(cross(), false), "╶┬─╴\n ╵");
        let (text, own, align, turn) = ("a".to_owned(), None, Align::Start, None);
        let letter = Shape::Text { x: 2.0, y: 0.5, text, own, size: 0, align, turn, color: INK };
        assert_eq!(drawn(cross().into_iter().chain([letter]).collect(), false), "╶┬a╴\n ╵");
    }

    #[test]
    fn a_curve_is_made_of_dots_and_ends_where_its_points_do() {
        let curve = Shape::Path { points: vec![(0.0, 0.0), (0.9, 0.9)], stroke: Stroke::new(INK, 1.0) };
        assert_eq!(drawn(vec![curve], false), "⢣", "the first dot of the cell, its last one, and what is between");
    }

    #[test]
    fn colours_are_there_only_where_they_are_wanted() {
        let line = || vec![line((0.5, 0.5), (1.5, 0.5))];
        assert_eq!(drawn(line(), false), "╶╴");
        assert!(drawn(line(), true).starts_with("\u{1b}[38;2;1;2;3m╶╴\u{1b}[0m"));
    }
}
