//! Ends whose channel is elsewhere, as far as their holders can tell: each speaks for an end of a channel here.

use std::any::Any;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{await_waiters, number};
use crate::channel::error::{RecvError, SendError};
use crate::channel::gate::Side;
use crate::channel::queue::ChannelStatistics;
use crate::channel::refusal::{Absence, Refusal, Refused};
use crate::channel::remote::RemoteEnd;
use crate::channel::wait::Patience;
use crate::channel::{Message, Value, channel, wake_everyone};
use crate::sync::{AtomicBool, Ordering};
use crate::{Receiver, Sender};

/// An end of the channel that is spoken for.
#[derive(Clone, Debug)]
enum Inner {
    Sender(Sender),
    Receiver(Receiver),
}

#[derive(Debug)]
struct Speaker {
    inner: Inner,
    host_is_gone: Arc<AtomicBool>,
    asked_to_wake: AtomicBool,
}

impl Speaker {
    fn host(&self) -> Option<Arc<str>> {
        self.host_is_gone.load(Ordering::Relaxed).then(|| Arc::from("pid 123"))
    }

    fn any_end(&self) -> &crate::channel::endpoint::End {
        match &self.inner {
            Inner::Sender(sender) => &sender.0,
            Inner::Receiver(receiver) => &receiver.0,
        }
    }
}

impl RemoteEnd for Speaker {
    fn side(&self) -> Side {
        match &self.inner {
            Inner::Sender(_) => Side::Sending,
            Inner::Receiver(_) => Side::Receiving,
        }
    }

    fn another(&self) -> Arc<dyn RemoteEnd> {
        Arc::new(Speaker { inner: self.inner.clone(), host_is_gone: Arc::clone(&self.host_is_gone), asked_to_wake: AtomicBool::new(false) })
    }

    fn close(&self) {
        self.any_end().close();
    }

    fn is_closed(&self) -> bool {
        self.any_end().is_closed()
    }

    fn is_inherited(&self) -> bool {
        false
    }

    fn capacity(&self) -> Option<usize> {
        self.any_end().capacity()
    }

    fn statistics(&self) -> ChannelStatistics {
        if self.host().is_some() { ChannelStatistics::unknown(self.capacity()) } else { self.any_end().statistics() }
    }

    fn channel_id(&self) -> u64 {
        self.any_end().channel_id()
    }

    fn is_same_channel(&self, other: &dyn RemoteEnd) -> bool {
        other.as_any().downcast_ref::<Speaker>().is_some_and(|other| self.any_end().is_same_channel(other.any_end()))
    }

    fn send(&self, message: Message, patience: Option<&Patience<'_>>) -> Result<(), Refused<Message>> {
        match self.host() {
            Some(host) => Err(Refused { item: message, why: Refusal::HostGone { host } }),
            None => self.any_end().send(message, patience).map(drop),
        }
    }

    fn recv(&self, patience: Option<&Patience<'_>>) -> Result<Message, Absence> {
        match self.host() {
            Some(host) => Err(Absence::HostGone { host }),
            None => self.any_end().recv(patience),
        }
    }

    fn wake_everyone(&self) {
        // The channel is one of this process, so those who wait are woken in any case.
        self.asked_to_wake.store(true, Ordering::Relaxed);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Remote ends of a channel, and a switch that is on once its host is gone.
fn remote(capacity: Option<usize>) -> (Sender, Receiver, Arc<AtomicBool>) {
    let (sender, receiver) = channel(capacity);
    let gone = Arc::new(AtomicBool::new(false));
    let speaker = |inner| -> Arc<dyn RemoteEnd> {
        Arc::new(Speaker { inner, host_is_gone: Arc::clone(&gone), asked_to_wake: AtomicBool::new(false) })
    };
    let ends = (Sender::from_remote(speaker(Inner::Sender(sender))), Receiver::from_remote(speaker(Inner::Receiver(receiver))));
    (ends.0, ends.1, gone)
}

#[test]
fn remote_ends_do_what_others_do() {
    let (sender, receiver, _gone) = remote(Some(2));
    assert!(sender.remote().is_some() && receiver.remote().is_some());
    assert!(channel(None).0.remote().is_none());
    assert_eq!(sender.post(1).unwrap(), 0);
    sender.try_send(2).unwrap();
    assert!(!sender.holds(0) && sender.withdraw(0).is_none() && sender.arena().is_none());
    assert!(matches!(sender.try_send(3), Err(SendError::Full { capacity: Some(2), .. })));
    assert!(sender.send_timeout(3, Duration::from_millis(1)).unwrap_err().is_timed_out());
    assert_eq!((sender.capacity(), sender.len(), receiver.is_empty()), (Some(2), 2, false));
    assert_eq!(number(receiver.recv().unwrap()), 1);
    assert_eq!(number(receiver.try_recv().unwrap()), 2);
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty { senders: 1 });
    assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
    let text = format!("Receiver {{ channel: {}, capacity: Some(2), closed: false }}", sender.channel_id());
    assert_eq!(format!("{receiver:?}"), text);
    sender.send(4).unwrap();
    drop(sender);
    assert_eq!(receiver.iter().map(number).collect::<Vec<_>>(), [4]);
}

#[test]
fn a_remote_end_closes_as_it_goes() {
    let (sender, receiver, _gone) = remote(None);
    let second = sender.clone();
    assert_eq!(receiver.statistics().senders, 2);
    sender.downgrade().close();
    assert!(sender.is_closed() && !second.is_closed() && sender.clone().is_closed());
    assert!(sender.send(1).unwrap_err().is_closed());
    drop(second);
    assert!(receiver.recv().unwrap_err().is_ended());
    let weak = receiver.downgrade();
    drop(receiver);
    assert!(weak.is_closed());
    assert_eq!(sender.statistics().receivers, 0);
}

#[test]
fn ends_of_one_channel_know_each_other() {
    let (sender, receiver, _gone) = remote(None);
    assert!(sender.same_channel(&receiver) && receiver.clone().same_channel(&sender.clone()));
    assert!(!sender.same_channel(&remote(None).1) && !sender.same_channel(&channel(None).1));
    assert!(!channel(None).0.same_channel(&receiver));
}

#[test]
fn remote_ends_travel() {
    let (sender, receiver, _gone) = remote(None);
    let (carrier, arrives) = channel(None);
    carrier.send(Value::Tuple(vec![sender.into(), receiver.into()])).unwrap();
    let Value::Tuple(ends) = arrives.recv().unwrap().value().unwrap() else { panic!("a tuple was sent") };
    let [Value::Sender(sender), Value::Receiver(receiver)] = &ends[..] else { panic!("{ends:?} are no ends") };
    sender.send(5).unwrap();
    assert_eq!(number(receiver.recv().unwrap()), 5);
    assert!(sender.remote().is_some());
}

#[test]
fn the_end_of_a_host_has_its_own_errors() {
    let (sender, receiver, gone) = remote(Some(3));
    gone.store(true, Ordering::Relaxed);
    let refused = sender.send(1).unwrap_err();
    assert!(refused.is_host_gone() && refused.to_string().contains("(pid 123) is gone"), "{refused}");
    assert_eq!(number(refused.into_message()), 1);
    let absent = receiver.recv().unwrap_err();
    assert!(absent.is_host_gone() && absent.to_string().contains("(pid 123) is gone"), "{absent}");
    assert_eq!((sender.len(), sender.capacity()), (0, Some(3)));
}

#[test]
fn waits_in_remote_ends_are_cancelled() {
    let (_sender, receiver, _gone) = remote(None);
    let probe = receiver.clone();
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let blocked = thread::spawn(move || receiver.recv_patient(&Patience { cancelled: Some(&flag), ..Patience::ENDLESS }).map(drop));
    await_waiters(&probe, 0, 1);
    cancelled.store(true, Ordering::Relaxed);
    wake_everyone();
    let speaker = probe.remote().and_then(|end| end.as_any().downcast_ref::<Speaker>()).expect("its maker knows it");
    assert!(speaker.asked_to_wake.load(Ordering::Relaxed));
    assert_eq!(blocked.join().unwrap(), Err(RecvError::Cancelled));
}
