//! How entries or children that are too many for one node are shared among several.

use core::ops::Range;

/// How an overfull node is cut in two. Rising (falling) stores fill the lower (upper) part.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Packing {
    Even,
    Lower,
    Upper,
}

impl Packing {
    /// How the node above is cut if it is overfull, too: what changes there is child `index` of `count`.
    #[inline]
    pub(crate) fn above(self, index: usize, count: usize) -> Self {
        match self {
            Self::Lower if index + 1 == count => Self::Lower,
            Self::Upper if index == 0 => Self::Upper,
            _ => Self::Even,
        }
    }

    /// How many of `len` the first of two nodes gets, of which each needs `least`.
    #[inline]
    pub(crate) fn first_of_two(self, len: usize, least: usize) -> usize {
        match self {
            Self::Even => len / 2,
            Self::Lower => len - least,
            Self::Upper => least,
        }
    }
}

/// How a list is cut into nodes.
pub(crate) struct Cut {
    len: usize,
    pub(crate) parts: usize,
    /// First length of two uneven parts.
    first: Option<usize>,
}

impl Cut {
    /// The fewest parts that all fit, even or (for two) as `packing` wants.
    pub(crate) fn of(
        len: usize,
        least: usize,
        packing: Packing,
        fits: impl Fn(Range<usize>) -> bool,
    ) -> Self {
        let mut cut = Self { len, parts: 1, first: None };
        if fits(0..len) {
            return cut;
        }
        cut.parts = 2;
        let all_fit = |cut: &Self| (0..cut.parts).all(|part| fits(cut.chunk(part)));
        while !all_fit(&cut) {
            cut.parts += 1;
        }
        if cut.parts == 2 && packing != Packing::Even {
            let uneven = Self { len, parts: 2, first: Some(packing.first_of_two(len, least)) };
            if all_fit(&uneven) {
                return uneven;
            }
        }
        cut
    }

    pub(crate) fn chunk(&self, part: usize) -> Range<usize> {
        match (self.first, part) {
            (Some(first), 0) => 0..first,
            (Some(first), _) => first..self.len,
            (None, _) => part * self.len / self.parts..(part + 1) * self.len / self.parts,
        }
    }
}
