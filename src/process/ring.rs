//! Packets from one process to another through memory that both write: no system call while somebody looks.
//!
//! ```text
//!  written ──▶ [ head | packet | head | packet |  free  ]          words, round and round
//!  read    ──▶   ▲ next to be read
//!  bell          1: whoever writes must ring, as nobody looks
//! ```
//! Each side is one at a time: the writer holds the outbox's lock, the reader the inbox's. The other process may be anybody's: what it writes
//! is copied before it is looked at, and its numbers are checked, so that it can spoil nothing but its own packets.
//!
//! A packet that was written can be revoked as long as it was not read: writer and reader both try to change its head, and one of them succeeds.
//!
//! The bell is never missed: the writer writes and then looks at the bell, the reader sets the bell and then looks for packets, with a fence
//! in between on both sides. So at least one of them sees the other.

use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// Bytes of a word.
const WORD: usize = 8;
pub(super) const RUNG: u32 = 1;
pub(super) const LISTENED: u32 = 2;

// A head is a packet's length, or this: the packet comes through the socket.
const ELSEWHERE: u64 = 1 << 32;
/// Beside the length: the writer may still change its mind.
const REVOCABLE: u64 = 1 << 33;
/// Beside the length: it did. The reader lets go of what the packet brings, and does nothing else.
const REVOKED: u64 = 1 << 34;

/// A packet that can be revoked: where its head is, counted as `written` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

/// One direction of the memory between two processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring<'m> {
    /// Words ever written.
    pub(super) written: &'m AtomicU64,
    /// Words ever read; at most `written`, which is at most `words.len()` more.
    pub(super) read: &'m AtomicU64,
    /// 0 while a reader looks by itself, [`RUNG`] when it must be told through the socket, [`LISTENED`] when it sleeps on this very word.
    pub(super) bell: &'m AtomicU32,
    /// One more than the processor from which a reader that slept on the bell was woken last.
    pub(super) waker: &'m AtomicU32,
    /// 1 when the writer found no room and wants to be told.
    pub(super) thirst: &'m AtomicU32,
    pub(super) words: &'m [AtomicU64],
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A packet of that length, in the buffer.
    Packet(usize),
    /// The same, but it is revoked.
    Revoked(usize),
    /// The next packet comes through the socket.
    Elsewhere,
    Nothing,
    /// The other side wrote what no honest one writes.
    Malformed,
}

impl Ring<'_> {
    /// The longest packet it takes.
    pub(super) fn longest(&self) -> usize {
        self.words.len() / 4 * WORD
    }

    /// Whether the packet, or with `None` the word that another one comes through the socket, was written. If not, there was no room, and
    /// the reader will ring.
    pub(super) fn write(&self, packet: Option<&[u8]>) -> bool {
        let head = packet.map_or(ELSEWHERE, |packet| packet.len() as u64);
        self.put(head, packet.unwrap_or_default()).is_some()
    }

    /// As `write`; the packet can be revoked.
    pub(super) fn write_revocably(&self, packet: &[u8]) -> Option<Place> {
        self.put(packet.len() as u64 | REVOCABLE, packet)
    }

    /// As `write`; the packet is revoked already.
    pub(super) fn write_revoked(&self, packet: &[u8]) -> bool {
        self.put(packet.len() as u64 | REVOKED, packet).is_some()
    }

    fn put(&self, head: u64, packet: &[u8]) -> Option<Place> {
        let needed = 1 + packet.len().div_ceil(WORD) as u64;
        let at = self.written.load(Ordering::Relaxed); // we are the writer
        if !self.has_room(at, needed) {
            self.thirst.store(1, Ordering::Relaxed);
            fence(Ordering::SeqCst); // pairs with the fence in `is_thirsty`: it sees the thirst, or we see the room
            if !self.has_room(at, needed) {
                return None;
            }
            self.thirst.store(0, Ordering::Relaxed);
        }
        self.word(at).store(head, Ordering::Relaxed);
        for (index, chunk) in packet.chunks(WORD).enumerate() {
            let mut bytes = [0; WORD];
            bytes[..chunk.len()].copy_from_slice(chunk);
            self.word(at + 1 + index as u64).store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        self.written.store(at + needed, Ordering::Release); // pairs with the Acquire in `next`: the words are visible with their count
        Some(Place(at))
    }

    /// Whether the packet, which can be revoked and was not, was read.
    pub(super) fn was_read(&self, place: Place) -> bool {
        !self.may_be_unread(place) || self.word(place.0).load(Ordering::Relaxed) & REVOCABLE == 0
    }

    /// What was read may have been written over. We are the writer, so it will not be before we are done.
    fn may_be_unread(&self, place: Place) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        written.wrapping_sub(place.0) <= written.wrapping_sub(self.read.load(Ordering::Relaxed))
    }

    /// Whether the packet is revoked: nobody had read it before, and nobody will do what it says. Its place may be of any time.
    pub(super) fn revoke(&self, place: Place) -> bool {
        let head = self.word(place.0);
        let revocable = head.load(Ordering::Relaxed);
        let revoked = revocable ^ (REVOCABLE | REVOKED);
        // Relaxed: one word, which both sides change, has one order.
        self.may_be_unread(place)
            && revocable & REVOCABLE != 0
            && head.compare_exchange(revocable, revoked, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether there is room for the word that a packet comes through the socket. If not, the reader will ring.
    pub(super) fn has_room_for_word(&self) -> bool {
        let at = self.written.load(Ordering::Relaxed); // we are the writer
        self.has_room(at, 1) || {
            self.thirst.store(1, Ordering::Relaxed);
            fence(Ordering::SeqCst); // as in `write`
            self.has_room(at, 1)
        }
    }

    fn has_room(&self, at: u64, needed: u64) -> bool {
        // Acquire pairs with the Release in `next`: the reader is done with those words. A reader that lies harms itself.
        let used = at.wrapping_sub(self.read.load(Ordering::Acquire));
        used <= self.words.len() as u64 && needed <= self.words.len() as u64 - used
    }

    /// How the reader must be woken: what its bell said, which says 0 from now on. To be asked after a write.
    pub(super) fn must_ring(&self) -> u32 {
        fence(Ordering::SeqCst); // pairs with the fence in `arm`
        match self.bell.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.bell.swap(0, Ordering::Relaxed),
        }
    }

    /// Whether the reader sleeps on the bell. A hint.
    pub(super) fn is_listened_to(&self) -> bool {
        self.bell.load(Ordering::Relaxed) == LISTENED
    }

    /// This thread is about to wake the one that sleeps on the bell.
    pub(super) fn wakes(&self, processor: u32) {
        self.waker.store(processor.wrapping_add(1), Ordering::Relaxed); // a hint
    }

    /// From which processor that was done last, if it ever was. A hint: the other side may write what it likes.
    pub(super) fn woken_from(&self) -> Option<u32> {
        self.waker.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Takes the next packet into the buffer, which is made as long as it needs to be.
    pub(super) fn next(&self, buffer: &mut Vec<u8>) -> Next {
        let at = self.read.load(Ordering::Relaxed); // we are the reader
        let there = self.written.load(Ordering::Acquire).wrapping_sub(at); // pairs with the Release in `write`
        if there == 0 {
            return Next::Nothing;
        }
        if there > self.words.len() as u64 {
            return Next::Malformed;
        }
        let mut head = self.word(at).load(Ordering::Relaxed);
        if head & REVOCABLE != 0 {
            // Relaxed: see `revoke`. If it fails, it was revoked just now.
            let taken = self.word(at).compare_exchange(head, head & !REVOCABLE, Ordering::Relaxed, Ordering::Relaxed);
            head = taken.unwrap_or_else(|revoked| revoked) & !REVOCABLE;
        }
        if head == ELSEWHERE {
            self.read.store(at + 1, Ordering::Release); // as below
            return Next::Elsewhere;
        }
        let length = head & !REVOKED;
        let needed = length.div_ceil(WORD as u64).saturating_add(1);
        if needed > there || length > self.longest() as u64 {
            return Next::Malformed;
        }
        buffer.clear();
        for index in 1..needed {
            buffer.extend_from_slice(&self.word(at + index).load(Ordering::Relaxed).to_le_bytes());
        }
        buffer.truncate(length as usize);
        self.read.store(at + needed, Ordering::Release); // pairs with the Acquire in `has_room`: we are done with the words
        if head & REVOKED == 0 { Next::Packet(length as usize) } else { Next::Revoked(length as usize) }
    }

    /// Whether something waits to be read.
    pub(super) fn has_next(&self) -> bool {
        self.written.load(Ordering::Relaxed) != self.read.load(Ordering::Relaxed)
    }

    /// How much was ever written, by now.
    pub(super) fn end(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether all was read that was written by then.
    pub(super) fn has_read_to(&self, end: u64) -> bool {
        self.read.load(Ordering::Relaxed).wrapping_sub(end).cast_signed() >= 0
    }

    /// Whether the writer waits for the room that reading has made, once.
    pub(super) fn is_thirsty(&self) -> bool {
        fence(Ordering::SeqCst); // pairs with the fence in `write`
        self.thirst.load(Ordering::Relaxed) == 1 && self.thirst.swap(0, Ordering::Relaxed) == 1
    }

    /// Asks to be woken from now on, unless somebody sleeps on the bell and will be; whether something came before that.
    pub(super) fn arm(&self) -> bool {
        let _ = self.bell.compare_exchange(0, RUNG, Ordering::Relaxed, Ordering::Relaxed); // the fence orders it
        fence(Ordering::SeqCst); // pairs with the fence in `must_ring`: it sees the bell, or we see the packet
        self.has_next()
    }

    /// Somebody is about to sleep on the bell, and looks after a fence whether something came before that.
    pub(super) fn listen(&self) {
        self.bell.store(LISTENED, Ordering::Relaxed);
    }

    /// Nobody sleeps on the bell any more. To be followed by `arm`.
    pub(super) fn stop_listening(&self) {
        let _ = self.bell.compare_exchange(LISTENED, 0, Ordering::Relaxed, Ordering::Relaxed); // as in `arm`
    }

    /// Somebody looks, who arms it in the end: no ringing needed. Who sleeps on it stays to be woken.
    /// Gives whether that is due to this call.
    pub(super) fn disarm(&self) -> bool {
        self.bell.compare_exchange(RUNG, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() // at worst it is rung for nothing
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        // The length is a power of two.
        &self.words[(at & (self.words.len() as u64 - 1)) as usize]
    }
}

#[cfg(test)]
pub(super) mod memory;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
