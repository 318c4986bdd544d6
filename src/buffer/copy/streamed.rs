//! Stores which do not read their line first, and leave no trace in the caches.

use std::arch::x86_64::{__m128i, __m256i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128, _mm256_loadu_si256, _mm256_stream_si256};

/// One trip of the loop: a line of the cache.
const LINE: usize = 64;

/// # Safety
/// As for [`super::copy_bytes`].
pub(super) unsafe fn copy(src: *const u8, dst: *mut u8, len: usize) {
    let head = dst.align_offset(LINE).min(len);
    // SAFETY: `head <= len`.
    unsafe { dst.copy_from_nonoverlapping(src, head) };
    let (from, to) = (src.wrapping_add(head), dst.wrapping_add(head));
    let lines = (len - head) / LINE;
    if is_x86_feature_detected!("avx") {
        // SAFETY: AVX is there; `lines` whole lines remain, and `to` is at a line's start.
        unsafe { lines_avx(from.cast(), to.cast(), lines) };
    } else {
        // SAFETY: `lines` whole lines remain, and `to` is at a line's start.
        unsafe { lines_sse(from.cast(), to.cast(), lines) };
    }
    // Streaming stores may pass ordinary ones: without the fence another thread could see the array announced before its bytes.
    // SAFETY: SSE is part of x86_64.
    unsafe { _mm_sfence() };
    let done = head + lines * LINE;
    // SAFETY: the bytes from `done` to `len` are left.
    unsafe { dst.wrapping_add(done).copy_from_nonoverlapping(src.wrapping_add(done), len - done) };
}

/// # Safety
/// `lines` lines are readable at `from` and writable at `to`, which is aligned to 32.
#[target_feature(enable = "avx")]
unsafe fn lines_avx(from: *const __m256i, to: *mut __m256i, lines: usize) {
    for at in 0..lines * (LINE / size_of::<__m256i>()) {
        // SAFETY: within the lines.
        let half = unsafe { _mm256_loadu_si256(from.wrapping_add(at)) };
        // SAFETY: within the lines, and aligned as `to` is.
        unsafe { _mm256_stream_si256(to.wrapping_add(at), half) };
    }
}

/// # Safety
/// `lines` lines are readable at `from` and writable at `to`, which is aligned to 16.
unsafe fn lines_sse(from: *const __m128i, to: *mut __m128i, lines: usize) {
    for at in 0..lines * (LINE / size_of::<__m128i>()) {
        // SAFETY: within the lines.
        let quarter = unsafe { _mm_loadu_si128(from.wrapping_add(at)) };
        // SAFETY: within the lines, and aligned as `to` is.
        unsafe { _mm_stream_si128(to.wrapping_add(at), quarter) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn streams_copy_every_byte_and_no_other() {
        let source: Vec<u8> = (0..10_000u32).map(|at| ((at * 31) >> 3) as u8).collect();
        for (skip, lead, len) in [(0, 0, 9000), (1, 3, 8191), (7, 63, 64), (5, 1, 63), (0, 9, 0), (3, 64, 4096)] {
            let mut target = vec![0xEE; 10_000];
            let (from, to) = (source[skip..].as_ptr(), target[lead..].as_mut_ptr());
            // SAFETY: both vectors are longer than `skip` or `lead` plus `len`.
            unsafe { copy(from, to, len) };
            assert_eq!(target[lead..lead + len], source[skip..skip + len]);
            assert!(target[..lead].iter().chain(&target[lead + len..]).all(|&byte| byte == 0xEE), "bytes outside were touched");
        }
    }

    #[test]
    fn both_widths_agree() {
        let source: Vec<u8> = (0..=255).collect();
        let mut target = [0u128; 16];
        // SAFETY: both have four lines, and the target is aligned to 16.
        unsafe { lines_sse(source.as_ptr().cast(), target.as_mut_ptr().cast(), 4) };
        assert_eq!(bytemuck::bytes_of(&target), source);
    }
}
