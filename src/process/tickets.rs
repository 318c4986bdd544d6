//! Tickets: what keeps an array or channel end alive until another process asks for it, once.
//!
//! ```text
//! held --redeem--> spent --redeem again--> the same array, if its block still lives
//!   |                 '--> forgotten, when many others were spent since
//!   '--drop, or its maker died some time ago--> gone
//! ```

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::wire::Token;
use crate::Array;
use crate::channel::Attachment;
use crate::handle::Handle;

/// How long a ticket outlives the process that made it for somebody else: the one it was made for may be on its way.
const GRACE: Duration = Duration::from_secs(5);
/// So many spent tickets are remembered.
const REMEMBERED: usize = 1 << 14;

/// A ticket that nobody has redeemed.
#[derive(Debug)]
struct Held {
    content: Attachment,
    born: Instant,
    /// Where in the program it was made.
    site: String,
    /// The conversation in which another process asked for it.
    maker: Option<u64>,
    /// Since when that process is gone.
    orphaned: Option<Instant>,
}

/// What a ticket that was not redeemed says of itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TicketStatistics {
    /// How long ago it was made.
    pub age: Duration,
    /// Bytes of its array; 0 for a channel end.
    pub nbytes: usize,
    /// Where in the program it was made, as far as known.
    pub site: String,
}

/// All tickets of this process.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    held: HashMap<Token, Held>,
    spent: HashMap<Token, Handle>,
    /// In the order in which they were spent.
    order: VecDeque<Token>,
}

impl Tickets {
    pub(super) fn hold(&mut self, token: Token, content: Attachment, site: String, maker: Option<u64>) {
        self.held.insert(token, Held { content, born: Instant::now(), site, maker, orphaned: None });
    }

    /// What the ticket stands for. `None` when it never was, or what it stood for is gone.
    pub(super) fn redeem(&mut self, token: &Token) -> Option<Attachment> {
        let Some(Held { content, .. }) = self.held.remove(token) else {
            return self.spent.get(token).and_then(|handle| Array::open(handle).ok()).map(Attachment::Array);
        };
        if let Attachment::Array(array) = &content
            && array.is_own()
        {
            if self.order.len() == REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.spent.remove(&oldest);
            }
            self.spent.insert(*token, array.handle());
            self.order.push_back(*token);
        }
        Some(content)
    }

    /// Whether it was redeemed, though what it stood for may be gone.
    pub(super) fn was_redeemed(&self, token: &Token) -> bool {
        self.spent.contains_key(token)
    }

    /// Takes a ticket out that nobody will redeem.
    pub(super) fn forget(&mut self, token: &Token) -> Option<Attachment> {
        self.held.remove(token).map(|held| held.content)
    }

    /// The process behind that conversation is gone.
    pub(super) fn orphan(&mut self, maker: u64) {
        let now = Instant::now();
        self.held.values_mut().filter(|held| held.maker == Some(maker)).for_each(|held| held.orphaned = Some(now));
    }

    /// Takes out those whose makers are gone for long, to be dropped without the lock.
    pub(super) fn expire(&mut self) -> Vec<Attachment> {
        self.take_out(|held| held.orphaned.is_some_and(|since| since.elapsed() >= GRACE))
    }

    /// Whether some are going to expire.
    pub(super) fn any_orphaned(&self) -> bool {
        self.held.values().any(|held| held.orphaned.is_some())
    }

    /// Takes out all that are as old or older.
    pub(super) fn older_than(&mut self, age: Duration) -> Vec<Attachment> {
        self.take_out(|held| held.born.elapsed() >= age)
    }

    fn take_out(&mut self, wanted: impl Fn(&Held) -> bool) -> Vec<Attachment> {
        self.held.extract_if(|_, held| wanted(held)).map(|(_, held)| held.content).collect()
    }

    /// The oldest first.
    pub(super) fn statistics(&self) -> Vec<TicketStatistics> {
        let mut all: Vec<_> = self.held.values().map(Held::statistics).collect();
        all.sort_by_key(|ticket| std::cmp::Reverse(ticket.age));
        all
    }
}

impl Held {
    fn statistics(&self) -> TicketStatistics {
        let nbytes = match &self.content {
            Attachment::Array(array) => array.meta().nbytes(),
            Attachment::Sender(_) | Attachment::Receiver(_) => 0,
        };
        TicketStatistics { age: self.born.elapsed(), nbytes, site: self.site.clone() }
    }
}
