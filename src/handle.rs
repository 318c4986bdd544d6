//! The name of an array: plain numbers and texts which any channel can carry. It does not keep the array alive.
//!
//! A name that was altered on its way must never show other data than the one it was made for, so each carries a
//! seal: a hash of its fields under a secret of this process. Age is told by the generation: a block that was freed
//! and used again has another one.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::OnceLock;

use crate::array::ArrayMeta;
use crate::error::{Error, Result};
use crate::offset::{ArenaId, BlockIndex, Generation};

static SECRET: OnceLock<RandomState> = OnceLock::new();

/// Makes the secret. A child forked later has the same one, and can name what it has inherited so that its parent knows it.
pub(crate) fn prepare_for_fork() {
    SECRET.get_or_init(RandomState::new);
}

/// Names an [`Array`](crate::Array) of this process. Altered in any field, it is refused with [`Error::BadHandle`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The arena.
    pub arena: ArenaId,
    /// The block in it.
    pub block: BlockIndex,
    /// Which use of that block.
    pub generation: Generation,
    /// The first element's place, in bytes from the block's start.
    pub offset: u64,
    /// dtype, shape and strides.
    pub meta: ArrayMeta,
    /// Keyed hash of the fields above.
    pub seal: u64,
}

impl Handle {
    /// The name of what lies at `offset` in that block, with its seal.
    pub(crate) fn sealed(arena: ArenaId, block: BlockIndex, generation: Generation, offset: u64, meta: ArrayMeta) -> Handle {
        let mut handle = Handle { arena, block, generation, offset, meta, seal: 0 };
        handle.seal = handle.expected_seal();
        handle
    }

    /// The same fields under a right seal, to show that a forger who knew the secret would not get out of the block either.
    #[cfg(any(test, fuzzing))]
    pub fn resealed(mut self) -> Handle {
        self.seal = self.expected_seal();
        self
    }

    /// Errors with [`Error::BadHandle`] unless all fields are as [`Handle::sealed`] set them in this process.
    pub(crate) fn verify(&self) -> Result<()> {
        if self.seal == self.expected_seal() {
            return Ok(());
        }
        Err(Error::BadHandle {
            reason: format!(
                "the seal of the handle for block {} generation {} of arena {} does not fit its fields: it was altered or comes from another process",
                self.block.0, self.generation.0, self.arena
            ),
        })
    }

    /// SipHash under this process's secret, as the standard library keys its hash maps.
    fn expected_seal(&self) -> u64 {
        let mut hasher = SECRET.get_or_init(RandomState::new).build_hasher();
        (self.arena, self.block, self.generation, self.offset).hash(&mut hasher);
        self.meta.hash(&mut hasher);
        hasher.finish()
    }
}
