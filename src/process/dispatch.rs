//! What each packet does.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::call::Reply;
use super::here::{Here, Late};
use super::lane::{Lane, ShelfNumber};
use super::outlet::{Audience, Granting};
use super::packing::{NO_TOKEN, Unpacked, all_here, check_dtype};
use super::peer::Peer;
use super::talk::{Delivery, Forwarded, Hosted};
use super::tickets::Held;
use super::turns::{Loss, Turn, Wish};
use super::wire::{ArrayPart, Flaw, Origin, Packet, Part, Thing, Token, Verdict};
use crate::channel::{Attachment, Message, Refusal, Refused};
use crate::error::Error;
use crate::handle::Handle;
use crate::{Array, Receiver, Sender};

/// How long a request waits for news of its ticket: what another process says of it may take longer than the request.
const LATE: Duration = Duration::from_secs(1);

pub(super) const UNKNOWN_TICKET: &str = "the ticket was redeemed before and its array is freed, or it was dropped; a pickle of an array is good for \
    as long as the array lives, and of a channel end for once";

impl Peer {
    /// Does what the packet says. Errors when no honest process says that.
    pub(super) fn handle(self: &Arc<Self>, here: &'static Here, packet: Packet<'_>, descriptor: Option<OwnedFd>) -> Result<(), Flaw> {
        match packet {
            Packet::Hello { address } => {
                let mut talk = self.talk();
                if *talk.address.get_or_insert(address) != address {
                    return Err(Flaw::Text(format!("the process is {address} now, and was another one before")));
                }
                drop(talk);
                if let Some(descriptor) = descriptor {
                    let lane =
                        Lane::map(descriptor).map_err(|errno| Flaw::Text(format!("the memory for packets cannot be used: {errno}")))?;
                    if self.lane.set(lane).is_err() {
                        return Err(Flaw::Text("the memory for packets came twice".to_owned()));
                    }
                }
                here.introduce(self, address);
            }
            // Reading has seen to it.
            Packet::Farewell { .. } | Packet::Bell => {}
            Packet::Memory { arena } => {
                let descriptor = descriptor.ok_or_else(|| Flaw::Text(format!("arena {arena} came without its descriptor")))?;
                let mapped = here.map(arena, descriptor);
                let old = self.talk().see(arena, mapped);
                drop(old);
            }
            Packet::Hide { arena } => {
                let hidden = self.talk().memory.remove(&arena);
                drop(hidden);
            }
            Packet::Release { arena, block, generation, count } => {
                let released = self.talk().ledger.release(arena, block, generation, count);
                match released {
                    Some(ended) => drop(ended),
                    None => return Err(Flaw::Text(format!("{count} leases of block {} of arena {arena} were not granted", block.0))),
                }
            }
            Packet::Open { request, token: NO_TOKEN, handle: Some(handle) } => self.open(here, request, handle),
            Packet::Open { request, token, .. } => self.redeem(here, request, token),
            Packet::Forward { token, array } => {
                // Whoever asks for one that is gone hears of it then.
                if let Some(array) = self.own(array)? {
                    self.hold(here, token, Attachment::Array(array));
                }
            }
            Packet::ForwardEnd { token, end } => match self.hosted(end) {
                Some(Hosted::Sender(sender)) => self.hold(here, token, Attachment::Sender(Sender::clone(&sender))),
                Some(Hosted::Receiver(receiver)) => self.hold(here, token, Attachment::Receiver(Receiver::clone(&receiver))),
                // Whoever asks by that token hears that it is gone.
                None => {}
            },
            Packet::Forget { token } => {
                let forgotten = here.tickets().forget(&token);
                drop(forgotten);
            }
            Packet::Redeem { request: 0, token } => self.redeemed(here, token)?,
            Packet::Redeem { request, token } => self.redeem_again(here, request, token),
            Packet::Find { request, thing, service, name } => self.find(here, request, thing, service, name),
            Packet::Inherit { request, fork, channel, side } => match here.inherit(&fork, channel, side) {
                Some(end) => self.grant(here, request, &end),
                None => self.post(&Packet::Answer { request, verdict: Verdict::Stale, text: "the channel is gone" }),
            },
            Packet::Settled { fork } => drop(here.settle(&fork)),
            Packet::Close { end } => {
                let (closed, shelf) = {
                    let mut talk = self.talk();
                    talk.watched.remove(&end);
                    (talk.ends.remove(&end), talk.shelves.remove(&end))
                };
                if let Some(hosted) = closed {
                    hosted.close();
                }
                if let Some(shelf) = shelf {
                    shelf.end();
                    self.talk().free_shelves.give_back(shelf.number());
                }
            }
            Packet::Another { end, number } => {
                let another = match self.hosted(end) {
                    Some(Hosted::Sender(sender)) => Hosted::Sender(Arc::new(Sender::clone(&sender))),
                    Some(Hosted::Receiver(receiver)) => Hosted::Receiver(Arc::new(Receiver::clone(&receiver))),
                    // Another one that is closed.
                    None => return Ok(()),
                };
                let taken = self.talk().ends.insert(number, another);
                if taken.is_some() {
                    return Err(Flaw::Text(format!("there is an end {number} already")));
                }
            }
            Packet::Put { request, end, waits, credit, body } => {
                let (parts, head) = self.unpack_body(&body)?;
                let sender = match self.hosted(end) {
                    Some(Hosted::Sender(sender)) => Some(sender),
                    Some(Hosted::Receiver(_)) => return Err(Flaw::Text(format!("end {end} receives, and was asked to send"))),
                    None => None,
                };
                if request == 0 {
                    return self.put_at_once(end, sender.as_deref(), parts, &head);
                }
                let Some(sender) = sender else {
                    self.say(request, Verdict::Closed);
                    return Ok(());
                };
                if sender.capacity() != Some(0) && self.talk().watched.insert(end) {
                    Loss::watch(self, end, &sender);
                    if let Some(word) = credit.filter(|_| sender.capacity().is_some() && self.lane.get().is_some()) {
                        sender.open_credit(Arc::new(Granting { peer: self.clone(), word }));
                    }
                }
                let late = parts.iter().any(|part| matches!(part, Unpacked::Elsewhere(..)));
                if late {
                    Turn::arriving(self, request);
                }
                let peer = self.clone();
                Arrival::begin(here, parts, head, Box::new(move |message| Turn::put(&peer, request, sender, waits, late, message)));
            }
            Packet::Want { request, end, waits, more } => {
                let receiver = match self.hosted(end) {
                    Some(Hosted::Receiver(receiver)) => receiver,
                    Some(Hosted::Sender(_)) => return Err(Flaw::Text(format!("end {end} sends, and was asked to receive"))),
                    None => {
                        self.say(request, Verdict::Closed);
                        return Ok(());
                    }
                };
                Turn::want(here, self, request, receiver, Wish { end, waits, more });
            }
            Packet::Cancel { request } => self.call_off_turn(request),
            Packet::Deliver { request, delivery, shelf, body } => {
                let (parts, head) = self.unpack_body(&body)?;
                let peer = self.clone();
                Arrival::begin(here, parts, head, Box::new(move |message| peer.delivered(request, delivery, shelf, message)));
            }
            Packet::Taken { delivery } => {
                let lent = self.talk().lent.remove(&delivery);
                match lent {
                    // What was forwarded for it was fetched before.
                    Some(Delivery { lent, .. }) => drop(lent.delivered()),
                    None => return Err(Flaw::Unknown { what: "delivery", number: delivery }),
                }
            }
            Packet::Return { delivery } => {
                let lent = self.talk().lent.remove(&delivery);
                match lent {
                    Some(Delivery { lent, forwarded }) => {
                        // It goes back by itself.
                        drop(lent);
                        forwarded.forget();
                    }
                    None => return Err(Flaw::Unknown { what: "delivery", number: delivery }),
                }
            }
            Packet::Ask { request, end } => {
                let seen = match self.hosted(end) {
                    Some(Hosted::Sender(sender)) => sender.statistics(),
                    Some(Hosted::Receiver(receiver)) => receiver.statistics(),
                    None => {
                        self.say(request, Verdict::Closed);
                        return Ok(());
                    }
                };
                self.post(&Packet::Figures { request, figures: super::wire::figures(&seen) });
            }
            Packet::Figures { request, figures } => drop(self.answer(request, Reply::Figures(figures))),
            Packet::Granted { request, part } => {
                let part = self.unpack_part(&part)?;
                let peer = self.clone();
                let answer = move |message: Result<Message, String>| {
                    let reply = match message {
                        Ok(message) => Reply::Part(message.parts().1[0].clone()),
                        Err(why) => Reply::Verdict(Verdict::Stale, why),
                    };
                    drop(peer.answer(request, reply));
                };
                // It may lie with a third process, when what a service has published is somebody else's.
                Arrival::begin(here, vec![part], Vec::new(), Box::new(answer));
            }
            Packet::Lost { end } => {
                // One that is closed here is nobody's.
                if let Some(outlet) = self.talk().outlets.get_mut(&end) {
                    outlet.audience = Audience::Gone;
                }
            }
            Packet::Answer { request, verdict, text } => drop(self.answer(request, Reply::Verdict(verdict, text.to_owned()))),
        }
        Ok(())
    }

    /// Sends what nobody waits to hear of.
    fn put_at_once(&self, end: u64, sender: Option<&Sender>, parts: Vec<Unpacked>, head: &[u8]) -> Result<(), Flaw> {
        let may_wait = || Flaw::Text(format!("what is put into end {end} may have to wait, and needs a request"));
        let message = Message::from_parts(head, all_here(parts).ok_or_else(may_wait)?);
        let Some(sender) = sender else { return Ok(()) };
        // Of receivers that are gone it is told once.
        if sender.capacity().is_none() {
            let _ = sender.try_send(message);
            return Ok(());
        }
        match sender.send_on_credit(message) {
            Err(Refused { why: Refusal::Full, .. }) => Err(may_wait()),
            _ => Ok(()),
        }
    }

    /// `None` once it is closed. One thread of the other side may close an end while another one is about to use it, so that what it says
    /// of the end comes after its close.
    pub(super) fn hosted(&self, end: u64) -> Option<Hosted> {
        self.talk().ends.get(&end).cloned()
    }

    /// A message came for a request of ours.
    fn delivered(&self, request: u64, delivery: u64, shelf: Option<ShelfNumber>, message: Result<Message, String>) {
        let unclaimed = match message {
            Ok(message) => self.answer(request, Reply::Delivered { delivery, shelf, message }).is_some(),
            // A part of it lies with a process that is gone. The host finds that out, too, and then has another way; whoever waits asks again.
            Err(why) => {
                self.post(&Packet::Return { delivery });
                drop(self.answer(request, Reply::Verdict(Verdict::OwnerGone, why)));
                return;
            }
        };
        if unclaimed {
            self.post(&Packet::Return { delivery });
        }
    }

    /// An array of ours, by a part that the other side wrote; `None` when it is gone.
    fn own(self: &Arc<Self>, part: ArrayPart) -> Result<Option<Array>, Flaw> {
        let part = Part::Array(ArrayPart { origin: Origin::Yours, ..part });
        match self.unpack_part(&part)? {
            Unpacked::Here(Attachment::Array(array)) => Ok(Some(array)),
            Unpacked::Gone(_) => Ok(None),
            _ => Err(Flaw::Text("an array was expected".to_owned())),
        }
    }

    /// Keeps something for whoever asks by that token, and gives it to those who have asked already.
    fn hold(self: &Arc<Self>, here: &'static Here, token: Token, content: Attachment) {
        here.tickets().hold(token, Held::forwarded(content, self));
        redeem_late(here, token);
    }

    pub(super) fn redeem(self: &Arc<Self>, here: &'static Here, request: u64, token: Token) {
        if self.redeem_now(here, request, token) {
            return;
        }
        here.late().push(Late { peer: self.clone(), request, token, until: Instant::now() + LATE });
        here.look_soon();
        // Whoever has brought the ticket since may not have seen this request.
        if here.tickets().knows(&token) {
            redeem_late(here, token);
        }
    }

    /// Answers, unless nothing is known of the ticket.
    fn redeem_now(self: &Arc<Self>, here: &'static Here, request: u64, token: Token) -> bool {
        let (content, spent) = {
            let mut tickets = here.tickets();
            (tickets.redeem(&token), tickets.was_redeemed(&token))
        };
        match content {
            Some(content) => self.grant(here, request, &content),
            None if spent => self.post(&Packet::Answer { request, verdict: Verdict::Stale, text: UNKNOWN_TICKET }),
            None => return false,
        }
        true
    }

    fn open(self: &Arc<Self>, here: &'static Here, request: u64, part: ArrayPart) {
        let ArrayPart { arena, block, generation, offset, meta, seal, .. } = part;
        match Array::open(&Handle { arena, block, generation, offset, meta, seal }) {
            Ok(array) => self.grant(here, request, &Attachment::Array(array)),
            Err(error) => {
                let verdict = if error.is_stale() { Verdict::Stale } else { Verdict::Bad };
                let text = match &error {
                    Error::StaleHandle { reason } | Error::BadHandle { reason } => reason.clone(),
                    error => error.to_string(),
                };
                self.post(&Packet::Answer { request, verdict, text: &text });
            }
        }
    }

    /// Answers with an array or end, which the other side has from now on.
    pub(super) fn grant(self: &Arc<Self>, here: &'static Here, request: u64, content: &Attachment) {
        if let Attachment::Array(array) = content
            && let Err(error) = check_dtype(array.meta())
        {
            return self.post(&Packet::Answer { request, verdict: Verdict::Bad, text: &error.to_string() });
        }
        let mut talk = self.talk();
        if talk.gone.is_some() {
            return;
        }
        // The maker of a ticket is not told whether it was redeemed: what it forwards waits as long as this process lives.
        let packed = self.pack_part(here, &mut talk, content, &mut Forwarded::default());
        drop(talk);
        match packed {
            Ok(part) => self.post(&Packet::Granted { request, part }),
            Err(error) => self.post(&Packet::Answer { request, verdict: Verdict::Stale, text: &error.to_string() }),
        }
    }

    fn find(self: &Arc<Self>, here: &'static Here, request: u64, thing: Thing, service: &str, name: &str) {
        let found = here.services().find(service, thing, name);
        match found {
            Ok(content) => self.grant(here, request, &content),
            Err((verdict, text)) => self.post(&Packet::Answer { request, verdict, text: &text }),
        }
    }
}

/// For those who have asked for the ticket before it came.
fn redeem_late(here: &'static Here, token: Token) {
    let asked: Vec<Late> = here.late().extract_if(.., |late| late.token == token).collect();
    for Late { peer, request, .. } in asked {
        peer.redeem(here, request, token);
    }
}
