//! One 512-bit register a vector.
#![allow(
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    reason = "every block calls instructions whose presence a value of `Avx512` or `Zmm` proves; memory is reached through \
              references to as many numbers as are read or written"
)]

#[allow(clippy::wildcard_imports, reason = "dozens of instructions, all with the prefix of their set")]
use std::arch::x86_64::*;

use super::portable::SQRT_HALF;
use super::{LANES, Lanes, Simd, operators};

/// Proof of AVX-512 F, BW, VL and DQ, and of what every CPU with them has: AVX2, FMA, BMI1, POPCNT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

#[derive(Clone, Copy)]
pub(crate) struct Zmm(__m512);

impl Avx512 {
    /// If this CPU has it.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt");
        all.then_some(Self(()))
    }
}

operators! { Zmm,
    Add add |a, b| unsafe { Zmm(_mm512_add_ps(a.0, b.0)) };
    Sub sub |a, b| unsafe { Zmm(_mm512_sub_ps(a.0, b.0)) };
    Mul mul |a, b| unsafe { Zmm(_mm512_mul_ps(a.0, b.0)) };
    Div div |a, b| unsafe { Zmm(_mm512_div_ps(a.0, b.0)) };
}

/// The first `lanes` of 16.
#[inline(always)]
fn first(lanes: usize) -> __mmask16 {
    assert!(lanes <= LANES, "a vector has {LANES} lanes");
    ((1_u32 << lanes) - 1) as __mmask16
}

impl Lanes for Zmm {
    type Mask = __mmask16;

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        unsafe { Self(_mm512_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        unsafe { Self(_mm512_abs_ps(self.0)) }
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        mask != 0
    }

    #[inline(always)]
    fn all(mask: Self::Mask) -> bool {
        mask == __mmask16::MAX
    }

    #[inline(always)]
    fn select(self, mask: Self::Mask, other: Self) -> Self {
        unsafe { Self(_mm512_mask_blend_ps(mask, other.0, self.0)) }
    }

    #[inline(always)]
    fn round(self) -> Self {
        unsafe { Self(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent)))
        }
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        unsafe {
            let half = _mm512_set1_epi32(SQRT_HALF.cast_signed());
            let shifted = _mm512_sub_epi32(_mm512_castps_si512(self.0), half);
            let fraction = _mm512_and_si512(shifted, _mm512_set1_epi32(0x007f_ffff));
            let m = _mm512_castsi512_ps(_mm512_add_epi32(fraction, half));
            (Self(m), Self(_mm512_cvtepi32_ps(_mm512_srai_epi32::<23>(shifted))))
        }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first(to.len()), self.0) }
    }
}

impl Simd for Avx512 {
    type V = Zmm;
    const WIDE: bool = true;

    #[inline(always)]
    fn splat(self, value: f32) -> Zmm {
        unsafe { Zmm(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Zmm {
        unsafe { Zmm(_mm512_loadu_ps(from.as_ptr())) }
    }

    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Zmm {
        unsafe { Zmm(_mm512_maskz_loadu_ps(first(from.len()), from.as_ptr())) }
    }

    #[inline(always)]
    fn turn(self, square: &mut [Zmm; LANES]) {
        // Pairs of numbers, then fours; then quarters of registers, by one bit of their number and
        // by the other.
        let mut pairs = *square;
        for i in 0..8 {
            let (a, b) = (square[2 * i].0, square[2 * i + 1].0);
            (pairs[2 * i], pairs[2 * i + 1]) =
                unsafe { (Zmm(_mm512_unpacklo_ps(a, b)), Zmm(_mm512_unpackhi_ps(a, b))) };
        }
        let mut fours = pairs;
        for i in 0..4 {
            for j in 0..2 {
                let (a, b) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
                let (a, b) = unsafe { (_mm512_castps_pd(a.0), _mm512_castps_pd(b.0)) };
                fours[4 * i + 2 * j] = unsafe { Zmm(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b))) };
                fours[4 * i + 2 * j + 1] = unsafe { Zmm(_mm512_castpd_ps(_mm512_unpackhi_pd(a, b))) };
            }
        }
        let mut halves = fours;
        for j in 0..4 {
            for i in 0..2 {
                let (a, b) = (fours[8 * i + j].0, fours[8 * i + j + 4].0);
                halves[8 * i + j] = unsafe { Zmm(_mm512_shuffle_f32x4::<0b10_00_10_00>(a, b)) };
                halves[8 * i + j + 4] = unsafe { Zmm(_mm512_shuffle_f32x4::<0b11_01_11_01>(a, b)) };
            }
        }
        for j in 0..8 {
            let (a, b) = (halves[j].0, halves[j + 8].0);
            square[j] = unsafe { Zmm(_mm512_shuffle_f32x4::<0b10_00_10_00>(a, b)) };
            square[j + 8] = unsafe { Zmm(_mm512_shuffle_f32x4::<0b11_01_11_01>(a, b)) };
        }
    }
}
