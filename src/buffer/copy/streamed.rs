//! Stores past the caches: they do not read their line first, only to overwrite it.
//!
//! The processor looks ahead only within a page, and waits at the start of each one, for its address and for its first lines. So four
//! pages are copied at once, two lines of each in turns.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch, _mm_sfence};

use super::kernels::Width;
use super::registers::Register;

/// A line of the cache.
pub(super) const LINE: usize = 64;

const PAGE: usize = 4096;

/// How many pages are copied at once.
const PAGES: usize = 4;

/// Copies `len` bytes. Only after [`settle`] may others be told of them.
///
/// # Safety
/// As for [`super::copy_bytes`].
pub(super) unsafe fn copy(src: *const u8, dst: *mut u8, len: usize, width: Width) {
    let head = dst.align_offset(LINE).min(len);
    // SAFETY: `head <= len`.
    unsafe { dst.copy_from_nonoverlapping(src, head) };
    let lines = (len - head) / LINE;
    // SAFETY: `lines` whole lines remain, and `head` bytes from `dst` one starts.
    unsafe { width.stream(src.wrapping_add(head), dst.wrapping_add(head), lines) };
    let done = head + lines * LINE;
    // SAFETY: the bytes from `done` to `len` are left.
    unsafe { dst.wrapping_add(done).copy_from_nonoverlapping(src.wrapping_add(done), len - done) };
}

/// Streaming stores may pass ordinary ones: without the fence another thread could see the array announced before its bytes.
pub(super) fn settle() {
    // SAFETY: SSE is part of x86-64.
    unsafe { _mm_sfence() };
}

/// # Safety
/// `lines` lines are readable at `src` and writable at `dst`, which is aligned to a line, and the processor has the register.
#[inline(always)]
pub(super) unsafe fn lines<V: Register>(src: *const u8, dst: *mut u8, lines: usize) {
    let len = lines * LINE;
    let mut done = 0;
    while len - done >= PAGES * PAGE {
        for within in (0..PAGE).step_by(2 * LINE) {
            for page in 0..PAGES {
                let at = done + page * PAGE + within;
                // SAFETY: within the lines, by the caller's promise.
                unsafe { few_lines::<V, 2>(src.wrapping_add(at), dst.wrapping_add(at)) };
            }
        }
        done += PAGES * PAGE;
    }
    for at in (done..len).step_by(LINE) {
        // SAFETY: within the lines, by the caller's promise.
        unsafe { few_lines::<V, 1>(src.wrapping_add(at), dst.wrapping_add(at)) };
    }
}

/// # Safety
/// As for [`lines`], `N` of them.
#[inline(always)]
unsafe fn few_lines<V: Register, const N: usize>(src: *const u8, dst: *mut u8) {
    for next in N..2 * N {
        // SAFETY: SSE is part of x86-64; a prefetch may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(src.wrapping_add(next * LINE).cast()) };
    }
    for at in (0..N * LINE).step_by(size_of::<V>()) {
        // SAFETY: within the lines, by the caller's promise.
        let part = unsafe { V::load(src.wrapping_add(at)) };
        // SAFETY: within the lines, and a whole number of registers from the start of one.
        unsafe { part.stream(dst.wrapping_add(at)) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn streams_copy_every_byte_and_no_other() {
        let source: Vec<u8> = (0..60_000u32).map(|at| ((at * 31) >> 3) as u8).collect();
        for width in Width::available() {
            for (skip, lead, len) in [(0, 0, 50_000), (1, 3, 16_384 + 61), (7, 63, 64), (5, 1, 63), (0, 9, 0), (3, 64, 4096)] {
                let mut target = vec![0xEE; 60_000];
                let (from, to) = (source[skip..].as_ptr(), target[lead..].as_mut_ptr());
                // SAFETY: both vectors are longer than `skip` or `lead` plus `len`.
                unsafe { copy(from, to, len, width) };
                settle();
                assert_eq!(target[lead..lead + len], source[skip..skip + len], "{width:?}");
                assert!(target[..lead].iter().chain(&target[lead + len..]).all(|&byte| byte == 0xEE), "bytes outside were touched");
            }
        }
    }
}
