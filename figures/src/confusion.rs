//! Confusion matrices: one panel a model, a row for each target, a column for each guess.
//!
//! Right guesses are blue, wrong ones vermillion, the darker the larger their share of the row; the
//! count stands in the cell, so that no colour has to be read. Of more classes than anybody could
//! see, those are drawn that are confused most.

use besom_sweep::number;

use crate::{
    canvas::{Align, Canvas, Stroke},
    letters,
    report::{PredictionReport, SHOWN_CLASSES},
    style::{self, BLUE, Color, HEADING, INK, LABEL, RULE, SMALL, SOFT, TITLE, VERMILLION, WHITE},
};

const MARGIN: f64 = 24.0;
/// Of a cell: as large as numbers need, smaller where there are many.
const CELL: f64 = 46.0;
const SMALLEST: f64 = 12.0;
/// Of a matrix of many classes.
const MATRIX: f64 = 720.0;
/// Cells that numbers fit into.
const READABLE: f64 = 30.0;
/// Longest name of a class beside the matrix.
const NAME: f64 = 150.0;
/// How far a slanted name of that length goes down and to the left.
const SLANT: (f64, f64) = (0.82, 0.58);
/// From one slanted name to the next, at least; closer ones are left out, since the rows have all
/// names.
const APART: f64 = 22.0;
/// Classes that are drawn where there are more than [`SHOWN_CLASSES`].
const WORST: usize = 60;
/// The column of recall and the row of precision.
const RATE: f64 = 52.0;

/// Draws confusion matrices of models, side by side.
#[must_use]
pub fn draw(title: &str, reports: &[PredictionReport]) -> Canvas {
    let panels: Vec<Panel<'_>> = reports.iter().map(Panel::new).collect();
    let width = MARGIN + panels.iter().map(|panel| panel.width() + MARGIN).sum::<f64>();
    let height = panels.iter().map(Panel::height).fold(0.0, f64::max) + 2.0 * MARGIN + f64::from(TITLE) + 12.0;
    let heading = format!("{title}: what the test split's drawings are taken for");
    let mut canvas = Canvas::new(width, height, &heading);
    let heading = style::fit(&heading, TITLE, width - 2.0 * MARGIN);
    canvas.text(MARGIN, MARGIN + f64::from(TITLE) * 0.8, &heading, TITLE, Align::Start, INK);
    let mut x = MARGIN;
    for panel in &panels {
        panel.draw(&mut canvas, x, MARGIN + f64::from(TITLE) + 12.0);
        x += panel.width() + MARGIN;
    }
    canvas
}

struct Panel<'a> {
    report: &'a PredictionReport,
    /// The classes that are drawn.
    classes: Vec<usize>,
    /// Names, shortened.
    names: Vec<String>,
    /// The longest of them.
    longest: f64,
    cell: f64,
}

impl<'a> Panel<'a> {
    fn new(report: &'a PredictionReport) -> Self {
        let all = report.classes.len();
        let classes = report.most_confused(if all > SHOWN_CLASSES { WORST } else { all });
        let cell = (MATRIX / classes.len().max(1) as f64).floor().clamp(SMALLEST, CELL);
        let drawn = letters::distinct(&report.classes);
        let names: Vec<String> = classes.iter().map(|&class| style::fit(&drawn[class], SMALL, NAME)).collect();
        let longest = names.iter().map(|name| style::width(name, SMALL)).fold(0.0, f64::max);
        Self { report, classes, names, longest, cell }
    }

    fn side(&self) -> f64 {
        self.cell * self.names.len() as f64
    }

    fn has_numbers(&self) -> bool {
        self.cell >= READABLE
    }

    /// Room for a row or column of rates.
    fn rates(&self) -> f64 {
        if self.has_numbers() { RATE } else { 0.0 }
    }

    /// Left of the matrix: the word `target` and the names; or as much as slanted names need.
    fn left(&self) -> f64 {
        (22.0 + self.longest + 8.0).max(self.longest * SLANT.0 - self.cell / 2.0)
    }

    fn below(&self) -> f64 {
        self.rates() * 0.6 + 10.0 + self.longest * SLANT.1 + 26.0
    }

    fn width(&self) -> f64 {
        let head = self.head().iter().map(|text| style::width(text, LABEL)).fold(0.0, f64::max);
        (self.left() + self.side() + self.rates()).max(head.min(560.0))
    }

    fn height(&self) -> f64 {
        44.0 + 18.0 + self.side() + self.below()
    }

    fn head(&self) -> [String; 2] {
        let (report, model) = (self.report, &self.report.model);
        let samples = number::plural(report.total(), "test sample");
        let part = match report.classes.len() {
            all if all > self.classes.len() => {
                format!("; the {} of {all} classes that are confused most", self.classes.len())
            }
            _ => String::new(),
        };
        [
            format!("job {}: {}", model.job, model.about),
            format!("accuracy {} over {samples}{part}", number::metric(report.accuracy())),
        ]
    }

    fn draw(&self, canvas: &mut Canvas, x: f64, y: f64) {
        for (n, text) in self.head().iter().enumerate() {
            let text = style::fit(text, LABEL, self.width());
            canvas.text(x, y + 12.0 + 17.0 * n as f64, &text, LABEL, Align::Start, SOFT);
        }
        let (left, top) = (x + self.left(), y + 44.0 + 18.0);
        canvas.rect(left, top, self.side(), self.side(), WHITE, 1.0);
        for target in 0..self.names.len() {
            self.row(canvas, target, left, top + self.cell * target as f64);
        }
        let side = self.side();
        canvas.frame(left, top, side, side, Stroke::new(RULE, 1.0));
        self.columns(canvas, left, top + side);
        canvas.upright(x + 10.0, top + side / 2.0, "target", HEADING, INK);
        let foot = top + side + self.below() - 8.0;
        canvas.text(left + side / 2.0, foot, "guess", HEADING, Align::Middle, INK);
    }

    fn row(&self, canvas: &mut Canvas, target: usize, left: f64, top: f64) {
        let report = self.report;
        let middle = top + self.cell / 2.0 + 4.0;
        let whole = report.support(self.classes[target]).max(1) as f64;
        for guess in 0..self.names.len() {
            let count = report.count(self.classes[target], self.classes[guess]).unwrap_or(0);
            let paper = shade(f64::from(count) / whole, if target == guess { BLUE } else { VERMILLION });
            let x = left + self.cell * guess as f64;
            if count > 0 {
                canvas.rect(x, top, self.cell, self.cell, paper, 1.0);
            }
            if self.has_numbers() && count > 0 {
                let text = count.to_string();
                canvas.text(x + self.cell / 2.0, middle, &text, SMALL, Align::Middle, style::ink_on(paper));
            }
        }
        canvas.text(left - 6.0, middle, &self.names[target], SMALL, Align::End, INK);
        if self.has_numbers() {
            let x = left + self.side() + RATE / 2.0;
            if target == 0 {
                canvas.text(x, top - 6.0, "recall", SMALL, Align::Middle, SOFT);
            }
            canvas.text(x, middle, &rate(report.recall(self.classes[target])), SMALL, Align::Middle, INK);
        }
    }

    /// Precision and the names of the guesses.
    fn columns(&self, canvas: &mut Canvas, left: f64, top: f64) {
        let names = top + self.rates() * 0.6 + 12.0;
        let step = (APART / self.cell).ceil() as usize;
        for (guess, name) in self.names.iter().enumerate() {
            let x = left + self.cell * (guess as f64 + 0.5);
            if self.has_numbers() {
                canvas.text(
                    x,
                    top + 20.0,
                    &rate(self.report.precision(self.classes[guess])),
                    SMALL,
                    Align::Middle,
                    INK,
                );
            }
            if guess % step == 0 {
                canvas.slanted(x + 4.0, names, name, SMALL, INK);
            }
        }
        if self.has_numbers() {
            canvas.text(left - 6.0, top + 20.0, "precision", SMALL, Align::End, SOFT);
        }
    }
}

fn rate(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}"))
}

/// From white to `full`; the square root keeps rare mistakes visible.
fn shade(share: f64, full: Color) -> Color {
    let part = share.clamp(0.0, 1.0).sqrt();
    let mix = |white: u8, full: u8| (f64::from(white) + (f64::from(full) - f64::from(white)) * part).round() as u8;
    Color(mix(WHITE.0, full.0), mix(WHITE.1, full.1), mix(WHITE.2, full.2))
}

#[cfg(test)]
mod tests {
    use besom_sweep::Confusion;

    use super::*;
    use crate::sheet::Model;

    fn report(classes: usize) -> PredictionReport {
        let counts: Vec<u32> = (0..classes * classes).map(|at| (at % 5) as u32 + 1).collect();
        PredictionReport::new(
            Model { job: 7, about: "adam".into(), val_accuracy: None },
            (0..classes).map(|class| format!("class {class}")).collect(),
            Confusion::of_rows(classes as u32, &counts),
        )
    }

    #[test]
    fn few_classes_have_their_counts_and_many_only_shades() {
        let few = draw("x", &[report(3)]).svg();
        for text in ["job 7: adam", "class 2", "recall", "precision", ">5<"] {
            assert!(few.contains(text), "{text} in {few}");
        }
        let many = draw("x", &[report(60)]).svg();
        assert!(!many.contains("recall") && !many.contains(">5<"));
        assert_eq!(
            many.matches(">class 2<").count() + many.matches(">class 3<").count(),
            3,
            "one of two columns is named"
        );
    }

    #[test]
    fn of_very_many_classes_those_are_drawn_that_are_confused_most() {
        let all: usize = 4_000;
        let mut confusion = Confusion::new(all as u32);
        for class in 0..all {
            confusion.add(class, class);
        }
        confusion.add(3_999, 17);
        let classes = (0..all).map(|class| format!("class {class}")).collect();
        let report =
            PredictionReport::new(Model { job: 7, about: "adam".into(), val_accuracy: None }, classes, confusion);
        let svg = draw("x", &[report]).svg();
        assert!(svg.contains("the 60 of 4000 classes that are confused most"), "{}", &svg[..500]);
        assert!(svg.contains(">class 3999<") && svg.contains(">class 17<") && !svg.contains(">class 3998<"));
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
    }

    #[test]
    fn a_rare_mistake_is_seen_and_none_is_white() {
        assert_eq!(shade(0.0, VERMILLION), WHITE);
        assert_eq!(shade(1.0, BLUE), BLUE);
        assert!(shade(0.01, VERMILLION).2 < 232);
    }
}
