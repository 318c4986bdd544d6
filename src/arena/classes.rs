//! The sizes in which memory is handed out.
//!
//! Blocks up to 256 KiB have one of 80 sizes: each doubling is divided into eight steps, so that at most an eighth is wasted, but no
//! step is finer than 64 bytes. Larger blocks are made of 64 KiB units.

/// Slabs are as large as a huge page, and as aligned.
pub(super) const SLAB: usize = 2 << 20;
/// What runs are measured in.
pub(super) const UNIT: u64 = 64 << 10;
/// Units in a slab.
pub(super) const SLAB_UNITS: u32 = (SLAB as u64 / UNIT) as u32;
/// The alignment of every block.
pub(super) const GRAIN: usize = 64;
/// The largest size that comes from a slab.
pub(super) const LARGEST: usize = 256 << 10;
/// How many sizes there are.
pub(super) const COUNT: usize = 80;

/// One of the sizes of small blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class(u8);

impl Class {
    /// The smallest class whose blocks hold `len` bytes; `None` above 256 KiB.
    #[inline]
    pub(super) fn holding(len: usize) -> Option<Class> {
        if len > LARGEST {
            return None;
        }
        let last = (len.max(1) - 1) / GRAIN; // the last grain it needs, counted from 0
        let doublings = last.max(8).ilog2() - 3;
        Some(Class((8 * doublings as usize + (last >> doublings)) as u8))
    }

    /// Bytes of one block.
    #[inline]
    pub(super) fn size(self) -> usize {
        SIZES[self.index()] as usize
    }

    /// How many cells a slab has.
    pub(super) fn capacity(self) -> u32 {
        (SLAB / self.size()) as u32
    }

    /// The cell of a slab which has the byte at `offset`. A division, but it is made for each block that is freed.
    #[inline]
    pub(super) fn cell_at(self, offset: usize) -> u32 {
        (((offset / GRAIN) as u64 * RECIPROCALS[self.index()]) >> 32) as u32
    }

    /// Its place among all classes.
    #[inline]
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    /// All of them, largest first.
    pub(super) fn descending() -> impl Iterator<Item = Class> {
        (0..COUNT as u8).rev().map(Class)
    }
}

const SIZES: [u32; COUNT] = {
    let mut sizes = [0; COUNT];
    let mut class = 0;
    while class < COUNT {
        let doublings = if class < 16 { 0 } else { class / 8 - 1 };
        sizes[class] = (((class - 8 * doublings + 1) << doublings) * GRAIN) as u32;
        class += 1;
    }
    sizes
};

/// `2^32 / size` in grains, rounded up: exact enough, since a slab has but 2^15 grains.
const RECIPROCALS: [u64; COUNT] = {
    let mut reciprocals = [0; COUNT];
    let mut class = 0;
    while class < COUNT {
        reciprocals[class] = (1u64 << 32).div_ceil(SIZES[class] as u64 / GRAIN as u64);
        class += 1;
    }
    reciprocals
};

const _: () = assert!(SIZES[COUNT - 1] as usize == LARGEST, "the last class is the largest size");

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_smallest_that_fits_and_wastes_at_most_an_eighth() {
        for len in 0..=LARGEST {
            let class = Class::holding(len).expect("up to the largest");
            assert!(class.size() >= len && class.size().is_multiple_of(GRAIN));
            assert!(class.index() == 0 || SIZES[class.index() - 1] < len as u32, "{len} would fit a smaller class");
            assert!(class.size() <= len + GRAIN || (class.size() - len) * 8 < class.size(), "{len} in {}", class.size());
        }
        assert_eq!(Class::holding(LARGEST + 1), None);
        assert_eq!(Class::descending().count(), COUNT);
    }

    #[test]
    fn each_byte_lies_in_the_cell_that_division_finds() {
        for class in Class::descending() {
            for offset in (0..SLAB).step_by(GRAIN) {
                assert_eq!(class.cell_at(offset) as usize, offset / class.size(), "{offset} by {}", class.size());
            }
        }
    }
}
