//! What the two sides of a conversation know of each other, under its lock.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::call::Pending;
use super::lane::{SHELVES, WORDS_OF_CREDIT};
use super::ledger::Ledger;
use super::numbered::Free;
use super::outlet::Outlet;
use super::peer::Peer;
use super::shelf::Shelf;
use super::turns::Turn;
use super::wire::{ArrayPart, EndPart, Origin, Packet, Part, Token};
use crate::arena::ForeignArena;
use crate::channel::Lent;
use crate::error::Error;
use crate::handle::Handle;
use crate::offset::{Address, ArenaId};
use crate::{Receiver, Sender};

/// An end that we keep for the other process.
#[derive(Clone, Debug)]
pub(super) enum Hosted {
    Sender(Arc<Sender>),
    Receiver(Arc<Receiver>),
}

impl Hosted {
    pub(super) fn go_abroad(&self) {
        match self {
            Hosted::Sender(sender) => sender.go_abroad(),
            Hosted::Receiver(receiver) => receiver.go_abroad(),
        }
    }

    pub(super) fn close(&self) {
        match self {
            Hosted::Sender(sender) => sender.close(),
            Hosted::Receiver(receiver) => receiver.close(),
        }
    }
}

/// What came of mapping another process's memory.
pub(super) type Mapped = Result<Arc<ForeignArena>, Error>;

/// What third processes keep because the other side was told to ask them for it; and, of a message that could not be packed, ends that were
/// to be the other side's.
#[derive(Debug, Default)]
pub(super) struct Forwarded {
    kept: Vec<(Arc<Peer>, Token)>,
    ends: Vec<Hosted>,
}

impl Forwarded {
    pub(super) fn add(&mut self, owner: &Arc<Peer>, token: Token) {
        self.kept.push((owner.clone(), token));
    }

    /// Nobody will ask any more. Of what was asked for already nothing is kept, so that it does no harm. To be called without any lock.
    pub(super) fn forget(self) {
        for (owner, token) in self.kept {
            owner.post(&Packet::Forget { token });
        }
        self.ends.iter().for_each(Hosted::close);
    }
}

/// A message that was delivered to the other side and not taken there yet.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) lent: Lent,
    pub(super) forwarded: Forwarded,
}

/// What both know of each other.
#[derive(Default)]
pub(super) struct Talk {
    /// The other process's name, once it has said it.
    pub(super) address: Option<Address>,
    /// Why the conversation is over.
    pub(super) gone: Option<Arc<str>>,
    pub(super) ledger: Ledger,
    /// What it has redeemed last without asking. It has a lease of it, until it gives that back.
    pub(super) redeemed: Option<(Token, Handle)>,
    /// Arenas whose descriptor the other process has from us.
    pub(super) shown: HashSet<ArenaId>,
    /// Arenas whose descriptor we have from it, and what came of mapping them.
    pub(super) memory: HashMap<ArenaId, Mapped>,
    /// Arenas of dead processes whose descriptor came from it, for so many arrays that come after.
    orphaned: HashMap<ArenaId, (Mapped, usize)>,
    /// Ends that we keep for it.
    pub(super) ends: HashMap<u64, Hosted>,
    /// Sending ends that it keeps for us.
    pub(super) outlets: HashMap<u64, Outlet>,
    pub(super) free_words: Free<WORDS_OF_CREDIT>,
    /// Those that we keep for it and shall tell it of.
    pub(super) watched: HashSet<u64>,
    /// Our requests.
    pub(super) pending: HashMap<u64, Pending>,
    /// Its requests that wait in channels here.
    pub(super) turns: HashMap<u64, Turn>,
    /// Messages that were delivered to it and not taken there yet.
    pub(super) lent: BTreeMap<u64, Delivery>,
    /// Of receiving ends that we keep for it.
    pub(super) shelves: HashMap<u64, Arc<Shelf>>,
    pub(super) free_shelves: Free<SHELVES>,
}

impl Talk {
    pub(super) fn begin(address: Option<Address>) -> Talk {
        Talk { address, ..Talk::default() }
    }

    pub(super) fn over(address: Option<Address>, why: Arc<str>) -> Talk {
        Talk { address, gone: Some(why), ..Talk::default() }
    }

    /// The other side shows memory. Gives what is not needed any more, to be dropped without the lock.
    pub(super) fn see(&mut self, arena: ArenaId, mapped: Mapped) -> Option<Mapped> {
        if self.address == Some(arena.process()) {
            return self.memory.insert(arena, mapped);
        }
        match self.orphaned.entry(arena) {
            Entry::Vacant(entry) => {
                entry.insert((mapped, 1));
                None
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().1 += 1;
                Some(mapped)
            }
        }
    }

    /// These were packed for the other side, which will not hear of them. Whoever packs them has them as well, so that nothing ends by that.
    pub(super) fn take_back(&mut self, parts: &[Part], forwarded: &mut Forwarded) {
        for part in parts {
            match part {
                Part::Array(ArrayPart { origin: Origin::Granted, arena, block, generation, .. }) => {
                    drop(self.ledger.release(*arena, *block, *generation, 1));
                }
                Part::End(EndPart { origin: Origin::Granted, end, .. }) => forwarded.ends.extend(self.ends.remove(end)),
                _ => {}
            }
        }
    }

    /// The memory for one array of a dead process.
    pub(super) fn take_orphaned(&mut self, arena: ArenaId) -> Option<Mapped> {
        let Entry::Occupied(mut entry) = self.orphaned.entry(arena) else { return None };
        let (mapped, arrays) = entry.get_mut();
        *arrays -= 1;
        if *arrays > 0 { Some(mapped.clone()) } else { Some(entry.remove().0) }
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").field("address", &self.address).field("gone", &self.gone).finish_non_exhaustive()
    }
}
