//! What is written is read; what no honest side writes is found out.

use proptest::prelude::*;

use super::memory::Memory;
use super::*;

#[test]
fn a_full_ring_takes_no_more_and_the_reader_is_told() {
    let memory = Memory::new(16);
    let (ring, mut buffer) = (memory.ring(), Vec::new());
    assert_eq!(ring.longest(), 32);
    while ring.write(Some(&[7; 24])) {}
    assert_eq!(ring.next(&mut buffer), Next::Packet(24));
    assert!(ring.is_thirsty() && !ring.is_thirsty());
    assert!(ring.write(None));
}

#[test]
fn whoever_lies_is_found_out() {
    let memory = Memory::new(16);
    let mut buffer = Vec::new();
    let long = u64::MAX - 1;
    for (written, first) in [(17, 0), (u64::MAX, 0), (2, 33), (2, 9), (1, 1), (16, long), (2, REVOCABLE | 9), (2, ELSEWHERE | REVOKED)] {
        memory.written.store(written, Ordering::Relaxed);
        memory.words[0].store(first, Ordering::Relaxed);
        assert_eq!(memory.ring().next(&mut buffer), Next::Malformed, "{written} words, the first says {first}");
    }
}

#[test]
fn a_packet_is_revoked_until_it_is_read() {
    let memory = Memory::new(16);
    let (ring, mut buffer) = (memory.ring(), Vec::new());
    let places: Vec<_> = (0..3).map(|number| ring.write_revocably(&[number; 9]).unwrap()).collect();
    assert_eq!(ring.next(&mut buffer), Next::Packet(9));
    assert_eq!(places.iter().map(|&place| ring.revoke(place)).collect::<Vec<_>>(), [false, true, true]);
    assert!(!ring.revoke(places[1]), "it was revoked before");
    assert_eq!((ring.next(&mut buffer), &buffer[..]), (Next::Revoked(9), &[1; 9][..]));
    // Where the first one was.
    assert!(ring.write(Some(&[7; 24])) && ring.write_revocably(&[8; 8]).is_some());
    assert!(!ring.revoke(places[0]) && !ring.revoke(places[1]));
    assert_eq!(ring.next(&mut buffer), Next::Revoked(9));
    assert_eq!(ring.next(&mut buffer), Next::Packet(24));
    assert_eq!(ring.next(&mut buffer), Next::Packet(8));
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(packets in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..64)), 1..50)) {
        let memory = Memory::new(32);
        let (ring, mut buffer) = (memory.ring(), Vec::new());
        let mut under_way = std::collections::VecDeque::new();
        let mut check = |ring: &Ring<'_>, expected: &Option<Vec<u8>>| match (ring.next(&mut buffer), expected) {
            (Next::Packet(length), Some(packet)) => length == packet.len() && buffer == *packet,
            (Next::Elsewhere, None) => true,
            _ => false,
        };
        for packet in packets {
            while !ring.write(packet.as_deref()) {
                let expected = under_way.pop_front().expect("an empty ring has room");
                prop_assert!(check(&ring, &expected));
            }
            under_way.push_back(packet);
        }
        for expected in under_way {
            prop_assert!(check(&ring, &expected));
        }
        prop_assert!(!ring.has_next());
    }
}
