//! exp, ln, tanh, erf and their like on vectors of `f32`, made of correctly rounded operations
//! alone: the same bits on every platform, which those of a system's math library have not.
//! Relative errors are a few units of the last place.
//!
//! Not a number in gives not a number out, in every function.

use super::simd::{Lanes, Simd};

/// The polynomial with these coefficients, the highest power first, at `x`, by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::V, coefficients: [f32; N]) -> S::V {
    let mut sum = s.splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, s.splat(coefficient));
    }
    sum
}

/// `(r, n)` with e^x = e^r 2^n, n whole and |r| <= ln(2) / 2, for `x` in -87.3..=88.3; the nearest
/// of these for others.
#[inline(always)]
fn reduced<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    // ln 2 in two parts: the first has zeros at its end, so that its product with n is exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    // In this order a NaN stays: both give the second where one is not a number.
    let x = s.splat(88.3).smaller(s.splat(-87.3).larger(x));
    let n = (x * s.splat(std::f32::consts::LOG2_E)).round();
    let r = n.mul_add(s.splat(-HIGH), x);
    (n.mul_add(s.splat(-LOW), r), n)
}

/// e^r - 1 for |r| <= ln(2) / 2. Coefficients of Cephes's `expf` (Moshier).
#[inline(always)]
fn exp_m1_reduced<S: Simd>(s: S, r: S::V) -> S::V {
    let p = polynomial(s, r, [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5]);
    (p * r).mul_add(r, r)
}

/// e^x, at least 1e-38 and at most 2e38.
#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    let (r, n) = reduced(s, x);
    (exp_m1_reduced(s, r) + s.splat(1.0)) * n.power_of_two()
}

/// e^x - 1, for `x` <= 0.
#[inline(always)]
pub(super) fn exp_m1<S: Simd>(s: S, x: S::V) -> S::V {
    let (r, n) = reduced(s, x);
    let scale = n.power_of_two();
    exp_m1_reduced(s, r).mul_add(scale, scale - s.splat(1.0))
}

/// The natural logarithm of normal numbers above 0. Coefficients of Cephes's `logf` (Moshier).
#[inline(always)]
pub(super) fn ln<S: Simd>(s: S, x: S::V) -> S::V {
    let (m, e) = x.split();
    let f = m - s.splat(1.0);
    let p = polynomial(
        s,
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let square = f * f;
    let tail = (p * f * square) + e * s.splat(-2.121_944_4e-4);
    let ln = square.mul_add(s.splat(-0.5), f) + tail;
    // x 0 is 0, or not a number where x is not finite.
    e.mul_add(s.splat(0.693_359_4), ln) + x * s.splat(0.0)
}

/// The hyperbolic tangent. Coefficients of Cephes's `tanhf` (Moshier).
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let magnitude = x.abs();
    // For the small ones an odd polynomial, for the others 1 - 2 / (e^2|x| + 1) with the sign of x.
    let square = x * x;
    let p = polynomial(s, square, [-5.704_988_6e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let small = (p * square).mul_add(x, x);
    let far = one - s.splat(2.0) / (exp(s, magnitude + magnitude) + one);
    let negative = x.less(s.splat(0.0));
    let large = (s.splat(0.0) - far).select(negative, far);
    small.select(magnitude.less(s.splat(0.625)), large)
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    one / (one + exp(s, s.splat(0.0) - x))
}

/// The error function, by the rational function of Eigen and XLA for `f32`.
#[inline(always)]
pub(super) fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    // Beyond it the value rounds to 1.
    const END: f32 = 3.832_507;
    let x = s.splat(END).smaller(s.splat(-END).larger(x));
    let square = x * x;
    let p = polynomial(
        s,
        square,
        [2.290_506_6e-4, 3.408_291e-3, 5.095_569_5e-2, 1.852_083_2e-1, std::f32::consts::FRAC_2_SQRT_PI],
    );
    let q = polynomial(
        s,
        square,
        [-1.179_160_3e-7, 2.354_796_6e-5, 1.017_962_5e-3, 1.407_047e-2, 1.109_850_5e-1, 4.974_692_5e-1, 1.0],
    );
    x * p / q
}

/// Phi(x), the distribution function of the standard normal.
#[inline(always)]
pub(super) fn normal_cdf<S: Simd>(s: S, x: S::V) -> S::V {
    let half = s.splat(0.5);
    half.mul_add(erf(s, x * s.splat(std::f32::consts::FRAC_1_SQRT_2)), half)
}

/// The density of the standard normal.
#[inline(always)]
pub(super) fn normal_density<S: Simd>(s: S, x: S::V) -> S::V {
    // 1 / sqrt(2 pi)
    const ROOT: f32 = 0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    s.splat(ROOT) * exp(s, x * x * s.splat(-0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, LANES, dispatched};

    /// Which function.
    #[derive(Debug, Clone, Copy)]
    enum Function {
        Exp,
        ExpM1,
        Ln,
        Tanh,
        Sigmoid,
        Erf,
        NormalCdf,
        NormalDensity,
    }

    #[inline(always)]
    fn all_generic<S: Simd>(s: S, function: Function, xs: &mut [f32]) {
        for xs in xs.as_chunks_mut::<LANES>().0 {
            let x = s.load(xs);
            let y = match function {
                Function::Exp => exp(s, x),
                Function::ExpM1 => exp_m1(s, x),
                Function::Ln => ln(s, x),
                Function::Tanh => tanh(s, x),
                Function::Sigmoid => sigmoid(s, x),
                Function::Erf => erf(s, x),
                Function::NormalCdf => normal_cdf(s, x),
                Function::NormalDensity => normal_density(s, x),
            };
            y.store(xs);
        }
    }
    dispatched!(fn all(function: Function, xs: &mut [f32]) = all_generic);

    /// By its Taylor series below 3, by its continued fraction above: 1e-15.
    fn exact_erf(x: f64) -> f64 {
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..100 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return sum * std::f64::consts::FRAC_2_SQRT_PI;
        }
        let a = x.abs();
        let fraction = (1..60).rev().fold(a, |rest, k| a + f64::from(k) / 2.0 / rest);
        (1.0 - (-a * a).exp() / fraction / std::f64::consts::PI.sqrt()).copysign(x)
    }

    fn exact(function: Function, x: f64) -> f64 {
        let cdf = |x: f64| 0.5 * (1.0 + exact_erf(x * std::f64::consts::FRAC_1_SQRT_2));
        match function {
            Function::Exp => x.exp(),
            Function::ExpM1 => x.exp_m1(),
            Function::Ln => x.ln(),
            Function::Tanh => x.tanh(),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Erf => exact_erf(x),
            Function::NormalCdf => cdf(x),
            Function::NormalDensity => (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt(),
        }
    }

    #[test]
    fn functions_are_right_to_a_few_units_of_the_last_place() {
        for (function, from, to, relative, absolute) in [
            (Function::Exp, -80.0, 88.0, 2.5e-7, 0.0),
            (Function::ExpM1, -80.0, 0.0, 3e-7, 0.0),
            (Function::Ln, 1e-30, 1e4, 2e-7, 1e-7),
            (Function::Ln, 0.5, 2.0, 2e-7, 0.0),
            (Function::Tanh, -12.0, 12.0, 3e-7, 0.0),
            (Function::Sigmoid, -80.0, 80.0, 3e-7, 0.0),
            (Function::Erf, -5.0, 5.0, 4e-7, 0.0),
            (Function::NormalCdf, -8.0, 8.0, 3e-7, 2e-7),
            (Function::NormalDensity, -8.0, 8.0, 5e-6, 1e-8),
        ] {
            let n = 160_000_usize;
            let xs: Vec<f32> = (0..n).map(|i| (from + (to - from) * (i as f64 + 0.5) / n as f64) as f32).collect();
            let mut ys = xs.clone();
            all(Isa::detect(), function, &mut ys);
            let mut largest = 0.0_f64;
            for (&x, &y) in xs.iter().zip(&ys) {
                let expected = exact(function, f64::from(x));
                let error = (f64::from(y) - expected).abs();
                largest = largest.max(error / expected.abs().max(1e-300));
                assert!(error <= relative * expected.abs() + absolute, "{function:?}({x}) = {y}, not {expected}");
            }
            println!("{function:?} on {from}..{to}: largest relative error {largest:.1e}");
        }
    }

    #[test]
    fn ends_and_numbers_that_are_none() {
        let nan = f32::NAN;
        for isa in Isa::all() {
            for function in [
                Function::Exp,
                Function::ExpM1,
                Function::Ln,
                Function::Tanh,
                Function::Sigmoid,
                Function::Erf,
                Function::NormalCdf,
                Function::NormalDensity,
            ] {
                let mut xs = [nan; LANES];
                all(isa, function, &mut xs);
                assert!(xs.iter().all(|x| x.is_nan()), "{isa:?} {function:?} of not a number");
            }
            for (function, x, expected) in [
                (Function::Tanh, 100.0, 1.0),
                (Function::Tanh, f32::NEG_INFINITY, -1.0),
                (Function::Tanh, 0.0, 0.0),
                (Function::Sigmoid, f32::INFINITY, 1.0),
                (Function::Erf, f32::INFINITY, 1.0),
                (Function::Exp, 0.0, 1.0),
                (Function::ExpM1, 0.0, 0.0),
                (Function::ExpM1, f32::NEG_INFINITY, -1.0),
                (Function::Ln, 1.0, 0.0),
            ] {
                let mut xs = [x; LANES];
                all(isa, function, &mut xs);
                assert!(xs.iter().all(|y| (y - expected).abs() < 2e-7), "{isa:?} {function:?}({x}) = {}", xs[0]);
            }
        }
    }

    #[test]
    fn every_set_of_instructions_gives_the_same_bits() {
        // Numbers of every magnitude, sign and kind: a walk through the bit patterns.
        let xs: Vec<f32> = (0..1 << 18).map(|i: u32| f32::from_bits(i.wrapping_mul(2_654_435_761))).collect();
        for function in [Function::Exp, Function::ExpM1, Function::Tanh, Function::Sigmoid, Function::Erf, Function::Ln]
        {
            let results: Vec<Vec<f32>> = Isa::all()
                .into_iter()
                .map(|isa| {
                    let mut ys = xs.clone();
                    all(isa, function, &mut ys);
                    ys
                })
                .collect();
            for ys in &results[1..] {
                for ((x, a), b) in xs.iter().zip(&results[0]).zip(ys) {
                    // ln promises nothing for the others.
                    if matches!(function, Function::Ln) && !(x.is_normal() && *x > 0.0) {
                        continue;
                    }
                    assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{function:?}({x}): {a} and {b}");
                }
            }
        }
    }
}
