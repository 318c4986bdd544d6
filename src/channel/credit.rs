//! Room that senders in other processes may fill without asking, each as far as its credit goes.
//!
//! ```text
//! top_up --> [ allowance ] --> spent there, the message under way --> redeem: the message is in the queue
//!                  '--> reclaim: somebody else needs the room
//! ```
//!
//! What was granted counts as filled, until it is redeemed or taken back. So a queue never holds more than its capacity says; and as an
//! allowance can be taken back at once, from a process that hangs as well, nobody is refused for room that nobody uses.

use std::fmt::Debug;
use std::sync::Arc;

use super::gate::Gate;

/// So many messages ahead at most.
const AHEAD: usize = 64;

/// Where a sender in another process finds how many messages it may send.
pub(crate) trait Allowance: Debug + Send + Sync {
    /// So many more than it has.
    fn add(&self, count: u32);

    /// Takes back all that is left, and says how much. A process that lies may have left any number there.
    fn take_back(&self) -> u32;
}

/// Of one end.
#[derive(Debug)]
struct Credit {
    /// The end's number.
    gate: u64,
    allowance: Arc<dyn Allowance>,
    /// Not redeemed and not taken back: what the allowance has, and what is under way.
    granted: usize,
}

/// Of all ends of a channel.
#[derive(Debug, Default)]
pub(super) struct Credits {
    all: Vec<Credit>,
    /// The sum of what is granted.
    reserved: usize,
}

impl Credits {
    /// How many places are filled already, though their messages are not there yet.
    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }

    /// That end may have credit from now on.
    pub(super) fn open(&mut self, gate: &Gate, allowance: Arc<dyn Allowance>) {
        self.all.push(Credit { gate: gate.number(), allowance, granted: 0 });
    }

    /// That end has none any more. Whatever was under way has come, or never will. Gives its allowance, to be dropped outside the lock.
    pub(super) fn close(&mut self, gate: &Gate) -> Option<Arc<dyn Allowance>> {
        let index = self.all.iter().position(|credit| credit.gate == gate.number())?;
        let Credit { allowance, granted, .. } = self.all.swap_remove(index);
        // Another end may come to use the same allowance.
        allowance.take_back();
        self.reserved -= granted;
        Some(allowance)
    }

    /// Grants that end its share of the capacity, as far as there is room, once it has half of that or less.
    pub(super) fn top_up(&mut self, gate: &Gate, share: usize, room: usize) {
        let share = share.clamp(1, AHEAD);
        let Some(credit) = self.of(gate).filter(|credit| credit.granted <= share / 2) else { return };
        let more = (share - credit.granted).min(room);
        if more > 0 {
            credit.allowance.add(more as u32);
            credit.granted += more;
            self.reserved += more;
        }
    }

    /// A message of that end has come. Whether there was credit for it.
    pub(super) fn redeem(&mut self, gate: &Gate) -> bool {
        let Some(credit) = self.of(gate).filter(|credit| credit.granted > 0) else { return false };
        credit.granted -= 1;
        self.reserved -= 1;
        true
    }

    /// Takes back all that is not used.
    pub(super) fn reclaim(&mut self) {
        for credit in self.all.iter_mut().filter(|credit| credit.granted > 0) {
            let unused = credit.granted.min(credit.allowance.take_back() as usize);
            credit.granted -= unused;
            self.reserved -= unused;
        }
    }

    fn of(&mut self, gate: &Gate) -> Option<&mut Credit> {
        self.all.iter_mut().find(|credit| credit.gate == gate.number())
    }
}
