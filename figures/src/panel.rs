//! A rectangle with two axes: grid lines, ticks, names, and where a pair of numbers stands in it.

use crate::{
    axis::Scale,
    canvas::{Align, Canvas, Stroke},
    style::{GRID, INK, LABEL, RULE, SMALL, SOFT, fit, width},
};

/// Where the axes are and what they measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panel {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) across: Scale,
    pub(crate) up: Scale,
}

impl Panel {
    /// The place of a number on the lower axis.
    pub(crate) fn at_x(&self, value: f64) -> f64 {
        self.x + self.across.share(value) * self.width
    }

    /// The place of a number on the left axis.
    pub(crate) fn at_y(&self, value: f64) -> f64 {
        self.y + (1.0 - self.up.share(value)) * self.height
    }

    /// The same, kept inside the panel.
    pub(crate) fn inside_y(&self, value: f64) -> f64 {
        self.at_y(value).clamp(self.y, self.y + self.height)
    }

    /// Where the panel ends below.
    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// Horizontal grid lines with their numbers, and the left axis' name.
    pub(crate) fn left_axis(&self, canvas: &mut Canvas, name: &str) {
        let most = ((self.height / 34.0) as usize).max(2);
        let mut widest: f64 = 0.0;
        for (value, text) in self.up.ticks(most) {
            let y = self.at_y(value);
            canvas.line((self.x, y), (self.x + self.width, y), Stroke::new(GRID, 1.0));
            canvas.text(self.x - 6.0, y + 4.0, &text, SMALL, Align::End, SOFT);
            widest = widest.max(width(&text, SMALL));
        }
        let name = match self.up {
            Scale::Log { .. } => format!("{name}, log scale"),
            Scale::Linear { .. } | Scale::Slots { .. } => name.to_owned(),
        };
        let name = fit(&name, LABEL, self.height + 40.0);
        canvas.upright(self.x - widest - 14.0, self.y + self.height / 2.0, &name, LABEL, INK);
    }

    /// The lower axis with ticks at these numbers and its name. Texts that would touch stand in two
    /// rows; what does not fit then is left out, the first and the last stay.
    pub(crate) fn lower_axis(&self, canvas: &mut Canvas, ticks: &[(f64, String)], name: &str) {
        let bottom = self.bottom();
        canvas.line((self.x, bottom), (self.x + self.width, bottom), Stroke::new(RULE, 1.0));
        for (value, _) in ticks {
            let x = self.at_x(*value);
            canvas.line((x, bottom), (x, bottom + 4.0), Stroke::new(RULE, 1.0));
        }
        let places: Vec<(f64, f64)> =
            ticks.iter().map(|(value, text)| (self.at_x(*value), width(text, SMALL))).collect();
        let upper = apart(&places);
        let others: Vec<usize> = (0..ticks.len()).filter(|index| !upper.contains(index)).collect();
        let lower = apart(&others.iter().map(|index| places[*index]).collect::<Vec<_>>());
        let lower: Vec<usize> = lower.into_iter().map(|at| others[at]).collect();
        let name_at = if lower.is_empty() { 34.0 } else { 45.0 };
        for (row, indices) in [(17.0, upper), (29.0, lower)] {
            for index in indices {
                let (value, text) = &ticks[index];
                canvas.text(self.at_x(*value), bottom + row, text, SMALL, Align::Middle, SOFT);
            }
        }
        let name = match self.across {
            Scale::Log { .. } => format!("{name}, log scale"),
            Scale::Linear { .. } | Scale::Slots { .. } => name.to_owned(),
        };
        let name = fit(&name, LABEL, self.width + 30.0);
        canvas.text(self.x + self.width / 2.0, bottom + name_at, &name, LABEL, Align::Middle, INK);
    }

    /// The lower axis of epochs.
    pub(crate) fn epoch_axis(&self, canvas: &mut Canvas) {
        let ticks = self.across.ticks(((self.width / 50.0) as usize).max(2));
        let whole = ticks.into_iter().filter(|(value, _)| value.fract() == 0.0 && *value >= 1.0);
        let mut ticks: Vec<(f64, String)> = whole.map(|(value, _)| (value, format!("{value}"))).collect();
        if ticks.first().is_none_or(|(first, _)| *first > 1.0) {
            ticks.insert(0, (1.0, "1".to_owned()));
        }
        self.lower_axis(canvas, &ticks, "epoch");
    }
}

/// Which of the texts, given by middle and width in order, can stand side by side: the first, the
/// last, and between them as many as fit.
pub(crate) fn apart(texts: &[(f64, f64)]) -> Vec<usize> {
    const GAP: f64 = 8.0;
    let clear = |a: (f64, f64), b: (f64, f64)| (b.0 - a.0).abs() >= f64::midpoint(a.1, b.1) + GAP;
    let Some(last) = texts.len().checked_sub(1) else { return Vec::new() };
    let mut kept = vec![0];
    for index in 1..=last {
        let before = texts[kept[kept.len() - 1]];
        let fits = clear(before, texts[index]);
        if index == last {
            if !fits && kept.len() > 1 {
                kept.pop();
            }
            if clear(texts[kept[kept.len() - 1]], texts[last]) {
                kept.push(last);
            }
        } else if fits {
            kept.push(index);
        }
    }
    kept
}

/// The axis of epochs up to `last`.
pub(crate) fn epochs(last: usize) -> Scale {
    match last {
        0 | 1 => Scale::Linear { low: 0.5, high: 1.5 },
        last => Scale::Linear { low: 1.0, high: last as f64 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_never_touch_and_the_ends_stay() {
        let close: Vec<(f64, f64)> = (0..10).map(|n| (f64::from(n) * 10.0, 16.0)).collect();
        let kept = apart(&close);
        assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&9)));
        assert!(kept.windows(2).all(|pair| close[pair[1]].0 - close[pair[0]].0 >= 24.0), "{kept:?}");
        assert_eq!(apart(&[(0.0, 50.0), (5.0, 50.0)]), [0]);
        assert_eq!(apart(&[]), Vec::<usize>::new());
    }
}
