//! Strided copies past the caches: what lies together in the destination is gathered in the first cache, and streamed from there.

use std::mem::MaybeUninit;

use super::kernels::Width;
use super::plan::{Axes, Axis, Plan, for_each_step};
use super::{copy_planes, streamed};

/// Bytes gathered at a time: what a stream copies at once.
const STAGE: usize = 16 << 10;

/// Pieces from here on are streamed from where they are.
const LONG: usize = 4 << 10;

#[repr(align(64))]
struct Stage(MaybeUninit<[u8; STAGE]>);

/// Copies all items. Only after `streamed::settle` may others be told of them.
///
/// # Safety
/// As for `copy_planes`; the plan is gapless.
pub(super) unsafe fn copy(src: *const u8, dst: *mut u8, plan: &Plan, width: Width) {
    let long = plan.item >= LONG;
    // Of the inner axes as many as fit are gathered whole. Of the next one, which is cut, so many steps at a time.
    let (mut bytes, mut whole) = (plan.item, plan.axes.len());
    while let Some(axis) = whole.checked_sub(1).map(|at| plan.axes[at])
        && !long
        && bytes * axis.len <= STAGE
    {
        (bytes, whole) = (bytes * axis.len, whole - 1);
    }
    let steps = if long { 1 } else { STAGE / bytes };
    let (&cut, rest) = plan.axes[..whole].split_last().unwrap_or((&Axis::SINGLE, &[]));
    let mut stage = Stage(MaybeUninit::uninit());
    let stage: *mut u8 = stage.0.as_mut_ptr().cast();
    for_each_step(rest, plan.start, |src_start, dst_start| {
        for at in (0..cut.len).step_by(steps) {
            let from = src.wrapping_offset(src_start + at as isize * cut.src);
            let to = dst.wrapping_offset(dst_start + at as isize * cut.dst);
            if long {
                // SAFETY: an item on each side, by the caller's promise.
                unsafe { streamed::copy(from, to, plan.item, width) };
                continue;
            }
            let len = steps.min(cut.len - at);
            // All steps of an axis along which the source does not advance are alike.
            if at == 0 || cut.src != 0 {
                let axes: Axes = [Axis { len, ..cut }].into_iter().chain(plan.axes[whole..].iter().copied()).collect();
                let part = Plan { item: plan.item, axes, start: (0, 0) };
                // SAFETY: these items are readable by the caller's promise; gapless, they fit the stage.
                unsafe { copy_planes(from, stage, &part, width, false) };
            }
            // SAFETY: the stage holds so many bytes, which follow each other in the destination, as the plan is gapless.
            unsafe { streamed::copy(stage, to, len * bytes, width) };
        }
    });
}
