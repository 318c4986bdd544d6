//! What this process has to do with others.

use std::collections::BTreeMap;

use super::here::known;

/// What another process has of ours now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessStatistics {
    /// Its number; 0 when it is in a namespace out of sight.
    pub pid: u32,
    /// Blocks of ours that it reads.
    pub leased: usize,
    /// Channel ends that it has, of channels that live here.
    pub ends: usize,
    /// Packets that wait for it to read. More than a few for long: it was stopped, or is busy.
    pub backlog: usize,
}

/// The processes with which this one is in conversation, in the order of their numbers.
pub fn processes() -> Vec<ProcessStatistics> {
    let mut all = BTreeMap::new();
    for peer in known().map(|here| here.all()).unwrap_or_default() {
        let pid = peer.credentials.pid;
        // Two that dial each other at once have two conversations.
        let seen = all.entry(pid).or_insert(ProcessStatistics { pid, leased: 0, ends: 0, backlog: 0 });
        let talk = peer.talk();
        seen.leased += talk.ledger.len();
        seen.ends += talk.ends.len();
        drop(talk);
        seen.backlog += peer.outbox.len();
    }
    all.into_values().collect()
}
