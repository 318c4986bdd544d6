//! A message on its way in, until all of its parts are here: those that lie with third processes are asked for.

use std::sync::{Arc, Mutex, PoisonError};

use super::call::{Pending, Reply};
use super::here::Here;
use super::packing::Unpacked;
use super::wire::Packet;
use crate::channel::{Attachment, Message};

/// What is done with a message once it is complete, or with the reason why it never will be.
type Then = Box<dyn FnOnce(Result<Message, String>) + Send>;

/// A message whose parts arrive one by one.
pub(super) struct Arrival(Mutex<State>);

struct State {
    head: Vec<u8>,
    parts: Vec<Option<Attachment>>,
    missing: usize,
    trouble: Option<String>,
    then: Option<Then>,
}

impl Arrival {
    /// Asks for what is missing, and calls `then` when all has come or been refused: at once, or on the server's thread.
    pub(super) fn begin(here: &'static Here, parts: Vec<Unpacked>, head: Vec<u8>, then: Then) -> Arc<Arrival> {
        let elsewhere: Vec<_> = parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| if let Unpacked::Elsewhere(address, token) = part { Some((at, *address, *token)) } else { None })
            .collect();
        let trouble = parts.iter().find_map(|part| if let Unpacked::Gone(why) = part { Some(why.clone()) } else { None });
        let parts: Vec<_> = parts.into_iter().map(|part| if let Unpacked::Here(part) = part { Some(part) } else { None }).collect();
        // One more than is missing, so that it is not complete before everything was asked for.
        let state = State { head, parts, missing: elsewhere.len() + 1, trouble, then: Some(then) };
        let arrival = Arc::new(Arrival(Mutex::new(state)));
        for (at, address, token) in elsewhere {
            match here.reach(address) {
                Ok(peer) => {
                    let arrival = arrival.clone();
                    let then = Box::new(move |reply| arrival.fill(at, reply));
                    peer.ask(Pending::Then(then), |request| Packet::Open { request, token, handle: None });
                }
                Err(error) => arrival.settle(|state| state.trouble = Some(error.to_string())),
            }
        }
        arrival.settle(|_| {});
        arrival
    }

    fn fill(&self, at: usize, reply: Reply) {
        self.settle(|state| match reply {
            Reply::Part(part) => state.parts[at] = Some(part),
            Reply::Gone(why) => state.trouble = Some(why.to_string()),
            Reply::Verdict(_, text) => state.trouble = Some(text),
            _ => state.trouble = Some("the owner answered something else".to_owned()),
        });
    }

    /// One part less is missing.
    fn settle(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.missing -= 1;
        if state.missing > 0 {
            return;
        }
        let Some(then) = state.then.take() else { return };
        let parts: Vec<Attachment> = std::mem::take(&mut state.parts).into_iter().flatten().collect();
        let complete = match state.trouble.take() {
            None => Ok(Message::from_parts(&state.head, parts)),
            Some(trouble) => Err(trouble),
        };
        drop(state);
        then(complete);
    }
}
