//! Redeeming a ticket in one packet, without waiting for its owner: for arrays in memory that is mapped here already.
//!
//! ```text
//! redeemer   writes Redeem into the ring   -fence-   looks at the counterfoil     it shows the ticket's stamp: the array is ours
//! owner      clears the counterfoil        -fence-   looks into all rings         something is unread: the array stays until it was read
//! ```
//! So an owner that gives a ticket up while somebody redeems it hears of that in time, or the redeemer finds the counterfoil cleared. Then it
//! came too late, or the owner was quick and has done what it said; so it asks.
//!
//! The counterfoil is a word in the owner's memory, which nobody else can write: whoever lies harms itself.
//!
//! Source: to announce and to look again is the way of hazard pointers (M. Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free
//! Objects", 2004); what is announced here is a packet.

use std::hash::Hasher;
use std::num::NonZeroU64;
use std::sync::{Arc, PoisonError};

use fnv::FnvHasher;

use super::here::Here;
use super::packing::{NO_TOKEN, Unpacked, describe};
use super::peer::Peer;
use super::tickets::Fading;
use super::wire::{ArrayPart, Flaw, Origin, Packet, Part, Token};
use crate::Array;
use crate::channel::Attachment;
use crate::offset::Offset;

/// What a counterfoil says for a ticket with a part of these bytes: 64 bits of FNV-1a, so that a ticket which was altered on its way is not
/// taken for the one that was made. <http://www.isthe.com/chongo/tech/comp/fnv/>
pub(super) fn stamp_of(part: &[u8]) -> NonZeroU64 {
    let mut hasher = FnvHasher::default();
    hasher.write(part);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

/// What came of redeeming.
pub(super) enum Attempt<Q> {
    /// The array, for which nobody was asked.
    Found(Attachment),
    /// It came too late perhaps, so the owner was asked.
    Asked(Q),
    /// Nothing was done.
    Refused,
}

impl Peer {
    /// Redeems a ticket of the other side's, without waiting. Its counterfoil lies at `place`, and shows `stamp` while it is good; `ask` posts a
    /// `Redeem` that is answered.
    pub(super) fn redeem_at_once<Q>(
        self: &Arc<Self>,
        ticket: &ArrayPart,
        place: Offset,
        stamp: NonZeroU64,
        ask: impl FnOnce() -> Q,
    ) -> Attempt<Q> {
        let Some(Ok(memory)) = self.talk().memory.get(&ticket.arena).cloned() else { return Attempt::Refused };
        if !memory.shows(place, stamp) {
            return Attempt::Refused;
        }
        // What is asked for is what was redeemed just before.
        let turn = self.redeeming.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.post_into_ring(&Packet::Redeem { request: 0, token: ticket.token }) {
            return Attempt::Refused;
        }
        let in_time = memory.shows(place, stamp);
        // Not before: an owner that is woken clears the counterfoil within the time that waking it takes.
        self.ring();
        if !in_time {
            return Attempt::Asked(ask());
        }
        drop(turn);
        match self.unpack_part(&Part::Array(ArrayPart { origin: Origin::Granted, ..ticket.clone() })) {
            Ok(Unpacked::Here(array)) => Attempt::Found(array),
            // The owner says that of an array which makes no sense.
            _ => Attempt::Refused,
        }
    }

    /// The other side redeems a ticket of ours, and waits for no answer.
    pub(super) fn redeemed(&self, here: &'static Here, token: Token) -> Result<(), Flaw> {
        let content = here.tickets().redeem_at_once(&token);
        let mut talk = self.talk();
        talk.redeemed = match &content {
            // Nothing is kept for one who is gone: nobody would release it.
            _ if talk.gone.is_some() => None,
            Some(Attachment::Array(array)) if array.is_own() => {
                talk.ledger.grant(array.block());
                Some((token, array.handle()))
            }
            Some(_) => return Err(Flaw::Text("a ticket was redeemed that has no counterfoil".to_owned())),
            // It was given up before, as the other side sees.
            None => None,
        };
        drop(talk); // before the content, which may be the last of it
        Ok(())
    }

    /// The other side does not know what came of that.
    pub(super) fn redeem_again(self: &Arc<Self>, here: &'static Here, request: u64, token: Token) {
        let mut talk = self.talk();
        let redeemed = talk.redeemed.take().filter(|(redeemed, _)| *redeemed == token).and_then(|(_, handle)| {
            let block = talk.ledger.find(handle.arena, handle.block, handle.generation)?;
            Array::assemble(block, handle.offset as usize, handle.meta)
        });
        drop(talk);
        match redeemed {
            // It has its lease.
            Some(array) => self.post(&Packet::Granted { request, part: Part::Array(describe(&array, Origin::Granted, NO_TOKEN)) }),
            None => self.redeem(here, request, token),
        }
    }

    /// Whether everything was done that the ring said up to there.
    fn has_done(&self, end: u64) -> bool {
        let Some(lane) = self.lane.get() else { return true };
        self.is_gone() || (self.inbox.try_lock().is_ok() && lane.incoming().has_read_to(end))
    }
}

impl Here {
    /// Lets go of tickets that were given up, unless somebody may have redeemed them at the same moment. To be called by whoever gave one up or
    /// has read a ring.
    pub(super) fn fade(&self) {
        let mut tickets = self.tickets();
        if !tickets.any_fading() {
            return;
        }
        let peers = self.lookable(); // under the lock, so that all who were found by others are among them, unless they are gone
        let peer_of = |id: u64| peers.iter().find(|peer| peer.id == id);
        let done = tickets.faded(|Fading { waits_for, .. }| {
            let ends = || peers.iter().filter_map(|peer| Some((peer.id, peer.lane.get()?.incoming().end()))).collect();
            let waits_for = waits_for.get_or_insert_with(ends);
            waits_for.retain(|&(id, end)| peer_of(id).is_some_and(|peer| !peer.has_done(end)));
            waits_for.is_empty()
        });
        drop(tickets);
        drop(done);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::here::here;
    use super::super::other_side::{OtherSide, until};
    use super::super::ticket::{forget, issue};
    use super::super::wire::{Verdict, part_from_bytes};
    use super::*;
    use crate::array::Order;
    use crate::handle::Handle;
    use crate::{Arena, ArrayMeta, Budget};

    /// A process that has our memory mapped, and what it has to redeem.
    struct Redeemer {
        side: OtherSide,
        arena: Arena,
        ticket: Vec<u8>,
        token: Token,
    }

    impl Redeemer {
        fn new() -> Redeemer {
            let side = OtherSide::new();
            let arena = Arena::new(Budget::bytes(1 << 20)).unwrap();
            let array = arena.share(ArrayMeta::contiguous("|u1".parse().unwrap(), &[3], Order::C).unwrap(), b"abc").unwrap();
            let ticket = issue(&Attachment::Array(array), "a test".to_owned()).unwrap();
            let token = part_from_bytes(&ticket[24..]).unwrap().token();
            Redeemer { side, arena, ticket, token }
        }

        fn says(&self, packet: &Packet<'_>) {
            self.side.says(packet);
        }

        /// What it is answered.
        fn hears(&self, understand: impl Fn(Packet<'_>) -> bool) {
            self.side.hears(|packet| understand(packet).then_some(()));
        }

        fn leases(&self) -> usize {
            self.side.peer.talk().ledger.len()
        }

        fn blocks(&self) -> u64 {
            self.arena.statistics().blocks
        }

        fn gives_back(&self) {
            let talk = self.side.peer.talk();
            let (_, Handle { arena, block, generation, .. }) = talk.redeemed.clone().unwrap();
            drop(talk);
            self.says(&Packet::Release { arena, block, generation, count: 1 });
            until(|| self.blocks() == 0);
        }
    }

    #[test]
    fn a_ticket_that_is_given_up_while_it_is_redeemed_stays() {
        let redeemer = Redeemer::new();
        let reading = redeemer.side.peer.inbox.lock().unwrap();
        redeemer.says(&Packet::Redeem { request: 0, token: redeemer.token });
        forget(&redeemer.ticket).unwrap();
        assert_eq!(redeemer.blocks(), 1);
        drop(reading);
        until(|| redeemer.leases() == 1);
        until(|| !here().unwrap().tickets().any_fading());
        assert_eq!(redeemer.blocks(), 1);
        redeemer.gives_back();
    }

    #[test]
    fn a_ticket_that_was_given_up_before_is_refused() {
        let redeemer = Redeemer::new();
        forget(&redeemer.ticket).unwrap();
        until(|| redeemer.blocks() == 0);
        redeemer.says(&Packet::Redeem { request: 0, token: redeemer.token });
        redeemer.says(&Packet::Redeem { request: 1, token: redeemer.token });
        redeemer.hears(|packet| matches!(packet, Packet::Answer { request: 1, verdict: Verdict::Stale, .. }));
    }

    #[test]
    fn who_does_not_know_what_came_of_it_has_one_lease() {
        let redeemer = Redeemer::new();
        redeemer.says(&Packet::Redeem { request: 0, token: redeemer.token });
        redeemer.says(&Packet::Redeem { request: 1, token: redeemer.token });
        redeemer.hears(|packet| matches!(packet, Packet::Granted { request: 1, part: Part::Array(_) }));
        assert_eq!((redeemer.blocks(), redeemer.leases()), (1, 1));
        redeemer.side.peer.hang_up();
        until(|| redeemer.blocks() == 0);
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::num::NonZeroU64;

    use loom::sync::Arc;
    use loom::thread;

    use super::super::ring::memory::Memory;
    use crate::arena::{clear, shows};
    use crate::sync::AtomicU64;

    #[test]
    fn whoever_sees_the_counterfoil_is_seen() {
        loom::model(|| {
            let stamp = NonZeroU64::new(7).unwrap();
            let (memory, word) = (Arc::new(Memory::new(4)), Arc::new(AtomicU64::new(stamp.get())));
            let redeemer = thread::spawn({
                let (memory, word) = (memory.clone(), word.clone());
                move || memory.ring().write(Some(&[1; 8])) && shows(&word, stamp)
            });
            // The owner gives the ticket up, and keeps the array when something is to be read.
            clear(&word);
            let end = memory.ring().end();
            let kept = !memory.ring().has_read_to(end);
            let redeemed = redeemer.join().unwrap();
            assert!(kept || !redeemed, "the array is gone, and somebody has it");
            assert!(!kept || !memory.ring().has_read_to(end), "nothing would keep it");
        });
    }
}
