//! Scales and ticks: from a number to a place in a panel, and which numbers are written along it.

/// How numbers are laid along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Evenly.
    Linear { low: f64, high: f64 },
    /// By their logarithm; both ends are positive.
    Log { low: f64, high: f64 },
    /// So many places of equal width, numbered from 0.
    Slots { count: usize },
}

/// More than two decades, all positive: a logarithmic axis.
const DECADES: f64 = 100.0;

/// Beyond so many lengths of its panel a number is drawn at the same place: readers of SVG stumble
/// over huge ones.
const FAR: f64 = 1000.0;
/// Numbers that lie closer together than this share of their size are drawn as one: no tick could
/// tell them apart.
const CLOSE: f64 = 1e-13;
/// Smaller steps are not written: their powers leave the range of numbers.
const FINEST: f64 = 1e-290;

impl Scale {
    /// Holds all `values` with so much of the whole as margin at both ends; logarithmic where they
    /// ask for it. Whatever the values, the ends are finite and apart.
    pub(crate) fn around(values: &[f64], margin: f64) -> Self {
        let (low, high) = ends(values);
        if low > high {
            return Self::Linear { low: 0.0, high: 1.0 };
        }
        if low > 0.0 && high / low > DECADES {
            return Self::log_around(values, margin);
        }
        Self::linear_around(low, high, margin)
    }

    /// The axis of shares such as accuracies, from 0 to 1 at most: even where they spread over
    /// decades.
    pub(crate) fn shares(values: &[f64], margin: f64) -> Self {
        let (low, high) = ends(values);
        let scale =
            if low > high { Self::Linear { low: 0.0, high: 1.0 } } else { Self::linear_around(low, high, margin) };
        scale.clamped(0.0, 1.0)
    }

    fn linear_around(low: f64, high: f64, margin: f64) -> Self {
        // Halves, since the difference of two numbers may be beyond all numbers.
        let half = high / 2.0 - low / 2.0;
        let flat = !(half > low.abs().max(high.abs()) * CLOSE && half > FINEST);
        let room = if flat { (high.abs() * 0.05).max(0.005) } else { half * margin * 2.0 };
        Self::Linear { low: (low - room).max(f64::MIN), high: (high + room).min(f64::MAX) }
    }

    /// A logarithmic scale that holds all `values`, which are positive, with so much of the whole
    /// as margin.
    pub(crate) fn log_around(values: &[f64], margin: f64) -> Self {
        let (low, high) = ends(values);
        let (low, high) = (low.ln(), high.ln());
        let room = if high > low { (high - low) * margin } else { 1.0 };
        Self::Log { low: (low - room).exp().max(f64::from_bits(1)), high: (high + room).exp().min(f64::MAX) }
    }

    pub(crate) fn slots(count: usize) -> Self {
        Self::Slots { count: count.max(1) }
    }

    /// The same scale with its ends kept within `low` and `high`: no accuracy is above 1.
    pub(crate) fn clamped(self, least: f64, most: f64) -> Self {
        match self {
            Self::Linear { low, high } if low.max(least) < high.min(most) => {
                Self::Linear { low: low.max(least), high: high.min(most) }
            }
            other => other,
        }
    }

    /// 0 at the lower end, 1 at the upper.
    pub(crate) fn share(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { low, high } => (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
            Self::Log { low, high } if value > 0.0 => (value.ln() - low.ln()) / (high.ln() - low.ln()),
            Self::Log { .. } => -1.0,
            Self::Slots { count } => (value + 0.5) / count as f64,
        };
        if share.is_nan() { -1.0 } else { share.clamp(-FAR, FAR) }
    }

    /// Round numbers, at most about `most` of them, with their texts.
    pub(crate) fn ticks(self, most: usize) -> Vec<(f64, String)> {
        match self {
            Self::Linear { low, high } => linear(low, high, most.max(2)),
            Self::Log { low, high } => logarithmic(low, high, most.max(2)),
            Self::Slots { count } => (0..count).map(|slot| (slot as f64, slot.to_string())).collect(),
        }
    }
}

/// The least and the largest finite number; the wrong way round where there is none.
fn ends(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().filter(|value| value.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

fn linear(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let rough = (high / 2.0 - low / 2.0) / most as f64 * 2.0;
    if !(rough > FINEST && rough.is_finite()) {
        return vec![(low, short(low))];
    }
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| *step >= rough && step.is_finite()).unwrap_or(power);
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let text = |value: f64| {
        if value.abs() >= 1e6 || decimals > 6 { short(value) } else { format!("{value:.decimals$}") }
    };
    // No number of ticks depends on the numbers alone. Plus zero turns minus zero into zero.
    let ticks = (first..=last).take(2 * most + 4).map(|n| n as f64 * step + 0.0);
    ticks.filter(|value| value.is_finite()).map(|value| (value, text(value))).collect()
}

fn logarithmic(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
    let count = (last - first + 1).max(0) as usize;
    let every = count.div_ceil(most).max(1);
    // Not by a whole power, which turns those below 1e-308 into 0.
    let ten = |power: i32| 10f64.powf(power.into());
    let mut ticks: Vec<f64> = (first..=last).step_by(every).map(ten).collect();
    // Few decades leave room for a step or two between them.
    if every == 1 && count * 3 <= most {
        let between = (first - 1..=last).flat_map(|power| [2.0, 5.0].map(|factor| factor * ten(power)));
        ticks.extend(between.filter(|value| (low..=high).contains(value)));
        ticks.sort_by(f64::total_cmp);
    }
    ticks.into_iter().filter(|value| *value > 0.0 && value.is_finite()).map(|value| (value, short(value))).collect()
}

/// At most four significant digits; powers of ten where there would be many zeros.
pub(crate) fn short(value: f64) -> String {
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
    fn whatever_the_numbers_a_scale_is_finite_and_its_ticks_are_few() {
        const ODD: [f64; 14] = [
            f64::MAX,
            f64::MIN,
            1e300,
            -1e300,
            5e-324,
            -5e-324,
            0.0,
            -0.0,
            1.0,
            0.5,
            1.0 - f64::EPSILON,
            1e17,
            f64::INFINITY,
            f64::NAN,
        ];
        for a in ODD {
            for b in ODD {
                for c in ODD {
                    let values = [a, b, c];
                    let mut scales = vec![Scale::around(&values, 0.09), Scale::shares(&values, 0.0)];
                    if values.iter().all(|value| *value > 0.0 && value.is_finite()) {
                        scales.push(Scale::log_around(&values, 0.05));
                    }
                    for scale in scales {
                        let (Scale::Linear { low, high } | Scale::Log { low, high }) = scale else { unreachable!() };
                        assert!(low.is_finite() && high.is_finite() && low < high, "{values:?}: {scale:?}");
                        for most in [0, 2, 5, 30] {
                            let ticks = scale.ticks(most);
                            assert!(ticks.len() <= 2 * most.max(2) + 4, "{values:?}: {ticks:?}");
                            assert!(
                                ticks.iter().all(|(value, text)| value.is_finite() && text.len() < 12),
                                "{ticks:?}"
                            );
                        }
                        assert!(values.iter().all(|value| scale.share(*value).abs() <= FAR), "{values:?}: {scale:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_whole_range_of_numbers_has_a_middle() {
        let scale = Scale::around(&[f64::MIN, f64::MAX], 0.05);
        assert_eq!([f64::MIN, 0.0, f64::MAX].map(|value| scale.share(value)), [0.0, 0.5, 1.0]);
        assert_eq!(texts(scale, 5), ["-1e308", "0", "1e308"]);
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
