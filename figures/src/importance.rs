//! (d) How much each hyperparameter matters, as the coordinator worked it out: shares of variance
//! in a grid, ranges with one at a time.

use besom_sweep::ImportanceKind;

use crate::{
    axis::{Scale, short},
    canvas::{Align, Canvas, Stroke},
    data::SweepData,
    input::ImportanceRow,
    page::{MARGIN, Page},
    panel::Panel,
    style::{BLUE, GRID, INK, LABEL, ORANGE, SOFT, fit, width},
};

const SHEET: f64 = 760.0;
const BAR: f64 = 20.0;
const STEP: f64 = 30.0;
const BELOW: f64 = 46.0;
/// The widest name; longer ones are shortened.
const NAME: f64 = 250.0;
/// Right of the longest bar, for its number.
const VALUE: f64 = 120.0;
/// More bars than these say nothing.
const MOST: usize = 25;

/// Draws the figure; nothing where the coordinator found nothing to compare.
pub(crate) fn draw(data: &SweepData) -> Option<Canvas> {
    let mut bars: Vec<&ImportanceRow> = data.importances.iter().collect();
    let shares = bars.first()?.kind == ImportanceKind::VarianceShare;
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let hidden = bars.len().saturating_sub(MOST);
    bars.truncate(MOST);
    let metric = &data.sweep.metric;
    let (what, axis) = if shares {
        ("importance by share of variance", format!("share of the variance of {metric} between configurations, in %"))
    } else {
        ("importance by range", format!("range of the mean {metric} over the values"))
    };
    let page = Page::new(data, what, SHEET, &notes(&bars, shares, hidden));
    let mut canvas = page.canvas(bars.len() as f64 * STEP + BELOW + 8.0);
    let names: Vec<String> = bars.iter().map(|bar| fit(&name(bar), LABEL, NAME)).collect();
    let widest = names.iter().map(|name| width(name, LABEL)).fold(0.0, f64::max);
    let unit = if shares { 0.01 } else { 1.0 };
    let most = bars.iter().map(|bar| bar.value / unit).fold(0.0, f64::max);
    let panel = Panel {
        x: MARGIN + widest + 12.0,
        y: page.top() + 6.0,
        width: SHEET - 2.0 * MARGIN - widest - 12.0 - VALUE,
        height: bars.len() as f64 * STEP,
        across: Scale::Linear { low: 0.0, high: if most > 0.0 { most } else { 1.0 } },
        up: Scale::slots(1),
    };
    let ticks = panel.across.ticks(5);
    for (value, _) in &ticks {
        let x = panel.at_x(*value);
        canvas.line((x, panel.y), (x, panel.bottom()), Stroke::new(GRID, 1.0));
    }
    for (at, (bar, name)) in bars.iter().zip(&names).enumerate() {
        let y = panel.y + at as f64 * STEP + (STEP - BAR) / 2.0;
        let end = panel.at_x(bar.value.max(0.0) / unit);
        let color = if bar.second_parameter.is_some() { ORANGE } else { BLUE };
        canvas.rect(panel.x, y, (end - panel.x).max(1.0), BAR, color, 1.0);
        canvas.text(panel.x - 8.0, y + BAR / 2.0 + 4.0, name, LABEL, Align::End, INK);
        let text = if shares { format!("{:.1} %", bar.value * 100.0) } else { measured(bar.value) };
        canvas.text(end + 7.0, y + BAR / 2.0 + 4.0, &text, LABEL, Align::Start, INK);
        if bar.cells < bar.cells_total {
            let partial = format!("({} of {})", bar.cells, bar.cells_total);
            canvas.text(end + 13.0 + width(&text, LABEL), y + BAR / 2.0 + 4.0, &partial, LABEL, Align::Start, SOFT);
        }
    }
    panel.lower_axis(&mut canvas, &ticks, &axis);
    Some(canvas)
}

/// In units of the objective.
fn measured(value: f64) -> String {
    if value < 10.0 { format!("{value:.4}") } else { short(value) }
}

fn name(bar: &ImportanceRow) -> String {
    match &bar.second_parameter {
        Some(second) => format!("{} × {second}", bar.parameter),
        None => bar.parameter.clone(),
    }
}

fn notes(bars: &[&ImportanceRow], shares: bool, hidden: usize) -> Vec<String> {
    let mut notes = vec![if shares {
        "Analysis of variance over the means of the configurations.".to_owned()
    } else {
        "With one at a time: the best value's mean less the worst's, the others at their base. Not a share of variance."
            .to_owned()
    }];
    if bars.iter().any(|bar| bar.second_parameter.is_some()) {
        notes.push("Orange: what two hyperparameters do together beyond the sum of each.".to_owned());
    }
    if bars.iter().any(|bar| bar.cells < bar.cells_total) {
        let what = if shares { "configurations" } else { "values" };
        notes.push(format!("(n of m): so many of the sweep's {what} have a result to compare."));
    }
    if hidden > 0 {
        notes.push(format!("{hidden} smaller ones are left out."));
    }
    notes
}
