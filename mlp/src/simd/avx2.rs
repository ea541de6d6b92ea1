//! Two 256-bit registers a vector, with fused multiply-add.
#![allow(
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    reason = "every block calls instructions whose presence a value of `Avx2` or `Ymm` proves; memory is reached through \
              references to as many numbers as are read or written"
)]

#[allow(clippy::wildcard_imports, reason = "dozens of instructions, all with the prefix of their set")]
use std::arch::x86_64::*;

use super::portable::SQRT_HALF;
use super::{LANES, Lanes, Simd, operators};

/// Proof of AVX2, FMA, BMI1 and POPCNT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

#[derive(Clone, Copy)]
pub(crate) struct Ymm(__m256, __m256);

impl Avx2 {
    /// If this CPU has it.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt");
        all.then_some(Self(()))
    }
}

operators! { Ymm,
    Add add |a, b| unsafe { Ymm(_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) };
    Sub sub |a, b| unsafe { Ymm(_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)) };
    Mul mul |a, b| unsafe { Ymm(_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) };
    Div div |a, b| unsafe { Ymm(_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) };
}

/// The first `lanes` of 16, all bits set in each.
#[inline(always)]
fn first(lanes: usize) -> (__m256i, __m256i) {
    assert!(lanes <= LANES, "a vector has {LANES} lanes");
    unsafe {
        let count = _mm256_set1_epi32(lanes as i32);
        let low = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let high = _mm256_add_epi32(low, _mm256_set1_epi32(8));
        (_mm256_cmpgt_epi32(count, low), _mm256_cmpgt_epi32(count, high))
    }
}

impl Ymm {
    #[inline(always)]
    fn both(self, f: impl Fn(__m256) -> __m256) -> Self {
        Self(f(self.0), f(self.1))
    }
}

impl Lanes for Ymm {
    type Mask = (__m256, __m256);

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, addend.0), _mm256_fmadd_ps(self.1, factor.1, addend.1)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        unsafe { Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.both(|half| unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), half) })
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        unsafe { (_mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0), _mm256_cmp_ps::<_CMP_LT_OQ>(self.1, other.1)) }
    }

    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        unsafe { _mm256_movemask_ps(_mm256_or_ps(mask.0, mask.1)) != 0 }
    }

    #[inline(always)]
    fn all(mask: Self::Mask) -> bool {
        unsafe { _mm256_movemask_ps(_mm256_and_ps(mask.0, mask.1)) == 0xff }
    }

    #[inline(always)]
    fn select(self, mask: Self::Mask, other: Self) -> Self {
        unsafe { Self(_mm256_blendv_ps(other.0, self.0, mask.0), _mm256_blendv_ps(other.1, self.1, mask.1)) }
    }

    #[inline(always)]
    fn round(self) -> Self {
        self.both(|half| unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(half) })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        self.both(|half| unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(half), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        })
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let shifted =
            |half| unsafe { _mm256_sub_epi32(_mm256_castps_si256(half), _mm256_set1_epi32(SQRT_HALF.cast_signed())) };
        let m = self.both(|half| unsafe {
            let fraction = _mm256_and_si256(shifted(half), _mm256_set1_epi32(0x007f_ffff));
            _mm256_castsi256_ps(_mm256_add_epi32(fraction, _mm256_set1_epi32(SQRT_HALF.cast_signed())))
        });
        (m, self.both(|half| unsafe { _mm256_cvtepi32_ps(_mm256_srai_epi32::<23>(shifted(half))) }))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        let (low, high) = to.split_at_mut(8);
        unsafe {
            _mm256_storeu_ps(low.as_mut_ptr(), self.0);
            _mm256_storeu_ps(high.as_mut_ptr(), self.1);
        }
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        let (low, high) = first(to.len());
        unsafe {
            _mm256_maskstore_ps(to.as_mut_ptr(), low, self.0);
            // Of lanes that the mask leaves out nothing is touched, so the address need not be
            // inside.
            _mm256_maskstore_ps(to.as_mut_ptr().wrapping_add(8), high, self.1);
        }
    }
}

/// Turns a square of eight registers. A function, not a closure: a closure that is not inlined has
/// no such instructions.
#[inline(always)]
fn turn_eight(rows: [__m256; 8]) -> [__m256; 8] {
    unsafe {
        // Pairs of numbers, then fours, then halves of registers.
        let mut pairs = rows;
        for i in 0..4 {
            pairs[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
        }
        let mut fours = pairs;
        for i in 0..2 {
            for j in 0..2 {
                let (a, b) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
                fours[4 * i + 2 * j] = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                fours[4 * i + 2 * j + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
            }
        }
        let mut turned = fours;
        for j in 0..4 {
            turned[j] = _mm256_permute2f128_ps::<0x20>(fours[j], fours[j + 4]);
            turned[j + 4] = _mm256_permute2f128_ps::<0x31>(fours[j], fours[j + 4]);
        }
        turned
    }
}

impl Simd for Avx2 {
    type V = Ymm;
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> Ymm {
        let half = unsafe { _mm256_set1_ps(value) };
        Ymm(half, half)
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Ymm {
        let (low, high) = from.split_at(8);
        unsafe { Ymm(_mm256_loadu_ps(low.as_ptr()), _mm256_loadu_ps(high.as_ptr())) }
    }

    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Ymm {
        let (low, high) = first(from.len());
        // Of lanes that the mask leaves out nothing is touched, so the address need not be inside.
        let behind = from.as_ptr().wrapping_add(8);
        unsafe { Ymm(_mm256_maskload_ps(from.as_ptr(), low), _mm256_maskload_ps(behind, high)) }
    }

    #[inline(always)]
    fn turn(self, square: &mut [Ymm; LANES]) {
        let quarter = |from: usize, part: usize| -> [__m256; 8] {
            std::array::from_fn(|i| if part == 0 { square[from + i].0 } else { square[from + i].1 })
        };
        let turned = [
            turn_eight(quarter(0, 0)),
            turn_eight(quarter(8, 0)),
            turn_eight(quarter(0, 1)),
            turn_eight(quarter(8, 1)),
        ];
        for i in 0..8 {
            square[i] = Ymm(turned[0][i], turned[1][i]);
            square[i + 8] = Ymm(turned[2][i], turned[3][i]);
        }
    }
}
