//! Loom models of both sides of a ring: who sleeps is woken, what is read was written, and what is revoked is not read.

use loom::sync::Arc;
use loom::thread;

use super::memory::Memory;
use super::*;

#[test]
fn a_sleeping_reader_is_rung() {
    loom::model(|| {
        let memory = Arc::new(Memory::new(4));
        let writer = thread::spawn({
            let memory = memory.clone();
            move || {
                assert!(memory.ring().write(None));
                memory.ring().must_ring()
            }
        });
        let seen = memory.ring().arm();
        assert!(writer.join().unwrap() == RUNG || seen, "slept through a packet");
    });
}

/// It reads while nobody has to wake it, and looks once more before it sleeps.
#[test]
fn a_listener_does_not_sleep_beside_a_packet() {
    loom::model(|| {
        let memory = Arc::new(Memory::new(4));
        let writer = thread::spawn({
            let memory = memory.clone();
            move || {
                for _ in 0..2 {
                    assert!(memory.ring().write(None));
                    memory.ring().must_ring();
                }
            }
        });
        let (ring, mut read) = (memory.ring(), 0);
        loop {
            ring.stop_listening();
            while ring.next(&mut Vec::new()) == Next::Elsewhere {
                read += 1;
            }
            ring.listen();
            fence(Ordering::SeqCst); // as the one in `Listener`
            if !ring.has_next() {
                break;
            }
        }
        writer.join().unwrap();
        // The kernel compares the bell before it lets anybody sleep, and whoever sets it to 0 wakes those who sleep.
        assert!(read == 2 || memory.bell.load(Ordering::Relaxed) != LISTENED, "sleeps beside a packet");
    });
}

#[test]
fn a_packet_is_read_as_it_was_written_or_not_yet() {
    loom::model(|| {
        let memory = Arc::new(Memory::new(4));
        let writer = thread::spawn({
            let memory = memory.clone();
            move || (1..=2u64).filter(|number| memory.ring().write(Some(&number.to_le_bytes()))).count()
        });
        let (mut buffer, mut expected) = (Vec::new(), 1u64);
        for _ in 0..2 {
            match memory.ring().next(&mut buffer) {
                Next::Packet(8) => {
                    assert_eq!(buffer, expected.to_le_bytes());
                    expected += 1;
                }
                Next::Nothing => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(writer.join().unwrap(), 2);
    });
}

#[test]
fn a_packet_is_either_read_or_revoked() {
    loom::model(|| {
        let memory = Arc::new(Memory::new(4));
        let place = memory.ring().write_revocably(&[1; 8]).unwrap();
        let reader = thread::spawn({
            let memory = memory.clone();
            move || memory.ring().next(&mut Vec::new())
        });
        let revoked = memory.ring().revoke(place);
        let expected = if revoked { Next::Revoked(8) } else { Next::Packet(8) };
        assert_eq!(reader.join().unwrap(), expected);
    });
}

#[test]
fn a_thirsty_writer_is_told_of_room() {
    loom::model(|| {
        let memory = Arc::new(Memory::new(4));
        (0..4).for_each(|_| assert!(memory.ring().write(None)));
        let reader = thread::spawn({
            let memory = memory.clone();
            move || {
                assert_eq!(memory.ring().next(&mut Vec::new()), Next::Elsewhere);
                memory.ring().is_thirsty()
            }
        });
        let written = memory.ring().write(None);
        assert!(reader.join().unwrap() || written, "waits for room that is there");
    });
}
