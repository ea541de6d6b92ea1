//! (c) Final val_accuracy over two hyperparameters: a cell for each pair of values.

use crate::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    data::{Config, SweepData},
    page::{MARGIN, Page},
    style::{INK, LABEL, PALE, RULE, SMALL, SOFT, VERMILLION, WHITE, fit, ink_on, sequential, width},
};

/// More values than this on one side belong into parallel coordinates.
pub(crate) const MOST: usize = 60;

const BODY: f64 = 620.0;
const BAR: f64 = 16.0;
/// Right of the cells: the bar of colours with its numbers and name.
const KEY: f64 = 110.0;

/// Whether the sweep has a heat map: two hyperparameters whose values make a table.
pub(crate) fn applies(data: &SweepData) -> bool {
    data.parameters.len() == 2 && data.parameters.iter().all(|parameter| parameter.values.len() <= MOST)
}

/// Draws the figure; nothing where it does not apply or no run has ended.
pub(crate) fn draw(data: &SweepData) -> Option<Canvas> {
    if !applies(data) || data.configs.is_empty() {
        return None;
    }
    // The longer one lies: pages are wider than high.
    let lying = usize::from(data.parameters[1].values.len() >= data.parameters[0].values.len());
    let standing = 1 - lying;
    let (columns, rows) = (data.parameters[lying].values.len(), data.parameters[standing].values.len());
    let named = (0..columns).map(|value| width(&data.parameters[lying].text(value), SMALL)).fold(0.0, f64::max) + 10.0;
    // As wide as the names, where that is not too wide.
    let named = if named <= 150.0 && named * columns as f64 <= BODY + 100.0 { named } else { 0.0 };
    let cell_width = (BODY / columns as f64).clamp(11.0, 110.0).max(named);
    let cell_height = (400.0 / rows as f64).clamp(11.0, 46.0);
    let names: Vec<String> = (0..rows).map(|value| fit(&data.parameters[standing].text(value), SMALL, 130.0)).collect();
    let left = MARGIN + 26.0 + names.iter().map(|name| width(name, SMALL)).fold(0.0, f64::max) + 8.0;
    let (wide, high) = (cell_width * columns as f64, cell_height * rows as f64);
    let page = Page::new(data, "final validation accuracy", (left + wide + KEY + MARGIN).max(640.0), &notes(data));
    let (labels, depth) = column_labels(data, lying, cell_width);
    let mut canvas = page.canvas(high + depth + 40.0);
    let top = page.top() + 8.0;
    let scale = colors(data);
    canvas.frame(left, top, wide, high, Stroke::new(RULE, 1.0));
    canvas.rect(left, top, wide, high, PALE, 1.0);
    let place = |config: &Config| {
        let (column, row) = (config.values[lying]?, config.values[standing]?);
        Some((left + column as f64 * cell_width, top + (rows - 1 - row) as f64 * cell_height))
    };
    for config in &data.configs {
        let Some((x, y)) = place(config) else { continue };
        cell(&mut canvas, config, scale, (x, y, cell_width, cell_height));
    }
    if let Some((best, (x, y))) = best(data).and_then(|best| Some((best, place(best)?))) {
        canvas.frame(x + 1.0, y + 1.0, cell_width - 2.0, cell_height - 2.0, Stroke::new(VERMILLION, 2.5));
        let mean = best.accuracy.map_or(0.0, |estimate| estimate.mean);
        let x = left + wide + 22.0;
        for (line, text) in ["best".to_owned(), format!("{mean:.4}"), format!("job {}", best.job)].iter().enumerate() {
            canvas.text(x + 16.0, top + 11.0 + 15.0 * line as f64, text, SMALL, Align::Start, INK);
        }
        canvas.frame(x, top + 2.0, 10.0, 10.0, Stroke::new(VERMILLION, 2.0));
    }
    for (row, name) in names.iter().enumerate() {
        let y = top + (rows - 1 - row) as f64 * cell_height + cell_height / 2.0 + 4.0;
        canvas.text(left - 7.0, y, name, SMALL, Align::End, SOFT);
    }
    let name = fit(&data.parameters[standing].name, LABEL, high.max(120.0));
    canvas.upright(MARGIN + 12.0, top + high / 2.0, &name, LABEL, INK);
    for (column, text) in labels {
        let x = left + (column as f64 + 0.5) * cell_width;
        if depth > 30.0 {
            canvas.slanted(x + 4.0, top + high + 14.0, &text, SMALL, SOFT);
        } else {
            canvas.text(x, top + high + 16.0, &text, SMALL, Align::Middle, SOFT);
        }
    }
    let name = fit(&data.parameters[lying].name, LABEL, wide.max(200.0));
    canvas.text(left + wide / 2.0, top + high + depth + 16.0, &name, LABEL, Align::Middle, INK);
    color_bar(&mut canvas, scale, left + wide + 22.0, top + 60.0, (high - 60.0).clamp(110.0, 300.0));
    Some(canvas)
}

/// From the worst mean to the best.
pub(crate) fn colors(data: &SweepData) -> Scale {
    let means: Vec<f64> = data.configs.iter().filter_map(|config| Some(config.accuracy?.mean)).collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low < high { Scale::Linear { low, high } } else { Scale::shares(&means, 0.0) }
}

/// The configuration of the highest mean; of equal ones the first.
pub(crate) fn best(data: &SweepData) -> Option<&Config> {
    let mean = |config: &&Config| config.accuracy.map_or(f64::NEG_INFINITY, |estimate| estimate.mean);
    let with = data.configs.iter().filter(|config| config.accuracy.is_some());
    with.reduce(|best, config| if mean(&config) > mean(&best) { config } else { best })
}

fn notes(data: &SweepData) -> Vec<String> {
    let mut notes = vec![if data.seeds > 1 {
        "A cell is the mean over the seeds; below it half the width of its 95 % interval (Student's t).".to_owned()
    } else {
        "A cell is one run.".to_owned()
    }];
    if data.configs.iter().any(|config| config.n == 0) {
        notes.push("A cross: all runs of the configuration diverged or failed.".to_owned());
    } else if data.configs.iter().any(|config| config.accuracy.is_none()) {
        notes.push("A cross: the configuration's accuracy is no share.".to_owned());
    }
    let cells: usize = data.parameters.iter().map(|parameter| parameter.values.len()).product();
    if data.configs.len() < cells {
        notes.push("Empty cells: no run has ended there.".to_owned());
    }
    notes
}

fn cell(canvas: &mut Canvas, config: &Config, scale: Scale, (x, y, wide, high): (f64, f64, f64, f64)) {
    let (middle, centre) = (x + wide / 2.0, y + high / 2.0);
    let Some(estimate) = config.accuracy else {
        canvas.rect(x + 0.5, y + 0.5, wide - 1.0, high - 1.0, WHITE, 1.0);
        let radius = (wide.min(high) / 5.0).min(6.0);
        let word = match (config.diverged, config.failed) {
            (0, 0) => "no share",
            (0, _) => "failed",
            _ => "diverged",
        };
        let worded = width(word, SMALL) + 6.0 < wide && high > 34.0;
        canvas.cross(middle, if worded { centre - 6.0 } else { centre }, radius, Stroke::new(VERMILLION, 1.8));
        if worded {
            canvas.text(middle, centre + 14.0, word, SMALL, Align::Middle, VERMILLION);
        }
        return;
    };
    let paper = sequential(scale.share(estimate.mean));
    canvas.rect(x + 0.5, y + 0.5, wide - 1.0, high - 1.0, paper, 1.0);
    let mut lines = vec![format!("{:.3}", estimate.mean)];
    if let Some((low, high)) = estimate.interval {
        lines.push(format!("±{:.3}", (high - low) / 2.0));
    }
    if config.diverged > 0 {
        lines.push(format!("{} diverged", config.diverged));
    }
    while lines.len() as f64 * 13.0 + 4.0 > high && lines.len() > 1 {
        lines.pop();
    }
    if lines.len() as f64 * 13.0 > high || width(&lines[0], SMALL) + 4.0 > wide {
        return;
    }
    lines.retain(|line| width(line, SMALL) + 4.0 <= wide);
    let first = centre + 4.0 - (lines.len() - 1) as f64 * 6.5;
    for (at, line) in lines.iter().enumerate() {
        canvas.text(middle, first + at as f64 * 13.0, line, SMALL, Align::Middle, ink_on(paper));
    }
}

/// The names under the columns, and how deep they reach; not all where they would touch.
fn column_labels(data: &SweepData, lying: usize, cell_width: f64) -> (Vec<(usize, String)>, f64) {
    let parameter = &data.parameters[lying];
    let texts: Vec<String> =
        (0..parameter.values.len()).map(|value| fit(&parameter.text(value), SMALL, 130.0)).collect();
    let widest = texts.iter().map(|text| width(text, SMALL)).fold(0.0, f64::max);
    if widest + 6.0 <= cell_width {
        return (texts.into_iter().enumerate().collect(), 22.0);
    }
    // Slanted ones need a line's height each.
    let every = (16.0 / cell_width).ceil().max(1.0) as usize;
    (texts.into_iter().enumerate().step_by(every).collect(), 22.0 + widest * 0.6)
}

/// What the colours mean.
pub(crate) fn color_bar(canvas: &mut Canvas, scale: Scale, x: f64, y: f64, height: f64) {
    const STEPS: usize = 60;
    let step = height / STEPS as f64;
    for at in 0..STEPS {
        let share = 1.0 - (at as f64 + 0.5) / STEPS as f64;
        canvas.rect(x, y + at as f64 * step, BAR, step + 0.3, sequential(share), 1.0);
    }
    canvas.frame(x, y, BAR, height, Stroke::new(RULE, 0.8));
    for (value, text) in scale.ticks(5) {
        let at = y + (1.0 - scale.share(value)) * height;
        canvas.line((x + BAR, at), (x + BAR + 4.0, at), Stroke::new(RULE, 1.0));
        canvas.text(x + BAR + 7.0, at + 4.0, &text, SMALL, Align::Start, SOFT);
    }
    let name = fit("final val_accuracy", SMALL, height);
    canvas.upright(x + BAR + 52.0, y + height / 2.0, &name, SMALL, SOFT);
}
