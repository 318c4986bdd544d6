//! Other processes of the same user: the same arrays and channels, no names in a file system, nothing left after `kill -9`.
//!
//! ```text
//! owner                                               another process
//! arena ── descriptor, read-only, once ─────────────▶ mapping, read-only
//! ledger ─ one entry for each lease ◀─ release ────── lease
//! channel ─ Deliver, kept until Taken ──────────────▶ remote end
//!    ▲────── Put ◀──────────────────────────────────────┘
//! ```
//!
//! Each process that has to do with others runs one thread (`server`) behind an abstract Unix socket. Two processes have one conversation
//! (`peer`), in which either may own arrays and host channels. When a process dies, the others see its socket or its pidfd end, and let go
//! of all that it held: leases, channel ends, messages that were delivered to it and not taken. Those go to the next receiver.
//!
//! | who dies | what the others find |
//! |---|---|
//! | a receiver between delivery and `Taken` | the message at the front of its queue again |
//! | a receiver after `Taken` | the message was received |
//! | a receiver with messages on its shelf | those that it has not read, in the queue again |
//! | a sender before its packet was written | nothing |
//! | a sender after it | the message; its arrays stay readable, as the host has the memory mapped |
//! | the host of a channel | `HostGone`: its queue is gone with it |
//! | the owner of arrays | what is open stays readable; opening more gives `StaleHandle`, with its pid |
//! | whoever forwarded an array | the receiver asks the owner, who was told before |
//!
//! A packet arrives whole or not at all, and each of these steps is one packet: there is no state between them. What packets say is in
//! [`protocol`].

mod alarm;
mod arrival;
mod call;
mod connection;
mod dispatch;
mod fate;
#[cfg(fuzzing)]
pub mod fuzz;
mod here;
mod inbox;
mod inheritance;
mod lane;
mod ledger;
#[cfg(all(test, not(loom)))]
mod liars;
mod lookout;
mod numbered;
#[cfg(all(test, not(loom)))]
mod other_side;
mod outbox;
mod outlet;
mod packing;
#[cfg(all(test, not(loom)))]
mod packing_tests;
mod peer;
mod picking;
mod published;
mod put;
#[cfg(all(test, not(loom)))]
mod put_tests;
mod redeem;
mod remote;
mod request;
mod ring;
mod server;
mod service;
mod shelf;
#[cfg(all(test, not(loom)))]
mod shelf_tests;
mod socket;
mod statistics;
mod talk;
mod ticket;
mod tickets;
mod turns;
mod wire;

#[doc = include_str!("PROTOCOL.md")]
pub mod protocol {}

pub use connection::{Connection, connect};
pub use published::LONGEST_NAME;
pub use service::{PublishedChannel, Service, publish};
pub use statistics::{ProcessStatistics, processes};
pub use ticket::{adopt, drop_tickets, open, tickets};
pub use tickets::TicketStatistics;

#[allow(unused_imports, reason = "the doors for the extension; without it nobody goes through")]
pub(crate) use self::{
    connection::{Dialling, Thing, dial},
    inheritance::{pause, resume, settle, watch_forks},
    request::{Asked, Request},
    ticket::{begin_open, begin_redeem, forget, issue, issue_each, serve},
};
