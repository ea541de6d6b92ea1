//! Plain arrays: for CPUs without the other instruction sets, and what the others are tested
//! against.
//!
//! `f32::mul_add` is one instruction where the target has one (aarch64) and a correctly rounded
//! library function, slow but of the same bits, where it has not.

use super::{LANES, Lanes, Simd, operators};

/// Every CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Array([f32; LANES]);

impl Array {
    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        let mut result = self;
        for lane in &mut result.0 {
            *lane = f(*lane);
        }
        result
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut result = self;
        for (lane, other) in result.0.iter_mut().zip(other.0) {
            *lane = f(*lane, other);
        }
        result
    }
}

operators! { Array,
    Add add |a, b| a.zip(b, |a, b| a + b);
    Sub sub |a, b| a.zip(b, |a, b| a - b);
    Mul mul |a, b| a.zip(b, |a, b| a * b);
    Div div |a, b| a.zip(b, |a, b| a / b);
}

impl Lanes for Array {
    type Mask = [bool; LANES];

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        let mut result = self;
        for ((lane, factor), addend) in result.0.iter_mut().zip(factor.0).zip(addend.0) {
            *lane = lane.mul_add(factor, addend);
        }
        result
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.map(f32::abs)
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        let mut mask = [false; LANES];
        for ((yes, a), b) in mask.iter_mut().zip(self.0).zip(other.0) {
            *yes = a < b;
        }
        mask
    }

    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        mask.contains(&true)
    }

    #[inline(always)]
    fn all(mask: Self::Mask) -> bool {
        !mask.contains(&false)
    }

    #[inline(always)]
    fn select(self, mask: Self::Mask, other: Self) -> Self {
        let mut result = self;
        for ((lane, yes), other) in result.0.iter_mut().zip(mask).zip(other.0) {
            *lane = if yes { *lane } else { other };
        }
        result
    }

    #[inline(always)]
    fn round(self) -> Self {
        self.map(f32::round_ties_even)
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        self.map(|x| f32::from_bits((x as i32).wrapping_add(127).cast_unsigned() << 23))
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let shifted = |x: f32| x.to_bits().wrapping_sub(SQRT_HALF);
        let m = self.map(|x| f32::from_bits((shifted(x) & 0x007f_ffff).wrapping_add(SQRT_HALF)));
        (m, self.map(|x| (shifted(x).cast_signed() >> 23) as f32))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        to.copy_from_slice(&self.0[..to.len()]);
    }
}

/// The bits of sqrt(1/2).
pub(super) const SQRT_HALF: u32 = 0x3f35_04f3;

impl Simd for Portable {
    type V = Array;
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> Array {
        Array([value; LANES])
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Array {
        Array(*from)
    }

    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Array {
        let mut lanes = [0.0; LANES];
        lanes[..from.len()].copy_from_slice(from);
        Array(lanes)
    }

    #[inline(always)]
    fn turn(self, square: &mut [Array; LANES]) {
        for row in 1..LANES {
            for column in 0..row {
                let upper = square[column].0[row];
                square[column].0[row] = std::mem::replace(&mut square[row].0[column], upper);
            }
        }
    }
}
