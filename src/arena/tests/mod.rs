//! Tests of the whole room, below the public API.

mod allocation;
mod lifetime;
mod memory;
mod model;

use super::{Arena, Budget};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn arena(budget: usize) -> Arena {
    Arena::new(Budget::bytes(budget as u64)).expect("an arena")
}
