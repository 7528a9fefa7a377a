//! A short list on the stack.

/// Up to `N` items; its users know their bounds.
pub(crate) struct Buffer<X, const N: usize> {
    items: [X; N],
    len: usize,
}

impl<X: Copy, const N: usize> Buffer<X, N> {
    /// An empty buffer; `fill` stands in the unused places.
    pub(crate) fn new(fill: X) -> Self {
        Self { items: [fill; N], len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn push(&mut self, item: X) {
        self.items[self.len] = item;
        self.len += 1;
    }

    /// Puts `items` in front.
    pub(crate) fn prepend(&mut self, count: usize, mut items: impl FnMut(usize) -> X) {
        self.items.copy_within(0..self.len, count);
        for (index, place) in self.items[..count].iter_mut().enumerate() {
            *place = items(index);
        }
        self.len += count;
    }

    pub(crate) fn as_slice(&self) -> &[X] {
        &self.items[..self.len]
    }
}
