//! Numbers that stand for places in an arena, each a type of its own so that none is taken for another.

use std::fmt;

/// A distance in bytes from the start of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

/// The place of a block in its arena's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockIndex(pub u32);

/// How often a place in the table has been used; it tells a stale handle from a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// The name of a process: its number, and 64 random bits, since another process may have that number later and a forked child has it all
/// but for these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u128);

impl Address {
    const NUMBERS: u32 = 32;

    pub(crate) fn new(pid: u32, random: u64) -> Address {
        Address(u128::from(pid) << 96 | u128::from(random) << Address::NUMBERS)
    }

    /// The number by which the system knows the process.
    pub fn pid(self) -> u32 {
        (self.0 >> 96) as u32
    }

    /// The name of its arena of that number.
    pub(crate) fn arena(self, number: u32) -> ArenaId {
        ArenaId(self.0 | u128::from(number))
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Address {
        ArenaId(u128::from_le_bytes(bytes)).process()
    }
}

/// The random name of an arena, never used again: the name of its process, and a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArenaId(pub u128);

impl ArenaId {
    /// The process whose arena it is.
    pub fn process(self) -> Address {
        Address(self.0 >> Address::NUMBERS << Address::NUMBERS)
    }
}

/// 24 hexadecimal digits: 8 for the pid, 16 random ones.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:024x}", self.0 >> Address::NUMBERS)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Debug for ArenaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArenaId({:032x})", self.0)
    }
}

impl fmt::Display for ArenaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
