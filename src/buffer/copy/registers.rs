//! The wide registers of x86-64.

use std::arch::x86_64::*;

/// Bytes of a lane. Wide registers are rows of lanes, and shuffle within each of them.
pub(super) const LANE: usize = size_of::<__m128i>();

/// A register. Its functions are inlined into ones that are compiled for processors which have it.
pub(super) trait Register: Copy {
    const LANES: usize = size_of::<Self>() / LANE;

    /// # Safety
    /// The processor has the register, whose length is readable at `from`.
    unsafe fn load(from: *const u8) -> Self;

    /// One lane from `from`, and each next one from `apart` bytes further on.
    ///
    /// # Safety
    /// The processor has the register, and all of those bytes are readable.
    unsafe fn gather(from: *const u8, apart: isize) -> Self;

    /// # Safety
    /// The processor has the register, whose length is writable at `to`.
    unsafe fn store(self, to: *mut u8);

    /// As [`store`](Register::store), past the caches.
    ///
    /// # Safety
    /// As for `store`; `to` is aligned to the register's length.
    unsafe fn stream(self, to: *mut u8);

    /// Items as long as `T` from `a` and `b` in turns: from the first halves of their lanes, and from the second ones.
    ///
    /// # Safety
    /// The processor has the register.
    unsafe fn interleave<T>(a: Self, b: Self) -> (Self, Self);
}

macro_rules! register {
    ($Register:ty, $load:ident, $store:ident, $stream:ident, $($size:literal: $first:ident, $second:ident;)*) => {
        impl Register for $Register {
            #[inline(always)]
            unsafe fn load(from: *const u8) -> Self {
                // SAFETY: the caller's promise; no alignment is asked for.
                unsafe { $load(from.cast()) }
            }

            #[inline(always)]
            unsafe fn gather(from: *const u8, apart: isize) -> Self {
                let lanes: [__m128i; Self::LANES] = std::array::from_fn(|lane| {
                    // SAFETY: the caller's promise; SSE is part of x86-64.
                    unsafe { _mm_loadu_si128(from.wrapping_offset(lane as isize * apart).cast()) }
                });
                // SAFETY: as many lanes as the register has; it may have any bits.
                unsafe { std::mem::transmute::<[__m128i; Self::LANES], Self>(lanes) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // SAFETY: the caller's promise; no alignment is asked for.
                unsafe { $store(to.cast(), self) };
            }

            #[inline(always)]
            unsafe fn stream(self, to: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { $stream(to.cast(), self) };
            }

            #[inline(always)]
            unsafe fn interleave<T>(a: Self, b: Self) -> (Self, Self) {
                match size_of::<T>() {
                    $($size => {
                        // SAFETY: the caller's promise.
                        let first = unsafe { $first(a, b) };
                        // SAFETY: the caller's promise.
                        let second = unsafe { $second(a, b) };
                        (first, second)
                    })*
                    size => unreachable!("lanes have no items of {size} bytes to interleave"),
                }
            }
        }
    };
}

register! {
    __m128i, _mm_loadu_si128, _mm_storeu_si128, _mm_stream_si128,
    1: _mm_unpacklo_epi8, _mm_unpackhi_epi8;
    2: _mm_unpacklo_epi16, _mm_unpackhi_epi16;
    4: _mm_unpacklo_epi32, _mm_unpackhi_epi32;
    8: _mm_unpacklo_epi64, _mm_unpackhi_epi64;
}
register! {
    __m256i, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_stream_si256,
    1: _mm256_unpacklo_epi8, _mm256_unpackhi_epi8;
    2: _mm256_unpacklo_epi16, _mm256_unpackhi_epi16;
    4: _mm256_unpacklo_epi32, _mm256_unpackhi_epi32;
    8: _mm256_unpacklo_epi64, _mm256_unpackhi_epi64;
}
register! {
    __m512i, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_stream_si512,
    1: _mm512_unpacklo_epi8, _mm512_unpackhi_epi8;
    2: _mm512_unpacklo_epi16, _mm512_unpackhi_epi16;
    4: _mm512_unpacklo_epi32, _mm512_unpackhi_epi32;
    8: _mm512_unpacklo_epi64, _mm512_unpackhi_epi64;
}
