//! From tables to figures: curves, effects, heat maps, parallel coordinates, importance and
//! timelines of a sweep, drawings and confusion matrices of its models, as SVG, PNG and text.
//!
//! **What it is for.** Whoever has the rows of a sweep, from a coordinator or from anywhere else,
//! gets the same figures from them: the command line, the report, a page in a browser.
//! [`SweepDataBuilder`] takes the rows in the columns of the views (`docs/sql.md`) and keeps of
//! them what is drawn, however many there are; [`Figure::draw`] makes a [`Canvas`] of that. Models
//! are drawn from a [`Sheet`] and from [`PredictionReport`]s.
//!
//! **What it may use.** `besom-sweep` for names and numbers, and crates that draw. Its font is
//! inside it.
//!
//! **What it never does.** It opens no file, knows no network, no database and no clock, and prints
//! nothing. It works out no statistics: means, intervals and importance come with the rows. A
//! figure shows what there is: what diverged, failed or has not ended is marked and counted, never
//! silently left out. The same rows give the same bytes, whatever fonts the machine has.
//!
//! ```
//! use besom_figures::{EpochRow, Figure, RunRow, Sweep, SweepDataBuilder};
//! use besom_sweep::JobState;
//!
//! let sweep = Sweep {
//!     title: "two rates".to_owned(),
//!     method: "grid".to_owned(),
//!     swept: vec!["learning_rate".to_owned()],
//!     ..Sweep::default()
//! };
//! let run = |job, rate: f64| {
//!     let params = [("learning_rate".to_owned(), rate.into())].into_iter().collect();
//!     RunRow { job, seed: 0, state: Some(JobState::Succeeded), params }
//! };
//! let mut rows = SweepDataBuilder::new(sweep, None, &[run(1, 0.01), run(2, 0.1)]);
//! for (job, val_accuracy) in [(1, 0.4), (1, 0.5), (2, 0.6), (2, 0.8)] {
//!     rows.epoch(EpochRow { job, val_accuracy: Some(val_accuracy), val_loss: Some(1.0 - val_accuracy) });
//! }
//! let data = rows.finish();
//! let curves = Figure::Curves.draw(&data).expect("two runs have epochs");
//! assert!(curves.svg().contains("two rates: validation accuracy and loss by epoch"));
//! assert!(curves.png()?.starts_with(b"\x89PNG"));
//! assert!(Figure::Timeline.draw(&data).is_none(), "there are no attempts to draw");
//! # Ok::<(), besom_figures::DrawError>(())
//! ```

mod attempts;
mod axis;
mod builder;
mod canvas;
mod cells;
mod confusion;
mod curves;
mod data;
mod differences;
mod effects;
mod figure;
mod heatmap;
mod importance;
mod input;
mod letters;
mod lines;
mod page;
mod panel;
mod parallel;
mod predictions;
mod raster;
mod report;
mod rows;
mod series;
mod shape;
mod sheet;
mod style;
mod svg;
mod terminal;
mod timeline;
mod values;

pub use builder::SweepDataBuilder;
pub use canvas::Canvas;
pub use confusion::draw as draw_confusion;
pub use data::SweepData;
pub use figure::Figure;
pub use input::{AttemptRow, ConfigRow, EpochRow, ImportanceRow, RunRow, Sweep};
pub use predictions::draw as draw_predictions;
pub use raster::DrawError;
pub use report::{PredictionReport, SHOWN_CLASSES};
pub use sheet::{Drawing, Guess, Model, Picture, Sheet};
pub use terminal::{draw as draw_curves_as_text, draw_run as draw_run_as_text};
