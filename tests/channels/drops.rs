//! What nobody can receive is released, also when channels hold each other.

use std::thread;

use crossbuf::channel;
use crossbuf::channel::Value;

use super::{ROUNDS, Witness, for_each_capacity, number, watched};

#[test]
fn drops() {
    watched(|| {
        for capacity in [None, Some(16)] {
            for taken in 0..4 {
                let (witness, token) = Witness::new();
                let (sender, receiver) = channel(capacity);
                (0..10).for_each(|_| sender.send(token.clone()).unwrap());
                (0..taken).for_each(|_| drop(receiver.recv().unwrap()));
                assert_eq!(witness.alive(), 11 - taken);
                drop(receiver);
                assert_eq!(witness.alive(), 1, "undelivered messages go with the last receiver, not with the channel");
                assert!(sender.send(token).unwrap_err().is_broken());
                assert_eq!(witness.alive(), 0);
            }
        }
    });
}

#[test]
fn drops_while_threads_send_and_receive() {
    for_each_capacity(|capacity| {
        for _ in 0..ROUNDS / 100 {
            let (witness, token) = Witness::new();
            let (sender, receiver) = channel(capacity);
            let sending: Vec<_> = (0..2)
                .map(|_| {
                    let (sender, token) = (sender.clone(), token.clone());
                    thread::spawn(move || while sender.send(token.clone()).is_ok() {})
                })
                .collect();
            let receiving = thread::spawn(move || receiver.into_iter().take(5).for_each(drop));
            receiving.join().unwrap();
            sending.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(witness.alive(), 1);
        }
    });
}

#[test]
fn a_receiver_cannot_be_buried_in_its_own_channel() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let back = sender.send(receiver).unwrap_err();
        assert!(back.is_broken());
        let Value::Receiver(receiver) = back.into_message().value().unwrap() else { panic!("a receiver was sent") };
        assert!(sender.same_channel(&receiver));
        drop(sender);
        assert!(receiver.recv().unwrap_err().is_ended(), "the refused end still works");
    });
}

#[test]
fn a_channel_within_itself_is_released() {
    watched(|| {
        for capacity in [None, Some(16)] {
            let (witness, token) = Witness::new();
            let (sender, receiver) = channel(capacity);
            sender.send(Value::List(vec![receiver.clone().into(), token.clone().into(), sender.clone().into()])).unwrap();
            sender.send(Value::List(vec![receiver.clone().into(), token.into()])).unwrap();
            assert_eq!(witness.alive(), 2);
            assert_eq!(sender.statistics().receivers, 3);
            drop(receiver);
            assert_eq!(witness.alive(), 0, "no receiver outside is left");
            assert!(sender.send(1).unwrap_err().is_broken());
        }
    });
}

#[test]
fn a_receiver_that_comes_out_of_its_channel_counts_again() {
    watched(|| {
        let (sender, receiver) = channel(None);
        sender.send(receiver.clone()).unwrap();
        let Value::Receiver(second) = receiver.recv().unwrap().value().unwrap() else { panic!("a receiver was sent") };
        drop(receiver);
        sender.send(4).unwrap();
        let lent = second.clone();
        let weak = lent.downgrade();
        sender.send(lent).unwrap();
        weak.close();
        weak.close();
        assert!(weak.is_closed());
        assert_eq!(sender.statistics().receivers, 1, "an end can be closed where it lies");
        assert_eq!(number(second.recv().unwrap()), 4);
        let Value::Receiver(closed) = second.recv().unwrap().value().unwrap() else { panic!("a receiver was sent") };
        assert!(closed.recv().unwrap_err().is_closed());
        sender.send(5).unwrap();
        assert_eq!(number(second.recv().unwrap()), 5);
    });
}

#[test]
fn a_long_chain_of_channels_goes_without_recursion() {
    watched(|| {
        let (witness, token) = Witness::new();
        let (sender, mut outermost) = channel(None);
        sender.send(token).unwrap();
        for _ in 0..200_000 {
            let (sender, receiver) = channel(None);
            sender.send(std::mem::replace(&mut outermost, receiver)).unwrap();
        }
        assert_eq!(witness.alive(), 1);
        drop(outermost);
        assert_eq!(witness.alive(), 0);
    });
}
