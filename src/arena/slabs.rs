//! Small blocks: slabs of 2 MiB, each cut into cells of one size.
//!
//! ```text
//! cells of a slab:  |slot 7|slot 2|free -> |slot 9|free |  not yet used ...
//!                             first_free ---^
//! ```
//! Freed cells are used again before untouched ones, the last freed first, since its memory is warm. What is known about a cell lies beside
//! the slab, not in its memory, which belongs to users.

use std::ops::Range;

use super::classes::{COUNT, Class, SLAB};

/// Marks a cell as free; the other bits are the next free cell's number. Otherwise the cell holds its block's slot.
const FREE: u32 = 1 << 31;
/// The end of a list, of free cells or of slabs.
const NONE: u32 = FREE - 1;
/// Slots from this number on cannot be told from free cells.
pub(super) const MOST_SLOTS: u32 = NONE;

/// What is known of one slab. A chunk of the arena which is not a slab has an empty one.
#[derive(Debug)]
struct Slab {
    class: Class,
    /// Cells it has.
    capacity: u32,
    /// Cells in use.
    live: u32,
    /// The last freed cell.
    first_free: u32,
    /// One for each cell that was ever used: `FREE | next`, or the slot.
    cells: Vec<u32>,
    /// From the slab's start on, the bytes that count as backed: whole pages, and all that cells ever used.
    backed: u32,
    /// Neighbours in the class's list of slabs with room.
    previous: u32,
    next: u32,
}

impl Slab {
    fn is_full(&self) -> bool {
        self.live == self.capacity
    }

    /// What would count as backed after one more cell was used.
    fn backed_after_take(&self, page: u32) -> u32 {
        if self.first_free != NONE {
            return self.backed;
        }
        let used = (self.cells.len() + 1) * self.class.size();
        self.backed.max((used as u32).next_multiple_of(page))
    }

    fn free_cell(&mut self, number: u32) {
        self.cells[number as usize] = FREE | self.first_free;
        self.first_free = number;
        self.live -= 1;
    }
}

/// A cell that was taken.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) chunk: u32,
    pub(super) offset: usize,
    /// The backed bytes of the slab if it was an empty one, kept in reserve.
    pub(super) was_kept: u32,
}

/// What became of a slab when a cell was given back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// It has other cells in use.
    No,
    /// It is its class's one empty slab and stays for the next block; so many bytes of it are backed.
    Kept(u32),
    /// Its class has an empty slab already: it is gone from here, and so many bytes of it are backed.
    Released(u32),
}

/// All slabs of an arena.
///
/// Invariants: `heads[class]` starts a list of exactly the class's slabs which are not full; at most one slab of a class is
/// empty, and then `empty[class]` is its chunk.
#[derive(Debug)]
pub(super) struct Slabs {
    page: u32,
    /// By chunk of 2 MiB.
    table: Vec<Option<Slab>>,
    heads: [u32; COUNT],
    empty: [u32; COUNT],
}

impl Slabs {
    pub(super) fn new(page: usize) -> Slabs {
        Slabs { page: page as u32, table: Vec::new(), heads: [NONE; COUNT], empty: [NONE; COUNT] }
    }

    /// What the class's next cell adds to the backed bytes; `None` when it needs a new slab.
    #[inline]
    pub(super) fn growth(&self, class: Class) -> Option<u32> {
        let slab = self.table.get(self.heads[class.index()] as usize)?.as_ref()?;
        Some(slab.backed_after_take(self.page) - slab.backed)
    }

    /// What the first cell of a new slab adds to the backed bytes when the chunk was fresh.
    pub(super) fn growth_of_new(&self, class: Class) -> u32 {
        (class.size() as u32).next_multiple_of(self.page)
    }

    /// Makes the chunk a slab with room, of which so many bytes are backed. The caller takes a cell next.
    pub(super) fn add(&mut self, class: Class, chunk: u32, backed: u32) {
        if self.table.len() <= chunk as usize {
            self.table.resize_with(chunk as usize + 1, || None);
        }
        self.table[chunk as usize] = Some(Slab {
            class,
            capacity: class.capacity(),
            live: 0,
            first_free: NONE,
            cells: Vec::new(),
            backed,
            previous: NONE,
            next: NONE,
        });
        self.empty[class.index()] = chunk;
        self.link(class, chunk);
    }

    /// A freed cell for the block in `slot`, if the first slab with room has one.
    #[inline]
    pub(super) fn retake(&mut self, class: Class, slot: u32) -> Option<Cell> {
        let chunk = self.heads[class.index()];
        let slab = self.table.get_mut(chunk as usize)?.as_mut()?;
        let number = slab.first_free;
        let cell = slab.cells.get_mut(number as usize)?;
        slab.first_free = std::mem::replace(cell, slot) & !FREE;
        slab.live += 1;
        let (first, full, backed) = (slab.live == 1, slab.is_full(), slab.backed);
        if first || full {
            self.after_take(class, chunk, full);
        }
        Some(Cell { chunk, offset: number as usize * class.size(), was_kept: if first { backed } else { 0 } })
    }

    /// A cell never used for the block in `slot`, from the first slab with room, which has no freed ones. Also says which part of the
    /// slab counts as backed from now on.
    pub(super) fn take_new(&mut self, class: Class, slot: u32) -> Option<(Cell, Range<u32>)> {
        let chunk = self.heads[class.index()];
        let page = self.page;
        let slab = self.table.get_mut(chunk as usize)?.as_mut()?;
        let grown = slab.backed..slab.backed_after_take(page);
        let number = slab.cells.len();
        slab.cells.push(slot);
        slab.live += 1;
        slab.backed = grown.end;
        let (first, full) = (slab.live == 1, slab.is_full());
        self.after_take(class, chunk, full);
        Some((Cell { chunk, offset: number * class.size(), was_kept: if first { grown.start } else { 0 } }, grown))
    }

    /// A slab with a cell in use is no empty one, and a full one has no room.
    #[inline(never)]
    fn after_take(&mut self, class: Class, chunk: u32, full: bool) {
        if self.empty[class.index()] == chunk {
            self.empty[class.index()] = NONE;
        }
        if full {
            self.unlink(class, chunk);
        }
    }

    /// Gives back the cell that lies `offset` bytes into the slab at `chunk`.
    #[inline(always)]
    pub(super) fn give(&mut self, class: Class, chunk: u32, offset: usize) -> Emptied {
        let Some(slab) = self.table[chunk as usize].as_mut() else { unreachable!("chunk {chunk} is no slab") };
        let was_full = slab.is_full();
        slab.free_cell(class.cell_at(offset));
        let (live, backed) = (slab.live, slab.backed);
        if was_full {
            self.link(class, chunk);
        }
        if live > 0 {
            return Emptied::No;
        }
        if self.empty[class.index()] == NONE {
            self.empty[class.index()] = chunk;
            return Emptied::Kept(backed);
        }
        self.remove(class, chunk);
        Emptied::Released(backed)
    }

    #[cold]
    fn remove(&mut self, class: Class, chunk: u32) {
        self.unlink(class, chunk);
        self.table[chunk as usize] = None;
    }

    /// Gives up an empty slab: its chunk, and how many of its bytes are backed.
    pub(super) fn release_empty(&mut self) -> Option<(u32, u32)> {
        let chunk = self.empty.iter_mut().find(|chunk| **chunk != NONE).map(|chunk| std::mem::replace(chunk, NONE))?;
        let (class, backed) = self.table[chunk as usize].as_ref().map(|slab| (slab.class, slab.backed))?;
        self.remove(class, chunk);
        Some((chunk, backed))
    }

    /// Whether the chunk is a slab.
    pub(super) fn contains(&self, chunk: u32) -> bool {
        self.table.get(chunk as usize).is_some_and(Option::is_some)
    }

    /// The slot of the block whose cell has the byte `offset` of the slab at `chunk`.
    pub(super) fn slot_at(&self, chunk: u32, offset: usize) -> Option<u32> {
        let slab = self.table.get(chunk as usize)?.as_ref()?;
        let cell = *slab.cells.get(slab.class.cell_at(offset) as usize)?;
        (cell & FREE == 0).then_some(cell)
    }

    #[cold]
    fn link(&mut self, class: Class, chunk: u32) {
        let next = std::mem::replace(&mut self.heads[class.index()], chunk);
        self.set_links(chunk, |slab| (slab.previous, slab.next) = (NONE, next));
        self.set_links(next, |slab| slab.previous = chunk);
    }

    #[cold]
    fn unlink(&mut self, class: Class, chunk: u32) {
        let (mut previous, mut next) = (NONE, NONE);
        self.set_links(chunk, |slab| (previous, next) = (slab.previous, slab.next));
        self.set_links(next, |slab| slab.previous = previous);
        if previous == NONE {
            self.heads[class.index()] = next;
        } else {
            self.set_links(previous, |slab| slab.next = next);
        }
    }

    fn set_links(&mut self, chunk: u32, change: impl FnOnce(&mut Slab)) {
        if let Some(slab) = self.table.get_mut(chunk as usize).and_then(Option::as_mut) {
            change(slab);
        }
    }
}

const _: () = assert!(SLAB / super::classes::GRAIN < NONE as usize, "cell numbers fit beside the mark");

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn freed_cells_come_first_and_one_empty_slab_stays() {
        let class = Class::holding(200 << 10).expect("small");
        let per_slab = class.capacity();
        let mut slabs = Slabs::new(4096);
        assert_eq!(slabs.growth(class), None);
        let mut cells = Vec::new();
        for chunk in [4, 9] {
            slabs.add(class, chunk, 0);
            for slot in 0..per_slab {
                assert_eq!(slabs.growth(class), Some(class.size() as u32));
                assert!(slabs.retake(class, slot).is_none());
                let (cell, grown) = slabs.take_new(class, slot).expect("room");
                assert_eq!(grown.end - grown.start, class.size() as u32);
                assert_eq!(cell.chunk, chunk);
                assert_eq!(slabs.slot_at(chunk, cell.offset + class.size() - 1), Some(slot));
                cells.push(cell);
            }
            assert_eq!(slabs.growth(class), None, "full");
        }
        assert_eq!(slabs.give(class, 4, cells[3].offset), Emptied::No);
        assert_eq!(slabs.slot_at(4, cells[3].offset), None);
        assert_eq!(slabs.growth(class), Some(0));
        let again = slabs.retake(class, 77).expect("room");
        assert_eq!((again.chunk, again.offset), (4, cells[3].offset));
        let backed = per_slab * class.size() as u32;
        let ends: Vec<_> = cells.iter().map(|cell| slabs.give(class, cell.chunk, cell.offset)).filter(|end| *end != Emptied::No).collect();
        assert_eq!(ends, [Emptied::Kept(backed), Emptied::Released(backed)]);
        assert_eq!(slabs.release_empty(), Some((4, backed)));
        assert_eq!(slabs.release_empty(), None);
        assert!(!slabs.contains(4) && !slabs.contains(9));
    }
}
