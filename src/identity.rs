//! The name of this process.

use crate::error::{Error, Result};
use crate::offset::{Address, ArenaId};
use crate::per_process::PerProcess;
use crate::sync::Ordering;
use crate::sync::of_process::AtomicU32;

struct Identity {
    address: Address,
    /// Arenas made so far.
    arenas: AtomicU32,
}

static IDENTITY: PerProcess<Identity> = PerProcess::new();

/// `N` random bytes. Errors where the system gives none.
pub(crate) fn random<const N: usize>(purpose: &'static str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).map_err(|errno| Error::System {
        call: "getrandom",
        errno,
        purpose,
    })?;
    Ok(bytes)
}

fn identity() -> Result<&'static Identity> {
    if let Some(identity) = IDENTITY.get() {
        return Ok(identity);
    }
    let random = u64::from_le_bytes(random("to name this process")?);
    Ok(IDENTITY.get_or_make(|| Identity { address: Address::new(std::process::id(), random), arenas: AtomicU32::new(0) }))
}

/// This process. A forked child has another name than its parent.
pub(crate) fn address() -> Result<Address> {
    identity().map(|identity| identity.address)
}

/// The name of one more arena.
pub(crate) fn next_arena() -> Result<ArenaId> {
    let identity = identity()?;
    let number = identity.arenas.fetch_add(1, Ordering::Relaxed) + 1; // a number, nothing depends on its order
    Ok(identity.address.arena(number))
}
