//! (c) Final val_accuracy over more than two hyperparameters: parallel coordinates, a line for each
//! configuration.

use crate::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    data::{Config, SweepData},
    differences, heatmap,
    page::{MARGIN, Page},
    panel::apart,
    style::{self, BEST, INK, LABEL, SMALL, SOFT, VERMILLION, WHITE, fit, listed, sequential, width},
};

const HEIGHT: f64 = 360.0;
const ABOVE: f64 = 42.0;
const BELOW: f64 = 46.0;
const LEAST_GAP: f64 = 130.0;
/// From the last axis to the key, and the key.
const BESIDE: f64 = 96.0;
const KEY: f64 = 250.0;
/// From the key's left edge to its texts.
const TEXT: f64 = 38.0;
const LINE: f64 = 14.0;
/// Lines of what sets a configuration apart, at most.
const ABOUT: usize = 6;
/// The bar of colours is no shorter.
const LEAST_BAR: f64 = 120.0;
/// How much of the room between values the configurations of one value are spread over.
const SPREAD: f64 = 0.5;

/// Draws the figure; nothing where two hyperparameters or fewer are swept, or no run has ended.
pub(crate) fn draw(data: &SweepData) -> Option<Canvas> {
    if data.parameters.len() < 2 || heatmap::applies(data) || data.configs.is_empty() {
        return None;
    }
    let axes = data.parameters.len();
    let gap = (760.0 / axes as f64).max(LEAST_GAP);
    let names_left = (0..data.parameters[0].values.len())
        .map(|value| width(&data.parameters[0].text(value), SMALL))
        .fold(0.0, f64::max)
        .min(110.0);
    let left = MARGIN + names_left + 20.0;
    let page = Page::new(
        data,
        "final validation accuracy, all hyperparameters",
        left + gap * axes as f64 + BESIDE + KEY + MARGIN,
        &notes(data),
    );
    let lost = data.configs.iter().any(|config| config.accuracy.is_none());
    let mut order: Vec<usize> = (0..data.configs.len()).collect();
    order.sort_by(|a, b| mean(&data.configs[*a]).total_cmp(&mean(&data.configs[*b])).then(b.cmp(a)));
    let best: Vec<usize> =
        order.iter().rev().copied().filter(|at| data.configs[*at].accuracy.is_some()).take(BEST).collect();
    let key = Key::new(data, &best);
    let body = (HEIGHT + if lost { BELOW } else { 20.0 }).max(key.height() + LEAST_BAR + 20.0);
    let mut canvas = page.canvas(ABOVE + body);
    let top = page.top() + ABOVE;
    let bottom = top + HEIGHT;
    let x = |axis: usize| left + axis as f64 * gap;
    let colors = heatmap::colors(data);
    let means: Vec<f64> = data.configs.iter().filter_map(|config| Some(config.accuracy?.mean)).collect();
    let up = Scale::shares(&means, 0.04);
    // What has no accuracy ends below the axis.
    let nowhere = bottom + 22.0;
    let heights = heights(data);
    let line = |at: usize| -> Vec<(f64, f64)> {
        let config = &data.configs[at];
        let mut points: Vec<(f64, f64)> =
            (0..axes).filter_map(|axis| Some((x(axis), bottom - heights[at][axis]? * HEIGHT))).collect();
        let end = config.accuracy.map_or(nowhere, |estimate| bottom - up.share(estimate.mean).clamp(0.0, 1.0) * HEIGHT);
        points.push((x(axes), end));
        points
    };
    let many = data.configs.len();
    let opacity = (60.0 / many as f64).clamp(0.22, 0.85);
    let thin = if many > 60 { 0.9 } else { 1.5 };
    for at in order.iter().step_by(style::thinned(many)) {
        let config = &data.configs[*at];
        let stroke = match config.accuracy {
            Some(estimate) => Stroke::new(sequential(colors.share(estimate.mean)), thin).faint(opacity),
            None => Stroke::new(VERMILLION, thin).dashed(Some("3 3")).faint(opacity.max(0.4)),
        };
        canvas.polyline(&line(*at), stroke);
    }
    for (rank, at) in best.iter().enumerate().rev() {
        let (color, dash) = style::line(rank);
        canvas.polyline(&line(*at), Stroke::new(WHITE, 4.0).faint(0.8));
        canvas.polyline(&line(*at), Stroke::new(color, 2.2).dashed(dash));
    }
    for axis in 0..axes {
        parameter_axis(&mut canvas, data, axis, x(axis), top, gap);
    }
    result_axis(&mut canvas, up, x(axes), top, lost, nowhere);
    key.draw(&mut canvas, data, x(axes) + BESIDE, top);
    let bar = (HEIGHT - key.height()).max(LEAST_BAR);
    heatmap::color_bar(&mut canvas, colors, x(axes) + BESIDE, top + key.height(), bar);
    Some(canvas)
}

fn mean(config: &Config) -> f64 {
    config.accuracy.map_or(f64::NEG_INFINITY, |estimate| estimate.mean)
}

/// Where each configuration stands on each axis, from 0 below to 1 above; nowhere where it has no
/// such value. Those of one value would all meet in a point: they are spread around it, the better
/// above.
fn heights(data: &SweepData) -> Vec<Vec<Option<f64>>> {
    let mut heights = vec![vec![None; data.parameters.len()]; data.configs.len()];
    for (axis, parameter) in data.parameters.iter().enumerate() {
        let (scale, places) = parameter.scale();
        let shares: Vec<f64> = places.iter().map(|place| scale.share(*place)).collect();
        let mut having: Vec<Vec<usize>> = vec![Vec::new(); shares.len()];
        for (at, config) in data.configs.iter().enumerate() {
            if let Some(value) = config.values[axis] {
                having[value].push(at);
            }
        }
        for (value, mut having) in having.into_iter().enumerate() {
            having.sort_by(|a, b| mean(&data.configs[*a]).total_cmp(&mean(&data.configs[*b])).then(b.cmp(a)));
            let before = value.checked_sub(1).map(|before| shares[value] - shares[before]);
            let after = shares.get(value + 1).map(|after| after - shares[value]);
            let room = before.into_iter().chain(after).fold(f64::INFINITY, f64::min).min(0.2) * SPREAD;
            let edge = (shares[value].min(1.0 - shares[value]) * 2.0).max(0.02);
            for (rank, at) in having.iter().enumerate() {
                let part = if having.len() > 1 { rank as f64 / (having.len() - 1) as f64 - 0.5 } else { 0.0 };
                heights[*at][axis] = Some(shares[value] + part * room.min(edge));
            }
        }
    }
    heights
}

fn notes(data: &SweepData) -> Vec<String> {
    let every = style::thinned(data.configs.len());
    let what = if data.seeds > 1 { "its mean over the seeds" } else { "its one run" };
    let mut notes = vec![format!(
        "A line is a configuration, coloured by {what}; where several share a value they are spread around its mark, the \
         better above."
    )];
    if every > 1 {
        notes.push(format!("One configuration in {every} is drawn, and the best."));
    }
    if data.configs.iter().any(|config| config.accuracy.is_none()) {
        notes.push(
            "Thin dashed lines that end below the axis: all runs of the configuration diverged or failed.".to_owned(),
        );
    }
    notes
}

fn parameter_axis(canvas: &mut Canvas, data: &SweepData, axis: usize, x: f64, top: f64, gap: f64) {
    let parameter = &data.parameters[axis];
    let (scale, places) = parameter.scale();
    canvas.line((x, top), (x, top + HEIGHT), Stroke::new(INK, 1.2));
    let name = fit(&parameter.name, LABEL, gap - 14.0);
    canvas.text(x, top - 22.0, &name, LABEL, Align::Middle, INK);
    if matches!(scale, Scale::Log { .. }) {
        canvas.text(x, top - 8.0, "log scale", SMALL, Align::Middle, SOFT);
    } else if parameter.is_numeric() && matches!(scale, Scale::Slots { .. }) {
        canvas.text(x, top - 8.0, "evenly spaced", SMALL, Align::Middle, SOFT);
    }
    let ticks: Vec<(f64, String)> = if places.len() <= 14 || !parameter.is_numeric() {
        places.iter().enumerate().map(|(value, place)| (*place, parameter.text(value))).collect()
    } else {
        scale.ticks(8)
    };
    let at = |value: f64| top + HEIGHT - scale.share(value) * HEIGHT;
    // As high as a line of text: those that would touch are left out.
    let heights: Vec<(f64, f64)> = ticks.iter().map(|(value, _)| (at(*value), 6.0)).collect();
    for index in apart(&heights) {
        let (value, text) = &ticks[index];
        let (y, text) = (at(*value), fit(text, SMALL, 110.0));
        let wide = width(&text, SMALL);
        canvas.line((x - 4.0, y), (x + 4.0, y), Stroke::new(INK, 1.2));
        canvas.rect(x - 11.0 - wide, y - 8.0, wide + 6.0, 15.0, WHITE, 0.75);
        canvas.text(x - 8.0, y + 4.0, &text, SMALL, Align::End, INK);
    }
}

fn result_axis(canvas: &mut Canvas, up: Scale, x: f64, top: f64, lost: bool, nowhere: f64) {
    canvas.line((x, top), (x, top + HEIGHT), Stroke::new(INK, 1.2));
    canvas.text(x, top - 22.0, "final val_accuracy", LABEL, Align::Middle, INK);
    for (value, text) in up.ticks(8) {
        let y = top + HEIGHT - up.share(value) * HEIGHT;
        canvas.line((x, y), (x + 5.0, y), Stroke::new(INK, 1.2));
        canvas.text(x + 9.0, y + 4.0, &text, SMALL, Align::Start, INK);
    }
    if lost {
        canvas.cross(x, nowhere, 4.0, Stroke::new(VERMILLION, 1.8));
        canvas.text(x + 9.0, nowhere + 4.0, "no result", SMALL, Align::Start, VERMILLION);
    }
}

/// The best configurations, each with what sets it apart from the others.
struct Key<'a> {
    best: Vec<(&'a Config, Vec<String>)>,
    /// What all of them have, if anything.
    shared: Vec<String>,
}

impl<'a> Key<'a> {
    fn new(data: &'a SweepData, best: &[usize]) -> Self {
        let best: Vec<&Config> = best.iter().map(|at| &data.configs[*at]).collect();
        let points: Vec<_> = best.iter().map(|config| &config.values).collect();
        let differences = differences::of(&data.parameters, &points);
        let lines = |items: &Vec<String>| listed(items, SMALL, KEY - TEXT, ABOUT);
        Self {
            best: best.into_iter().zip(differences.each.iter().map(lines)).collect(),
            shared: lines(&differences.shared),
        }
    }

    /// With the air below it.
    fn height(&self) -> f64 {
        let lines: usize = self.best.iter().map(|(_, lines)| lines.len()).sum();
        let shared = if self.shared.is_empty() { 0.0 } else { 20.0 + self.shared.len() as f64 * LINE };
        self.best.len() as f64 * 20.0 + lines as f64 * LINE + shared + 24.0
    }

    fn draw(&self, canvas: &mut Canvas, data: &SweepData, x: f64, top: f64) {
        let title = format!("best {} of {} configurations", self.best.len(), data.configs.len());
        canvas.text(x, top - 22.0, &title, SMALL, Align::Start, SOFT);
        let mut y = top - 2.0;
        let below = |canvas: &mut Canvas, y: &mut f64, lines: &[String]| {
            for line in lines {
                canvas.text(x + TEXT, *y, line, SMALL, Align::Start, SOFT);
                *y += LINE;
            }
        };
        for (rank, (config, lines)) in self.best.iter().enumerate() {
            let (color, dash) = style::line(rank);
            canvas.line((x, y - 4.0), (x + 30.0, y - 4.0), Stroke::new(color, 2.2).dashed(dash));
            let mean = config.accuracy.map_or(0.0, |estimate| estimate.mean);
            // A mean is that of no job: of its jobs the first one leads to all.
            let text = match data.seeds {
                0 | 1 => format!("{mean:.4}  job {}", config.job),
                _ => format!("mean {mean:.4}, first job {}", config.job),
            };
            canvas.text(x + TEXT, y, &text, LABEL, Align::Start, INK);
            y += LINE;
            below(canvas, &mut y, lines);
            y += 20.0 - LINE;
        }
        if !self.shared.is_empty() {
            canvas.text(x + TEXT, y, &format!("all {} with", self.best.len()), LABEL, Align::Start, INK);
            y += LINE;
            below(canvas, &mut y, &self.shared);
        }
    }
}
