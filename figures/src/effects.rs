//! (b) Final val_accuracy against each swept hyperparameter, with 95 % intervals over the seeds.
//!
//! With one at a time a panel has one point for each value. In a grid it has one for each
//! configuration, spread a little so that they can be told apart, and a line through the means of
//! each value.

use crate::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    data::{Config, Estimate, SweepData},
    page::{MARGIN, Page, heading},
    panel::Panel,
    style::{BLUE, INK, ORANGE, SMALL, SOFT, VERMILLION, fit, thinned, width},
};

const COLUMNS: usize = 3;
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 66.0;
const ABOVE: f64 = 34.0;
const BELOW: f64 = 52.0;
/// Below the panel, where a value has runs without a final accuracy.
const STRIP: f64 = 26.0;
/// More points than this in a panel are drawn small, without their intervals.
const CROWD: usize = 60;
const LINED: usize = 100;
/// How far the configurations of one value are spread to each side, of the room between values.
const SPREAD: f64 = 0.28;

/// One panel's points.
struct Effect<'a> {
    parameter: usize,
    /// By value: the configurations that have it.
    configs: Vec<Vec<&'a Config>>,
}

impl Effect<'_> {
    fn all(&self) -> impl Iterator<Item = &Config> {
        self.configs.iter().flatten().copied()
    }

    fn lost(&self, value: usize) -> (u32, u32) {
        let configs = &self.configs[value];
        (configs.iter().map(|config| config.diverged).sum(), configs.iter().map(|config| config.failed).sum())
    }

    fn mean(&self, value: usize) -> Option<f64> {
        let means: Vec<f64> = self.configs[value].iter().filter_map(|config| Some(config.accuracy?.mean)).collect();
        (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
    }
}

/// Draws the figure; nothing where nothing is swept or no run has ended.
pub(crate) fn draw(data: &SweepData) -> Option<Canvas> {
    let effects: Vec<Effect<'_>> = (0..data.parameters.len()).map(|parameter| effect(data, parameter)).collect();
    if !effects.iter().any(|effect| effect.all().next().is_some()) {
        return None;
    }
    let estimates = || effects.iter().flat_map(|effect| effect.all().filter_map(|config| config.accuracy));
    let means = || estimates().map(|estimate| estimate.mean);
    let (least, most) = (means().fold(f64::INFINITY, f64::min), means().fold(f64::NEG_INFINITY, f64::max));
    // An interval of two seeds can be wider than all differences: it may be cut, not flatten them.
    let room = ((most - least) * 0.5).max(0.02);
    let kept = |end: f64| end.clamp(least - room, most + room);
    let crowded = effects.iter().any(|effect| effect.all().count() > CROWD);
    let ends = |estimate: Estimate| match estimate.interval {
        Some((low, high)) if !crowded => vec![kept(low), estimate.mean, kept(high)],
        _ => vec![estimate.mean],
    };
    let accuracies: Vec<f64> = estimates().flat_map(ends).collect();
    let up = Scale::shares(&accuracies, 0.08);
    let columns = effects.len().clamp(1, COLUMNS);
    let sheet = 2.0 * MARGIN + columns as f64 * (LEFT + WIDTH) + 12.0;
    let page = Page::new(data, "final validation accuracy by hyperparameter", sheet.max(640.0), &notes(data, &effects));
    let lost = effects.iter().any(|effect| (0..effect.configs.len()).any(|value| effect.lost(value) != (0, 0)));
    let row = ABOVE + HEIGHT + if lost { STRIP } else { 0.0 } + BELOW;
    let mut canvas = page.canvas(effects.len().div_ceil(columns) as f64 * row);
    for (at, effect) in effects.iter().enumerate() {
        let (column, line) = ((at % columns) as f64, (at / columns) as f64);
        let (across, places) = data.parameters[effect.parameter].scale();
        let panel = Panel {
            x: MARGIN + LEFT + column * (WIDTH + LEFT),
            y: page.top() + line * row + ABOVE,
            width: WIDTH,
            height: HEIGHT,
            across,
            up,
        };
        points(&mut canvas, data, effect, &panel, &places);
    }
    Some(canvas)
}

fn effect(data: &SweepData, parameter: usize) -> Effect<'_> {
    let mut configs = vec![Vec::new(); data.parameters[parameter].values.len()];
    for config in data.configs.iter().filter(|config| data.belongs(parameter, &config.values)) {
        if let Some(value) = config.values[parameter] {
            configs[value].push(config);
        }
    }
    Effect { parameter, configs }
}

fn notes(data: &SweepData, effects: &[Effect<'_>]) -> Vec<String> {
    let with_interval = |config: &Config| config.accuracy.is_some_and(|estimate| estimate.interval.is_some());
    let intervals = effects.iter().any(|effect| effect.all().count() <= CROWD && effect.all().any(with_interval));
    let mut notes = Vec::new();
    if data.one_at_a_time {
        let what = if data.seeds > 1 {
            "Points are means over the seeds; the ring is"
        } else {
            "A point is a run; the ring is"
        };
        notes.push(format!("{what} the base, which the other panels keep."));
    } else {
        let of = if data.seeds > 1 { " (mean over its seeds)" } else { "" };
        let several = effects.iter().any(|effect| effect.configs.iter().any(|configs| configs.len() > 1));
        notes.push(format!("A point is a configuration{of}."));
        let every = effects.iter().map(|effect| thinned(effect.all().count())).max().unwrap_or(1);
        if every > 1 {
            notes.push(format!("One point in {every} is drawn; the means are of all."));
        }
        if several {
            notes.push("Points that share a value are spread sideways; orange is the mean of each value.".to_owned());
        }
    }
    if intervals {
        notes.push(
            "Bars are 95 % intervals of the mean (Student's t); one without a cap goes on beyond the panel.".to_owned(),
        );
    } else if data.seeds == 1 {
        notes.push("One seed: no intervals.".to_owned());
    }
    if effects.iter().any(|effect| (0..effect.configs.len()).any(|value| effect.lost(value) != (0, 0))) {
        notes.push(
            "Crosses below a panel count runs that have no final accuracy since they diverged or failed.".to_owned(),
        );
    }
    notes
}

fn points(canvas: &mut Canvas, data: &SweepData, effect: &Effect<'_>, panel: &Panel, places: &[f64]) {
    let parameter = &data.parameters[effect.parameter];
    heading(canvas, panel.x, panel.y - 12.0, &parameter.name, WIDTH);
    panel.left_axis(canvas, "final val_accuracy (share correct)");
    lower_axis(canvas, data, effect, panel, places);
    let crowd = effect.all().count() > CROWD;
    let x = |value: usize| panel.at_x(places[value]);
    let means: Vec<Option<(f64, f64)>> =
        (0..places.len()).map(|value| Some((x(value), panel.at_y(effect.mean(value)?)))).collect();
    let rest = !data.one_at_a_time && effect.configs.iter().any(|configs| configs.len() > 1);
    // A line through hundreds of single runs would show their noise.
    if parameter.is_numeric() && (rest || places.len() <= LINED) {
        for piece in means.split(Option::is_none) {
            let piece: Vec<_> = piece.iter().copied().flatten().collect();
            let stroke = match (rest, crowd) {
                (true, _) => Stroke::new(ORANGE, 2.0),
                (false, true) => Stroke::new(BLUE, 0.8).faint(0.3),
                (false, false) => Stroke::new(BLUE, 1.2).faint(0.5),
            };
            canvas.polyline(&piece, stroke);
        }
    }
    // Which points are left out goes on from value to value: a value may have but one.
    let every = thinned(effect.all().count());
    let mut seen = 0;
    for (value, configs) in effect.configs.iter().enumerate() {
        let edge = (x(value) - panel.x).min(panel.x + panel.width - x(value)) - 4.0;
        let room = (room(places, panel, value) * SPREAD).min(edge);
        for (at, config) in configs.iter().enumerate() {
            let Some(estimate) = config.accuracy else { continue };
            seen += 1;
            if seen % every != 0 {
                continue;
            }
            let part = if configs.len() > 1 { at as f64 / (configs.len() - 1) as f64 * 2.0 - 1.0 } else { 0.0 };
            let (x, y) = (x(value) + part * room, panel.at_y(estimate.mean));
            if let (Some((low, high)), false) = (estimate.interval, crowd) {
                let stroke = if configs.len() > 1 { Stroke::new(BLUE, 1.0).faint(0.4) } else { Stroke::new(BLUE, 1.5) };
                let cap = if configs.len() > 1 { 2.0 } else { 4.0 };
                canvas.line((x, panel.inside_y(low)), (x, panel.inside_y(high)), stroke);
                for end in [low, high].map(|end| panel.at_y(end)) {
                    if (panel.y..=panel.bottom()).contains(&end) {
                        canvas.line((x - cap, end), (x + cap, end), stroke);
                    }
                }
            }
            let (radius, opacity) = if crowd {
                (2.0, 0.45)
            } else if rest {
                (3.0, 0.8)
            } else {
                (4.5, 1.0)
            };
            canvas.dot(x, y, radius, BLUE, opacity);
            if data.base[effect.parameter] == Some(value) {
                canvas.ring(x, y, 7.5, Stroke::new(INK, 1.4));
                canvas.dot(x, y, radius, BLUE, 1.0);
            }
        }
        if let (true, Some((x, y))) = (rest, means[value]) {
            canvas.line((x - 9.0, y), (x + 9.0, y), Stroke::new(ORANGE, 3.0));
        }
    }
}

/// How far a value is from its nearest neighbour; of even places, one place.
fn room(places: &[f64], panel: &Panel, value: usize) -> f64 {
    let x = |value: usize| panel.at_x(places[value]);
    let before = value.checked_sub(1).map(|before| x(value) - x(before));
    let after = (value + 1 < places.len()).then(|| x(value + 1) - x(value));
    let nearest = before.into_iter().chain(after).fold(f64::INFINITY, f64::min);
    nearest.min(WIDTH / 3.0)
}

/// The values themselves are the ticks; below each, what it lost.
fn lower_axis(canvas: &mut Canvas, data: &SweepData, effect: &Effect<'_>, panel: &Panel, places: &[f64]) {
    let parameter = &data.parameters[effect.parameter];
    let lost: Vec<(u32, u32)> = (0..places.len()).map(|value| effect.lost(value)).collect();
    let any = lost.iter().any(|lost| *lost != (0, 0));
    let strip = if any { STRIP } else { 0.0 };
    let lowered = Panel { height: panel.height + strip, ..*panel };
    let slots = matches!(panel.across, Scale::Slots { .. });
    let ticks: Vec<(f64, String)> = if slots || places.len() <= 9 {
        // What would touch its neighbour stands in a second row.
        let room = if slots { WIDTH / places.len() as f64 * 1.9 - 8.0 } else { 90.0 };
        let text = |value| fit(&parameter.text(value), SMALL, room.max(24.0));
        places.iter().enumerate().map(|(value, place)| (*place, text(value))).collect()
    } else {
        panel.across.ticks(6)
    };
    lowered.lower_axis(canvas, &ticks, &parameter.axis_name());
    if !any {
        return;
    }
    canvas.line((panel.x, panel.bottom()), (panel.x + panel.width, panel.bottom()), Stroke::new(SOFT, 0.6));
    for (value, (diverged, failed)) in lost.iter().enumerate().filter(|(_, lost)| **lost != (0, 0)) {
        let (x, y) = (panel.at_x(places[value]), panel.bottom() + STRIP / 2.0 + 1.0);
        let text = if places.len() <= 9 { (diverged + failed).to_string() } else { String::new() };
        let left = x - width(&text, SMALL) / 2.0;
        canvas.cross(left, y, 3.5, Stroke::new(VERMILLION, 1.6));
        canvas.text(left + 7.0, y + 4.0, &text, SMALL, Align::Start, VERMILLION);
    }
    let word = match (lost.iter().any(|lost| lost.0 > 0), lost.iter().any(|lost| lost.1 > 0)) {
        (true, false) => "diverged",
        (false, true) => "failed",
        _ => "no result",
    };
    canvas.text(panel.x - 6.0, panel.bottom() + STRIP / 2.0 + 1.0 + 4.0, word, SMALL, Align::End, VERMILLION);
}
