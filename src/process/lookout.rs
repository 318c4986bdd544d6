//! Threads that wait for what may come from other processes attend to these meanwhile, so that nobody else has to be woken for them.
//!
//! ```text
//! bell of a conversation   who reads what comes                     how it learns of it
//! 0                        a thread that looks before it sleeps,    it looks at the ring
//!                          or has just woken one over there
//! 2                        one thread that sleeps, of those that do  the writer wakes it by the bell itself, a futex both processes know
//! 1                        the server's thread                      the writer sends a packet through the socket
//! ```
//! A bell says 0 only as long as somebody looks who has set it to 0, or was rung and has not read yet. Each of them sets it to 1 in the end,
//! and reads what came before that; so does who stops to sleep on it, and nobody else takes a 2 away. Who sleeps on it sets it to 0 while it
//! reads, and to 2 again before it looks for the last time. So it does not matter who attends
//! to which conversations at the same time: at worst a bell says 1 while somebody looks, and the server's thread is woken for nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::here::{Here, known};
use super::lane::Lane;
use super::peer::Peer;
use super::ring::{LISTENED, Ring};
use crate::channel::{Listen, Look, Outlook, Sleep, attend_to, sleep_on_any};
use crate::sync::of_process::AtomicBool;
use crate::sync::{AtomicU32, Ordering, fence};

/// The kernel takes 128 words to sleep on.
const MOST_CONVERSATIONS: usize = 100;

/// Whether the kernel can sleep on several words (Linux 5.16).
static ABLE: AtomicBool = AtomicBool::new(true);

/// To be called before the first conversation.
pub(super) fn begin_with_channels() {
    attend_to(Outlook { look, listen, catch_up });
}

fn look() -> Option<Box<dyn Look>> {
    let attention = Attention::begin()?;
    for peer in attention.peers.iter() {
        peer.disarm();
    }
    Some(Box::new(attention))
}

/// Reads all that was written to this process before the call.
pub(super) fn catch_up() {
    if let Some(here) = known() {
        here.lookable().iter().for_each(|peer| peer.catch_up(here));
    }
}

fn listen() -> Option<Box<dyn Listen>> {
    let here = known().filter(|_| ABLE.load(Ordering::Relaxed))?;
    if here.listening.swap(true, Ordering::Relaxed) {
        return None;
    }
    let listener = Listener { attention: Attention::begin(), here, woken_from: None };
    let few = listener.attention.as_ref().is_some_and(|attention| attention.peers.len() <= MOST_CONVERSATIONS);
    few.then(|| Box::new(listener) as Box<dyn Listen>)
}

/// The conversations that a thread attends to: those which there were when it began.
struct Attention {
    here: &'static Here,
    peers: Arc<[Arc<Peer>]>,
}

impl Attention {
    fn begin() -> Option<Attention> {
        let here = known()?;
        let peers = here.lookable();
        if peers.is_empty() {
            return None;
        }
        Some(Attention { here, peers })
    }

    fn rings(&self) -> impl Iterator<Item = Ring<'_>> {
        self.peers.iter().filter_map(|peer| peer.lane.get()).map(Lane::incoming)
    }

    /// What is left in the ring of a conversation that is over stays there.
    fn has_news(&self) -> bool {
        self.peers.iter().any(|peer| peer.has_news() && !peer.is_gone())
    }

    fn read(&self) {
        self.peers.iter().for_each(|peer| peer.glance_at_news(self.here));
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        for peer in self.peers.iter() {
            peer.watch_again(self.here);
        }
    }
}

impl Look for Attention {
    fn look(&mut self) {
        self.read();
    }
}

/// The one thread that sleeps with an ear to all conversations.
struct Listener {
    attention: Option<Attention>,
    here: &'static Here,
    /// As far as this thread knows: of the conversation that it has read last.
    woken_from: Option<u32>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Before another begins, whose bells this one would set back.
        if let Some(attention) = self.attention.take() {
            attention.peers.iter().for_each(|peer| peer.stop_listening());
        }
        self.here.listening.store(false, Ordering::Relaxed);
    }
}

impl Listen for Listener {
    fn sleep(&mut self, word: &AtomicU32, seen: u32, time: Option<Duration>) -> Sleep {
        let Some(attention) = &self.attention else { return Sleep::Woken };
        let until = time.and_then(|time| Instant::now().checked_add(time));
        loop {
            // What comes while this reads needs no wake-up: it looks again before it sleeps.
            attention.peers.iter().for_each(|peer| peer.stop_listening());
            // Another thread may read just now, and may have lost its CPU to this one: it must be waited for, not looked at.
            while word.load(Ordering::Relaxed) == seen && attention.has_news() {
                for peer in attention.peers.iter().filter(|peer| peer.has_news()) {
                    self.woken_from = peer.woken_from();
                    peer.catch_up(attention.here);
                }
                if until.is_some_and(|until| until <= Instant::now()) {
                    return Sleep::Elapsed;
                }
            }
            attention.rings().for_each(|ring| ring.listen());
            fence(Ordering::SeqCst); // pairs with the one in `Ring::must_ring`: the writer sees the bell, or we see the packet
            if word.load(Ordering::Relaxed) != seen {
                return Sleep::Woken;
            }
            if attention.has_news() {
                continue;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match sleep_on_any((word, seen), attention.rings().map(|ring| (ring.bell, LISTENED)), left) {
                Some(Sleep::Woken) => {}
                Some(ended) => return ended,
                None => {
                    // Whoever waits looks again, and sleeps in the old way.
                    ABLE.store(false, Ordering::Relaxed);
                    return Sleep::Woken;
                }
            }
        }
    }

    fn woken_from(&self) -> Option<u32> {
        self.woken_from
    }
}
