//! Things of which a conversation has only so many, by their numbers: words of credit, shelves.

/// The number of one of `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OneOf<const N: usize>(u8);

impl<const N: usize> OneOf<N> {
    /// `None` when there are not so many.
    pub(super) fn of(index: u64) -> Option<OneOf<N>> {
        (index < N as u64).then_some(OneOf(index as u8))
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

/// Which of them nobody uses, one bit for each.
#[derive(Debug)]
pub(super) struct Free<const N: usize>(u64);

impl<const N: usize> Default for Free<N> {
    fn default() -> Free<N> {
        const { assert!(0 < N && N <= u64::BITS as usize) };
        Free(u64::MAX >> (u64::BITS as usize - N))
    }
}

impl<const N: usize> Free<N> {
    pub(super) fn take(&mut self) -> Option<OneOf<N>> {
        let one = OneOf::of(self.0.trailing_zeros().into())?;
        self.0 &= self.0 - 1;
        Some(one)
    }

    pub(super) fn give_back(&mut self, one: OneOf<N>) {
        self.0 |= 1 << one.index();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_is_used_by_one() {
        let mut free = Free::<3>::default();
        let all: Vec<_> = std::iter::from_fn(|| free.take()).map(OneOf::index).collect();
        assert_eq!(all, [0, 1, 2]);
        free.give_back(OneOf(1));
        assert_eq!((free.take(), free.take()), (Some(OneOf(1)), None));
        assert_eq!(Free::<64>::default().take(), OneOf::of(0));
        assert_eq!(OneOf::<3>::of(3), None);
    }
}
