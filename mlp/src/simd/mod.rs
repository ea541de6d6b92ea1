//! Sixteen `f32` lanes at once, with the same bits on every CPU: the only module of the engines
//! with `unsafe`.
//!
//! Kernels are written once, over [`Simd`], in safe code. A value of an implementor is the proof
//! that this CPU has its instructions: the fields are private, and the only way to one is
//! detection. Every operation is lane by lane and correctly rounded (IEEE 754), so AVX-512, AVX2
//! and plain arrays give the same bits; there are no sums across lanes, approximations or
//! contractions here, and none may be added.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
mod strided;

use std::ops::{Add, Div, Mul, Sub};

pub(super) use aligned::Aligned;
#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;
pub(super) use strided::{Band, BandMut, Samples};

/// Lanes of a vector.
pub(super) const LANES: usize = 16;

/// Sixteen numbers.
pub(super) trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// A yes or no for each lane.
    type Mask: Copy;

    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The magnitude; not a number stays one.
    fn abs(self) -> Self;
    /// `if self > other { self } else { other }`: where either is not a number, `other`.
    fn larger(self, other: Self) -> Self;
    /// `if self < other { self } else { other }`: where either is not a number, `other`.
    fn smaller(self, other: Self) -> Self;
    /// `self < other`; false where either is not a number.
    fn less(self, other: Self) -> Self::Mask;
    /// Whether a lane of the mask says yes.
    fn any(mask: Self::Mask) -> bool;
    /// Whether all lanes of the mask say yes.
    fn all(mask: Self::Mask) -> bool;
    /// `if mask { self } else { other }`
    fn select(self, mask: Self::Mask, other: Self) -> Self;
    /// The nearest whole number, the even one of two.
    fn round(self) -> Self;
    /// 2 to the power `self`, for whole numbers in -126..=127; anything for others.
    fn power_of_two(self) -> Self;
    /// `(m, e)` with `self` = m 2^e and m in [sqrt(1/2), sqrt(2)), for normal numbers above 0;
    /// anything for others.
    fn split(self) -> (Self, Self);
    /// Writes all lanes.
    fn store(self, to: &mut [f32; LANES]);
    /// Writes the first `to.len()` lanes, at most [`LANES`].
    fn store_part(self, to: &mut [f32]);
}

/// A set of instructions that this CPU has.
pub(super) trait Simd: Copy {
    /// Its vectors.
    type V: Lanes;
    /// Whether 32 registers hold a whole vector each: decides how large a block of a matrix product
    /// is.
    const WIDE: bool;

    /// The same number in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// All lanes.
    fn load(self, from: &[f32; LANES]) -> Self::V;
    /// `from.len()` lanes, at most [`LANES`]; 0 in the others.
    fn load_part(self, from: &[f32]) -> Self::V;
    /// Turns a square: lane c of vector r becomes lane r of vector c.
    fn turn(self, square: &mut [Self::V; LANES]);
}

/// Asks for the cache line of the first of `values`; no effect but on time.
#[inline(always)]
#[allow(unsafe_code, reason = "the instruction is part of every x86-64, and reads nothing that the program could see")]
pub(super) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: any address will do.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().cast());
    }
}

/// The instructions that kernels run with. Results do not depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

impl Isa {
    /// The best of this CPU.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = Avx512::detect() {
            return Self::Avx512(avx512);
        } else if let Some(avx2) = Avx2::detect() {
            return Self::Avx2(avx2);
        }
        Self::Portable(Portable)
    }

    /// All of this CPU, for tests: the results of each must have the same bits.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable(Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx2::detect().map(Self::Avx2));
            all.extend(Avx512::detect().map(Self::Avx512));
        }
        all
    }

    /// `avx512`, `avx2` or `portable`.
    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Portable(_) => "portable",
        }
    }
}

/// Makes `fn name(isa: Isa, arguments)` of a generic `#[inline(always)] fn generic<S: Simd>(s: S,
/// arguments)`: compiled once for each set of instructions, and dispatched by the value of `isa`.
/// Whatever is inlined into it may use them, also plain loops that the compiler vectorises.
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $generic:path) => {
        $(#[$meta])*
        #[allow(unsafe_code, reason = "calls code for instructions whose presence `isa` proves")]
        $vis fn $name(isa: $crate::simd::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,bmi1,popcnt")]
            fn wide(s: $crate::simd::Avx512, $($arg: $ty),*) $(-> $ret)? {
                $generic(s, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi1,popcnt")]
            fn half(s: $crate::simd::Avx2, $($arg: $ty),*) $(-> $ret)? {
                $generic(s, $($arg),*)
            }
            match isa {
                // SAFETY: the value exists only where the CPU has these instructions.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Isa::Avx512(s) => unsafe { wide(s, $($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Isa::Avx2(s) => unsafe { half(s, $($arg),*) },
                $crate::simd::Isa::Portable(s) => $generic(s, $($arg),*),
            }
        }
    };
}
pub(super) use dispatched;

/// The four operators of a vector type.
macro_rules! operators {
    ($name:ty, $($trait:ident $method:ident |$a:ident, $b:ident| $body:expr;)*) => {$(
        impl std::ops::$trait for $name {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                $body
            }
        }
    )*};
}
use operators;

#[cfg(test)]
mod tests;
