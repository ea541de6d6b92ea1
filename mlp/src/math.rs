//! Elementary functions made of correctly rounded operations alone, so that a result has the same
//! bits on every platform, which those of the system's math library have not. Relative errors: exp
//! 1e-14, ln 2e-15, pow 5e-13 at the ends of its range.

use std::f64::consts::{FRAC_PI_2, LN_2, PI, SQRT_2};

/// The sum of `of` over `values`, in an order of its own: sixteen sums, each of every sixteenth
/// value, and then their sum. A sum in the order of the values would wait for itself at each of
/// them.
#[inline(always)]
pub(crate) fn sum(values: &[f32], of: impl Fn(f32) -> f64) -> f64 {
    let mut sums = [0.0; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += of(value);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += of(value);
    }
    sums.iter().sum()
}

/// `base` to the power `exponent`, rounded to `f32` once.
pub(crate) fn power(base: f32, mut exponent: u64) -> f32 {
    let mut square = f64::from(base);
    let mut product = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            product *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    product as f32
}

/// `x` to the power `exponent` for `x` >= 0: exp(exponent ln x). 0 to the power 0 is 1; a negative
/// `x` has none.
pub(crate) fn pow(x: f64, exponent: f64) -> f64 {
    if exponent == 0.0 || x == 1.0 {
        return 1.0;
    }
    exp(exponent * ln(x))
}

/// The natural logarithm: x = m 2^e with m around 1, and ln m = 2 artanh((m - 1) / (m + 1)) by its
/// series.
pub(crate) fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 || x.is_infinite() {
        return if x == 0.0 { f64::NEG_INFINITY } else { x };
    }
    // 2^54 makes a subnormal number normal.
    let (x, scaled) = if x < f64::MIN_POSITIVE { (x * 18_014_398_509_481_984.0, 54) } else { (x, 0) };
    let bits = x.to_bits();
    let mut e = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mut m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if m > SQRT_2 {
        m /= 2.0;
        e += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    // |s| <= 0.172: the term after s^23 is below 1e-19.
    let mut sum = 0.0;
    for k in (0..=11).rev() {
        sum = sum * (s * s) + 1.0 / f64::from(2 * k + 1);
    }
    f64::from(e - scaled) * LN_2 + 2.0 * s * sum
}

/// e to the power `x`: x = k ln 2 + r, |r| <= ln 2 / 2, and Taylor's series of exp(r).
pub(crate) fn exp(x: f64) -> f64 {
    // LN_2 in two parts: the first has zeros at its end, so k times it is exact.
    const HIGH: f64 = 0.693_147_180_369_123_8;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    if x.is_nan() {
        return x;
    }
    if x > 709.0 {
        return f64::INFINITY;
    }
    if x < -708.0 {
        return 0.0;
    }
    let k = (x / LN_2).round();
    let r = (x - k * HIGH) - k * LOW;
    let mut sum = 1.0;
    for n in (1..=14).rev() {
        sum = 1.0 + r / f64::from(n) * sum;
    }
    sum * f64::from_bits(((k as i64 + 1023) as u64) << 52)
}

/// The cosine of `x` in [0, pi], by Taylor's series on [0, pi / 2].
pub(crate) fn cos(x: f64) -> f64 {
    if x > FRAC_PI_2 {
        return -cos(PI - x);
    }
    let mut sum = 1.0;
    for n in (1..=12).rev() {
        sum = 1.0 - x * x / f64::from((2 * n - 1) * 2 * n) * sum;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(what: &str, got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{what}: {got}, not {expected}");
    }

    #[test]
    fn a_sum_counts_every_value_once() {
        for n in [0, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            assert_eq!(sum(&values, |value| f64::from(value) * 0.5), f64::from(n * (n + 1)) / 4.0);
        }
    }

    #[test]
    fn powers_are_those_of_repeated_multiplication() {
        assert_eq!(power(0.9, 0), 1.0);
        assert_eq!(power(0.9, 1), 0.9);
        let exact = (1..=1000).fold(1.0_f64, |p, _| p * f64::from(0.999_f32));
        assert!((f64::from(power(0.999, 1000)) - exact).abs() < 1e-7 * exact);
    }

    #[test]
    fn functions_are_those_of_the_system_to_rounding() {
        for i in 0..20_000 {
            let x = f64::from(i) * 0.07 - 700.0;
            assert_close("exp", exp(x) / x.exp(), 1.0, 1e-14);
            let y = (x / 8.0).exp();
            assert_close("ln", ln(y), y.ln(), 2e-15 * y.ln().abs().max(1.0));
            for exponent in [-2.5, 0.25, 0.5, 1.3] {
                assert_close("pow", pow(y, exponent) / y.powf(exponent), 1.0, 5e-13);
            }
            let angle = f64::from(i) * PI / 20_000.0;
            assert_close("cos", cos(angle), angle.cos(), 1e-15);
        }
    }

    #[test]
    fn the_ends_of_their_ranges_have_values() {
        assert_eq!((exp(-1e9), exp(1e9), exp(0.0)), (0.0, f64::INFINITY, 1.0));
        assert_eq!((ln(0.0), ln(f64::INFINITY), ln(1.0)), (f64::NEG_INFINITY, f64::INFINITY, 0.0));
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan() && exp(f64::NAN).is_nan());
        assert_close("a subnormal", ln(5e-324), 5e-324_f64.ln(), 1e-12);
        assert_eq!((pow(0.0, 0.0), pow(0.0, 0.7), pow(1.0, 3.0), cos(0.0), cos(PI)), (1.0, 0.0, 1.0, 1.0, -1.0));
    }
}
