//! Tickets: what keeps an array or channel end alive until another process asks for it, once.
//!
//! ```text
//! held --redeem--> spent --redeem again--> the same array, if its block still lives
//!   |                 '--> forgotten, when many others were spent since
//!   '--drop, or its maker died some time ago--> gone
//! ```
//! What has a counterfoil fades on each of these ways: it stays until nobody can have redeemed it at the same moment, see `redeem`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::peer::Peer;
use super::wire::Token;
use crate::Array;
use crate::arena::Counterfoil;
use crate::channel::Attachment;
use crate::handle::Handle;

/// How long a ticket outlives the process that made it for somebody else: the one it was made for may be on its way.
const GRACE: Duration = Duration::from_secs(5);
/// So many spent tickets are remembered.
const REMEMBERED: usize = 1 << 14;

/// A ticket that nobody has redeemed.
#[derive(Debug)]
pub(super) struct Held {
    content: Attachment,
    /// By which it can be redeemed without asking.
    counterfoil: Option<Counterfoil>,
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
    fading: Vec<Fading>,
}

/// What a ticket stood for that was given up.
#[derive(Debug)]
pub(super) struct Fading {
    token: Token,
    content: Attachment,
    /// Conversations in which it may have been redeemed before, and up to where they have to be read; `None` when nobody has looked yet.
    pub(super) waits_for: Option<Vec<(u64, u64)>>,
}

impl Tickets {
    pub(super) fn hold(&mut self, token: Token, held: Held) {
        self.held.insert(token, held);
    }

    /// Whether it waits to be redeemed, or was.
    pub(super) fn knows(&self, token: &Token) -> bool {
        self.held.contains_key(token) || self.was_redeemed(token)
    }

    /// What the ticket stands for. `None` when it never was, or what it stood for is gone.
    pub(super) fn redeem(&mut self, token: &Token) -> Option<Attachment> {
        let Some(content) = self.forget(token) else {
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

    /// As `redeem`, for one who has said so while the counterfoil showed that it may.
    pub(super) fn redeem_at_once(&mut self, token: &Token) -> Option<Attachment> {
        if self.held.contains_key(token) {
            return self.redeem(token);
        }
        self.fading.iter().find(|fading| fading.token == *token).map(|fading| fading.content.clone())
    }

    /// Takes a ticket out that nobody will redeem.
    pub(super) fn forget(&mut self, token: &Token) -> Option<Attachment> {
        self.held.remove(token).map(|held| self.give_up(*token, held))
    }

    fn give_up(&mut self, token: Token, Held { content, counterfoil, .. }: Held) -> Attachment {
        if counterfoil.is_some() {
            drop(counterfoil);
            self.fading.push(Fading { token, content: content.clone(), waits_for: None });
        }
        content
    }

    /// Whether some were given up and are still here.
    pub(super) fn any_fading(&self) -> bool {
        !self.fading.is_empty()
    }

    /// Takes out what need not stay any longer, to be dropped without the lock.
    pub(super) fn faded(&mut self, is_over: impl FnMut(&mut Fading) -> bool) -> Vec<Fading> {
        self.fading.extract_if(.., is_over).collect()
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
        let taken: Vec<_> = self.held.extract_if(|_, held| wanted(held)).collect();
        taken.into_iter().map(|(token, held)| self.give_up(token, held)).collect()
    }

    /// The oldest first.
    pub(super) fn statistics(&self) -> Vec<TicketStatistics> {
        let now = Instant::now();
        let mut all: Vec<_> = self.held.values().map(|held| held.statistics(now)).collect();
        all.sort_by_key(|ticket| std::cmp::Reverse(ticket.age));
        all
    }
}

impl Held {
    /// A ticket of this process's.
    pub(super) fn issued(content: Attachment, counterfoil: Option<Counterfoil>, site: String) -> Held {
        Held { content, counterfoil, born: Instant::now(), site, maker: None, orphaned: None }
    }

    /// One for which `maker` will tell others to ask here.
    pub(super) fn forwarded(content: Attachment, maker: &Peer) -> Held {
        let site = format!("forwarded by {}", maker.host());
        Held { content, counterfoil: None, born: Instant::now(), site, maker: Some(maker.id), orphaned: None }
    }

    fn statistics(&self, now: Instant) -> TicketStatistics {
        let nbytes = match &self.content {
            Attachment::Array(array) => array.meta().nbytes(),
            Attachment::Sender(_) | Attachment::Receiver(_) => 0,
        };
        TicketStatistics { age: now.saturating_duration_since(self.born), nbytes, site: self.site.clone() }
    }
}
