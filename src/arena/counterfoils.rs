//! Words behind the blocks of an arena, by which its owner tells everyone who has the memory mapped which tickets are good.
//!
//! ```text
//! memory   [ blocks ... | word | word | ... ]      a word: the stamp of a ticket, or 0
//! ```
//! Only the owner can write them. Whoever redeems a ticket says so first and looks at its word then; whoever gives it up clears the word
//! first and looks then for who has said so. Both put a full fence in between, so that one of them sees the other.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Mutex;

use super::block::Block;
use super::inner::lock;
use super::mapping::BEHIND;
use crate::offset::Offset;
use crate::sync::{AtomicU64, Ordering, fence};

const WORD: u64 = size_of::<u64>() as u64;

/// Which words of an arena are in use, by where they lie.
#[derive(Debug)]
pub(super) struct Counterfoils(Mutex<Words>);

#[derive(Debug)]
struct Words {
    vacant: Vec<Offset>,
    /// The first one never used.
    unused: Offset,
    end: Offset,
}

impl Counterfoils {
    /// Of an arena whose memory has `len` bytes.
    pub(super) fn new(len: usize) -> Counterfoils {
        let (unused, end) = (Offset((len - BEHIND) as u64), Offset(len as u64));
        Counterfoils(Mutex::new(Words { vacant: Vec::new(), unused, end }))
    }

    /// A word that nobody uses; `None` when there is no other. `prepare` is asked whether there is memory for the page of which that is the
    /// first.
    pub(super) fn take(&self, prepare: impl FnOnce(&Range<u64>) -> bool) -> Option<Offset> {
        let mut words = lock(&self.0);
        if let Some(word) = words.vacant.pop() {
            return Some(word);
        }
        let (word, page) = (words.unused, rustix::param::page_size() as u64);
        if word == words.end || (word.0.is_multiple_of(page) && !prepare(&(word.0..word.0 + page))) {
            return None;
        }
        words.unused.0 += WORD;
        Some(word)
    }

    pub(super) fn give(&self, word: Offset) {
        lock(&self.0).vacant.push(word);
    }
}

/// Whether a word can lie there, in a memory of `len` bytes.
pub(super) fn is_place(offset: Offset, len: usize) -> bool {
    let first = len.saturating_sub(BEHIND) as u64;
    offset.0 >= first && offset.0 < len as u64 && (offset.0 - first).is_multiple_of(WORD)
}

/// Whether the ticket of that stamp was good after everything that the caller has said.
pub(crate) fn shows(word: &AtomicU64, stamp: NonZeroU64) -> bool {
    fence(Ordering::SeqCst); // pairs with the one in `clear`
    word.load(Ordering::Relaxed) == stamp.get()
}

/// The ticket is given up. Whoever may have redeemed it has said so before, as can be seen from now on.
pub(crate) fn clear(word: &AtomicU64) {
    word.store(0, Ordering::Relaxed);
    fence(Ordering::SeqCst); // pairs with the one in `shows`
}

/// A word that says that a ticket is good, as long as this lives. The ticket's block lives at least as long.
#[derive(Debug)]
pub(crate) struct Counterfoil {
    block: Block,
    word: Offset,
}

impl Counterfoil {
    /// `None` when the block is no one of this process's, or its arena has no word left: then the owner has to be asked.
    pub(crate) fn new(block: &Block, stamp: NonZeroU64) -> Option<Counterfoil> {
        let word = block.own_arena()?.stamp(stamp)?;
        Some(Counterfoil { block: block.clone(), word })
    }

    /// Where its word lies in the memory.
    pub(crate) fn offset(&self) -> Offset {
        self.word
    }
}

impl Drop for Counterfoil {
    fn drop(&mut self) {
        if let Some(arena) = self.block.own_arena() {
            arena.unstamp(self.word);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Arena, Budget};

    #[test]
    fn a_word_says_that_the_ticket_is_good_as_long_as_its_counterfoil_lives() {
        let arena = Arena::new(Budget::bytes(1 << 20)).unwrap();
        let block = arena.allocate(100).unwrap();
        let stamps = [7, 8].map(|stamp| NonZeroU64::new(stamp).unwrap());
        let [first, second] = stamps.map(|stamp| Counterfoil::new(&block, stamp).unwrap());
        let word = |offset| block.own_arena().unwrap().mapping().read_only().word(offset);
        let [one, other] = [first.offset(), second.offset()];
        assert!(shows(word(one), stamps[0]) && shows(word(other), stamps[1]) && !shows(word(one), stamps[1]));
        drop(first);
        assert!(!shows(word(one), stamps[0]) && shows(word(other), stamps[1]));
        // The word is used again, and says something else then.
        let third = Counterfoil::new(&block, stamps[1]).unwrap();
        assert_eq!(third.offset(), one);
        assert_eq!(arena.statistics().blocks, 1, "words are no blocks");
    }

    #[test]
    fn words_lie_behind_the_blocks_and_are_not_without_end() {
        let arena = Arena::new(Budget::bytes(1 << 20)).unwrap();
        let block = arena.allocate(100).unwrap();
        let stamp = NonZeroU64::new(7).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| Counterfoil::new(&block, stamp)).collect();
        let len = block.own_arena().unwrap().mapping().read_only().len();
        let places: std::collections::BTreeSet<_> = all.iter().map(Counterfoil::offset).collect();
        assert_eq!((all.len(), places.len()), (8192, 8192));
        assert!(places.iter().all(|&place| is_place(place, len)));
        let wrong = [0, len - BEHIND - 8, len - BEHIND + 1, len - 1, len, usize::MAX];
        assert!(wrong.iter().all(|&place| !is_place(Offset(place as u64), len)));
    }
}
