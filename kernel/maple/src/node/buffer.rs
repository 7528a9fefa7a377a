//! A short list on the stack.

use core::mem::MaybeUninit;

/// Up to `N` items; its users know their bounds. Costs nothing until something is pushed.
pub(crate) struct Buffer<X, const N: usize> {
    /// Written below `len`.
    items: [MaybeUninit<X>; N],
    len: usize,
}

impl<X: Copy, const N: usize> Buffer<X, N> {
    /// An empty buffer.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { items: [const { MaybeUninit::uninit() }; N], len: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, item: X) {
        self.items[self.len] = MaybeUninit::new(item);
        self.len += 1;
    }

    /// The item that was pushed last.
    #[inline]
    pub(crate) fn last_mut(&mut self) -> Option<&mut X> {
        let last = self.items.get_mut(self.len.checked_sub(1)?)?;
        // SAFETY: the items below `len` have been written, by `push`.
        Some(unsafe { last.assume_init_mut() })
    }

    /// Takes the item away that was pushed last.
    #[inline]
    pub(crate) fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[X] {
        let written = &self.items[..self.len];
        // SAFETY: the items below `len` have been written, by `push`.
        unsafe { written.assume_init_ref() }
    }
}
