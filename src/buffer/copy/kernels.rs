//! The code that copies a plane, for each size of items and each kind of processor.

use super::plan::Planes;
use super::rows;
#[cfg(target_arch = "x86_64")]
use super::{streamed, tiles};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m128i, __m256i, __m512i};

/// What copies a plane: from, to, and whether the destination is so large that stores past the caches pay.
///
/// Callers promise that the items of the plane that starts at `src` are readable, those of the one at `dst` writable, and that none
/// overlaps another.
pub(super) type Kernel = unsafe fn(src: *const u8, dst: *mut u8, planes: &Planes, streamed: bool);

/// How wide the registers are. Invariant 1: the processor has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width(Registers);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registers {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Width {
    /// All that this processor has, the widest first.
    pub(super) fn available() -> impl Iterator<Item = Width> {
        #[cfg(target_arch = "x86_64")]
        let wide = {
            let avx2 = is_x86_feature_detected!("avx2");
            let avx512 = avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            [avx512.then_some(Registers::Avx512), avx2.then_some(Registers::Avx2)]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [None];
        wide.into_iter().flatten().chain([Registers::Portable]).map(Width)
    }

    pub(super) fn widest() -> Width {
        Width::available().next().expect("the portable one is always there")
    }

    /// The kernel for the items of these planes, which it is told of `streamed`, too.
    pub(super) fn kernel(self, planes: &Planes, streamed: bool) -> Kernel {
        match planes.item {
            1 => self.of::<u8, 16>(planes, streamed),
            2 => self.of::<u16, 8>(planes, streamed),
            4 => self.of::<u32, 4>(planes, streamed),
            8 => self.of::<u64, 2>(planes, streamed),
            16 => self.of::<u128, 1>(planes, streamed),
            // Of these sizes are colours, points and small records.
            3 => rows::copy_items::<[u8; 3]>,
            6 => rows::copy_items::<[u8; 6]>,
            12 => rows::copy_items::<[u8; 12]>,
            24 => rows::copy_items::<[u8; 24]>,
            32 => rows::copy_items::<[u8; 32]>,
            _ => rows::copy_pieces,
        }
    }

    /// The kernel for items as long as `T`, of which a lane holds `N`.
    #[cfg(target_arch = "x86_64")]
    fn of<T: Copy, const N: usize>(self, planes: &Planes, streamed: bool) -> Kernel {
        let tiled = tiles::fit(planes, size_of::<T>());
        match self.0 {
            // An item that fills a lane needs no transposing; only whole lines win then.
            Registers::Avx512 if tiled && (N > 1 || streamed) => tiles_avx512::<T, N>,
            Registers::Avx2 if tiled && N > 1 => tiles_avx2::<T, N>,
            // Wider ones win nothing here.
            Registers::Avx512 | Registers::Avx2 => rows_avx2::<T>,
            Registers::Portable => rows::copy_items::<T>,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn of<T: Copy, const N: usize>(self, _: &Planes, _: bool) -> Kernel {
        rows::copy_items::<T>
    }

    /// Copies whole lines of the cache past it.
    ///
    /// # Safety
    /// `lines` of them are readable at `src` and writable at `dst`, which is aligned to a line.
    #[cfg(target_arch = "x86_64")]
    pub(super) unsafe fn stream(self, src: *const u8, dst: *mut u8, lines: usize) {
        let stream = match self.0 {
            Registers::Avx512 => lines_avx512,
            Registers::Avx2 => lines_avx2,
            Registers::Portable => streamed::lines::<__m128i>,
        };
        // SAFETY: the caller's promise; by invariant 1 the processor has the registers.
        unsafe { stream(src, dst, lines) };
    }
}

/// # Safety
/// As for [`Kernel`], on a processor with AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn rows_avx2<T: Copy>(src: *const u8, dst: *mut u8, planes: &Planes, streamed: bool) {
    // SAFETY: the caller's promise.
    unsafe { rows::copy_items::<T>(src, dst, planes, streamed) };
}

#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    ($features:literal, $Register:ty, $tiles:ident, $lines:ident) => {
        /// # Safety
        /// As for [`Kernel`], on a processor with the features, for planes that fit.
        #[target_feature(enable = $features)]
        unsafe fn $tiles<T: Copy, const N: usize>(src: *const u8, dst: *mut u8, planes: &Planes, streamed: bool) {
            // SAFETY: the caller's promise; SSE is part of x86-64.
            unsafe { tiles::copy::<$Register, __m128i, T, N>(src, dst, planes, streamed) };
        }

        /// # Safety
        /// As for [`streamed::lines`], on a processor with the features.
        #[target_feature(enable = $features)]
        unsafe fn $lines(src: *const u8, dst: *mut u8, lines: usize) {
            // SAFETY: the caller's promise.
            unsafe { streamed::lines::<$Register>(src, dst, lines) };
        }
    };
}

#[cfg(target_arch = "x86_64")]
wide!("avx2", __m256i, tiles_avx2, lines_avx2);
#[cfg(target_arch = "x86_64")]
wide!("avx512f,avx512bw", __m512i, tiles_avx512, lines_avx512);
