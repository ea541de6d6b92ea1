//! Scales and ticks: from a number to a place in a panel, and which numbers are written along it.

/// How numbers are laid along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Evenly.
    Linear { low: f64, high: f64 },
    /// By their logarithm; both ends are positive.
    Log { low: f64, high: f64 },
    /// So many places of equal width, numbered from 0.
    Slots { count: usize },
}

/// More than two decades, all positive: a logarithmic axis.
const DECADES: f64 = 100.0;

impl Scale {
    /// Holds all `values` with so much of the whole as margin at both ends; logarithmic where they ask for it.
    pub(super) fn around(values: &[f64], margin: f64) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            return Self::Linear { low: 0.0, high: 1.0 };
        }
        if low > 0.0 && high / low > DECADES {
            return Self::log_around(values, margin);
        }
        let room = if high > low { (high - low) * margin } else { (high.abs() * 0.05).max(0.005) };
        Self::Linear { low: low - room, high: high + room }
    }

    /// A logarithmic scale that holds all `values`, which are positive, with so much of the whole as margin.
    pub(super) fn log_around(values: &[f64], margin: f64) -> Self {
        let (low, high) =
            values.iter().fold((f64::INFINITY, 0f64), |(low, high), value| (low.min(*value), high.max(*value)));
        let room = (high / low).powf(margin);
        Self::Log { low: low / room, high: high * room }
    }

    pub(super) fn slots(count: usize) -> Self {
        Self::Slots { count: count.max(1) }
    }

    /// The same scale with its ends kept within `low` and `high`: no accuracy is above 1.
    pub(super) fn clamped(self, least: f64, most: f64) -> Self {
        match self {
            Self::Linear { low, high } => Self::Linear { low: low.max(least), high: high.min(most) },
            other => other,
        }
    }

    /// 0 at the lower end, 1 at the upper.
    pub(super) fn share(self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } if value > 0.0 => (value / low).ln() / (high / low).ln(),
            Self::Log { .. } => -1.0,
            Self::Slots { count } => (value + 0.5) / count as f64,
        }
    }

    /// Round numbers, at most about `most` of them, with their texts.
    pub(super) fn ticks(self, most: usize) -> Vec<(f64, String)> {
        match self {
            Self::Linear { low, high } => linear(low, high, most),
            Self::Log { low, high } => logarithmic(low, high, most),
            Self::Slots { count } => (0..count).map(|slot| (slot as f64, slot.to_string())).collect(),
        }
    }
}

fn linear(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / most.max(1) as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return vec![(low, short(low))];
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let text = |value: f64| {
        if value.abs() >= 1e6 || decimals > 6 { short(value) } else { format!("{value:.decimals$}") }
    };
    // Plus zero turns minus zero into zero.
    (first..=last).map(|n| n as f64 * step + 0.0).map(|value| (value, text(value))).collect()
}

fn logarithmic(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
    let count = (last - first + 1).max(0) as usize;
    let every = count.div_ceil(most.max(1)).max(1);
    let mut ticks: Vec<f64> = (first..=last).step_by(every).map(|power| 10f64.powi(power)).collect();
    // Few decades leave room for a step or two between them.
    if every == 1 && count * 3 <= most {
        let between = (first - 1..=last).flat_map(|power| [2.0, 5.0].map(|factor| factor * 10f64.powi(power)));
        ticks.extend(between.filter(|value| (low..=high).contains(value)));
        ticks.sort_by(f64::total_cmp);
    }
    ticks.into_iter().map(|value| (value, short(value))).collect()
}

/// At most four significant digits; powers of ten where there would be many zeros.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-4..1e6).contains(&size) {
        let text = format!("{value:.1e}");
        return text.replace(".0e", "e");
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, most: usize) -> Vec<String> {
        scale.ticks(most).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_of_equal_length() {
        assert_eq!(texts(Scale::Linear { low: 0.43, high: 0.91 }, 5), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert_eq!(texts(Scale::Linear { low: 0.0, high: 25.0 }, 6), ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(texts(Scale::Linear { low: -0.002, high: 0.011 }, 3), ["0.000", "0.005", "0.010"]);
        assert_eq!(texts(Scale::Log { low: 0.00005, high: 2.0 }, 6), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(texts(Scale::Log { low: 1e-9, high: 1e9 }, 6).len(), 5);
    }

    #[test]
    fn equal_values_and_none_have_a_scale_too() {
        assert!(matches!(Scale::around(&[0.5, 0.5], 0.05), Scale::Linear { low, high } if low < 0.5 && high > 0.5));
        assert_eq!(Scale::around(&[], 0.05), Scale::Linear { low: 0.0, high: 1.0 });
        assert_eq!(Scale::around(&[f64::NAN, f64::INFINITY], 0.1), Scale::Linear { low: 0.0, high: 1.0 });
    }

    #[test]
    fn shares_run_from_end_to_end() {
        let log = Scale::Log { low: 0.01, high: 100.0 };
        assert!((log.share(1.0) - 0.5).abs() < 1e-12);
        assert_eq!(Scale::slots(4).share(0.0), 0.125);
        assert_eq!(
            [short(0.0001), short(1e-5), short(4096.0), short(0.30000000000000004)],
            ["0.0001", "1e-5", "4096", "0.3"]
        );
    }
}
