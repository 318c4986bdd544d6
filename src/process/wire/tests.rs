//! Packets of any content are read as they were written, and bytes of any content are read or refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::kinds::*;
use super::*;
use crate::ArrayMeta;

/// What packets are made of, for those kinds that have it.
#[derive(Clone, Debug)]
struct Contents {
    kind: u16,
    numbers: [u64; 3],
    words: [u32; 3],
    flag: bool,
    token: Token,
    texts: [String; 2],
    bytes: Vec<u8>,
    array: ArrayPart,
    part: Part,
    thing: Thing,
    verdict: Verdict,
    figures: [u64; 8],
}

fn origin(all: &'static [Origin]) -> impl Strategy<Value = Origin> {
    select(all)
}

fn meta() -> impl Strategy<Value = ArrayMeta> {
    let dtype = select(vec!["|u1", "<f8", ">i4", "<M8[ns]", "|S5", "<U3", "{x:<f4@0,y:<f4@4};8", "|V7"]);
    (dtype, vec((0..5_usize, -100..100_isize), 0..6)).prop_filter_map("no dtype, or strides without a meaning", |(dtype, axes)| {
        let (shape, strides): (Vec<usize>, Vec<isize>) = axes.into_iter().unzip();
        ArrayMeta::strided(dtype.parse().ok()?, &shape, &strides).ok()
    })
}

fn array() -> impl Strategy<Value = ArrayPart> {
    let origin = origin(&[Origin::Granted, Origin::Yours, Origin::Ticket, Origin::Orphan]);
    (origin, any::<u128>(), any::<[u32; 2]>(), any::<[u64; 4]>(), meta(), any::<Token>()).prop_map(
        |(origin, arena, [block, generation], [place, len, offset, seal], meta, token)| ArrayPart {
            origin,
            arena: ArenaId(arena),
            block: BlockIndex(block),
            generation: Generation(generation),
            place,
            len,
            offset,
            meta,
            seal,
            token,
        },
    )
}

fn end() -> impl Strategy<Value = EndPart> {
    let origin = origin(&[Origin::Granted, Origin::Yours, Origin::Ticket]);
    let side = select(vec![Side::Sending, Side::Receiving]);
    // The largest number of all says that there is no limit.
    let capacity = option::of(0..usize::MAX);
    (origin, side, any::<[u8; 16]>(), any::<[u64; 2]>(), capacity, any::<Token>()).prop_map(
        |(origin, side, host, [channel, end], capacity, token)| EndPart {
            origin,
            side,
            host: Address::from_bytes(host),
            channel,
            capacity,
            end,
            token,
        },
    )
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![array().prop_map(Part::Array), end().prop_map(Part::End)]
}

fn contents() -> impl Strategy<Value = Contents> {
    // The third number may be that of a word of credit.
    let small = (
        HELLO..=REDEEM,
        (any::<[u64; 2]>(), prop_oneof![any::<u64>(), 0..64u64]).prop_map(|([one, other], last)| [one, other, last]),
        any::<[u32; 3]>(),
        any::<bool>(),
        any::<Token>(),
    );
    let large = (any::<[String; 2]>(), vec(any::<u8>(), 0..200), array(), part());
    let chosen = (select(vec![Thing::Sender, Thing::Receiver, Thing::Array]), select(Verdict::ALL.to_vec()), any::<[u64; 8]>());
    (small, large, chosen).prop_map(|((kind, numbers, words, flag, token), (texts, bytes, array, part), (thing, verdict, figures))| {
        Contents { kind, numbers, words, flag, token, texts, bytes, array, part, thing, verdict, figures }
    })
}

impl Contents {
    fn packet(&self) -> Packet<'_> {
        let [request, end, number] = self.numbers;
        let [block, generation, count] = self.words;
        let (token, array, waits) = (self.token, self.array.clone(), self.flag);
        let [service, name] = &self.texts;
        let body = if self.flag { Body::Inline(&self.bytes) } else { Body::Spilled(Box::new(array.clone())) };
        match self.kind {
            HELLO => Packet::Hello { address: array.arena.process() },
            FAREWELL => Packet::Farewell { why: name },
            MEMORY => Packet::Memory { arena: array.arena },
            RELEASE => Packet::Release { arena: array.arena, block: BlockIndex(block), generation: Generation(generation), count },
            OPEN => Packet::Open { request, token, handle: self.flag.then_some(array) },
            FORWARD => Packet::Forward { token, array },
            FORWARD_END => Packet::ForwardEnd { token, end },
            FORGET => Packet::Forget { token },
            REDEEM => Packet::Redeem { request, token },
            FIND => Packet::Find { request, thing: self.thing, service, name },
            CLOSE => Packet::Close { end },
            ANOTHER => Packet::Another { end, number },
            PUT => Packet::Put { request, end, waits, credit: WordOfCredit::of(number), body },
            WANT => Packet::Want { request, end, waits, more: count },
            CANCEL => Packet::Cancel { request },
            DELIVER => Packet::Deliver { request, delivery: end, shelf: ShelfNumber::of(number), body },
            TAKEN => Packet::Taken { delivery: end },
            RETURN => Packet::Return { delivery: end },
            ASK => Packet::Ask { request, end },
            FIGURES => Packet::Figures { request, figures: self.figures },
            GRANTED => Packet::Granted { request, part: self.part.clone() },
            ANSWER => Packet::Answer { request, verdict: self.verdict, text: name },
            BELL => Packet::Bell,
            INHERIT => {
                Packet::Inherit { request, fork: token, channel: end, side: if self.flag { Side::Sending } else { Side::Receiving } }
            }
            SETTLED => Packet::Settled { fork: token },
            HIDE => Packet::Hide { arena: array.arena },
            LOST => Packet::Lost { end },
            kind => unreachable!("{kind} is no kind"),
        }
    }

    /// Whether whatever comes last may have any length.
    fn is_open(&self) -> bool {
        matches!(self.kind, FAREWELL | FIND | ANSWER) || (matches!(self.kind, PUT | DELIVER) && self.flag)
    }
}

proptest! {
    #[test]
    fn packets_are_read_as_they_were_written(contents in contents()) {
        let packet = contents.packet();
        let bytes = packet.write();
        prop_assert_eq!(Packet::read(&bytes), Ok(packet));
    }

    #[test]
    fn kinds_have_the_numbers_that_the_protocol_says(contents in contents()) {
        let text = format!("{:?}", contents.packet());
        let name = text.split(' ').next().unwrap();
        let row = format!("\n| {} | `{name}`", contents.kind);
        prop_assert!(include_str!("../PROTOCOL.md").contains(&row), "{row}");
    }

    #[test]
    fn packets_that_were_cut_are_refused(contents in contents(), cut in any::<Index>()) {
        let whole = contents.packet().write();
        let part = &whole[..cut.index(whole.len())];
        match Packet::read(part) {
            Err(_) => {}
            Ok(packet) => prop_assert!(contents.is_open() && packet.write() == part, "{packet:?}"),
        }
    }

    #[test]
    fn bytes_after_a_packet_are_refused(contents in contents(), more in vec(any::<u8>(), 1..20)) {
        prop_assume!(!contents.is_open());
        let bytes = [contents.packet().write(), more].concat();
        prop_assert!(Packet::read(&bytes).is_err());
    }

    #[test]
    fn altered_packets_are_refused_or_read_as_what_they_are_now(contents in contents(), at in any::<Index>(), bit in 0..8_u8) {
        let mut bytes = contents.packet().write();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(packet) = Packet::read(&bytes) {
            let again = packet.write();
            prop_assert_eq!(Packet::read(&again), Ok(packet));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), kind in any::<[u8; 2]>(), valid in any::<bool>()) {
        let mut bytes = bytes;
        if valid && bytes.len() >= 32 {
            bytes[..4].copy_from_slice(b"xbuf");
            bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
            bytes[6..8].copy_from_slice(&[kind[0] % 24, 0]);
        }
        let _ = Packet::read(&bytes);
        let _ = read_message(&bytes);
        let _ = part_from_bytes(&bytes);
    }

    #[test]
    fn messages_are_read_as_they_were_written(parts in vec(part(), 0..5), head in vec(any::<u8>(), 0..50), cut in any::<Index>()) {
        let bytes = write_message(&parts, &head);
        prop_assert!(read_message(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(read_message(&bytes), Ok((parts, &head[..])));
    }

    #[test]
    fn parts_are_read_as_they_were_written(part in part(), cut in any::<Index>()) {
        let bytes = part_to_bytes(&part);
        prop_assert!(part_from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(part_from_bytes(&bytes), Ok(part));
    }
}

#[test]
fn another_version_is_told_apart_from_nonsense() {
    let mut bytes = Packet::Cancel { request: 1 }.write();
    bytes[4] += 1;
    assert_eq!(Packet::read(&bytes), Err(Flaw::Version { theirs: VERSION + 1 }));
    bytes[0] += 1;
    assert!(matches!(Packet::read(&bytes), Err(Flaw::Unknown { what: "mark", .. })));
}

#[test]
fn what_a_kind_does_not_use_is_zero() {
    let bytes = Packet::Cancel { request: 1 }.write();
    for at in 16..32 {
        let mut bytes = bytes.clone();
        bytes[at] = 1;
        assert!(Packet::read(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn lengths_beyond_the_packet_cost_nothing() {
    let mut bytes = write_message(&[], b"head");
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read_message(&bytes), Err(Flaw::Short { .. })));
    let mut bytes = Packet::Find { request: 1, thing: Thing::Array, service: "a", name: "b" }.write();
    bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Packet::read(&bytes), Err(Flaw::Short { .. })));
}
