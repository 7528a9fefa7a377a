//! Which VMAs are one: when neighbours merge, and how far the merged VMA reaches.
//!
//! ```text
//!      prev            candidate             next
//!  |-----------|======================|----------------|
//!  compatible and contiguous on the left / on the right?
//! ```
//!
//! Two neighbours are compatible if all properties and the backing are equal, the offset goes on without a
//! jump, and their private anonymous memory has one identity, or at least one of them has none yet and the other did not
//! inherit its own from a parent. (An identity of shared memory only tells a fork that there may be guards.)

use crate::vma::{Vma, VmaFlags, VmaInfo};

/// How far the VMA reaches that will hold a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach<'m> {
    /// The candidate stays alone.
    Alone,
    /// The previous VMA takes the candidate.
    Prev(&'m Vma),
    /// The next VMA takes the candidate.
    Next(&'m Vma),
    /// The previous VMA takes the candidate and the next VMA, which goes.
    Both(&'m Vma, &'m Vma),
}

impl VmaInfo {
    /// Decides how this candidate (what is to be mapped, or an existing part with its new properties) merges with the
    /// neighbours at hand. A neighbour is given only if it may take part at all.
    #[inline(always)]
    pub(crate) fn reach<'m>(&self, prev: Option<&'m Vma>, next: Option<&'m Vma>) -> Reach<'m> {
        if prev.is_none() && next.is_none() { Reach::Alone } else { self.reach_beside(prev, next) }
    }

    #[inline(never)]
    fn reach_beside<'m>(&self, prev: Option<&'m Vma>, next: Option<&'m Vma>) -> Reach<'m> {
        let prev = prev.filter(|prev| joins(&prev.info(), self));
        let next = next.filter(|next| joins(self, &next.info()));
        match (prev, next) {
            (Some(prev), Some(next))
                if one_identity(&prev.info(), &next.info()) && !self.flags.contains(VmaFlags::ATTACHED) =>
            {
                Reach::Both(prev, next)
            }
            (Some(prev), _) => Reach::Prev(prev),
            (None, Some(next)) => Reach::Next(next),
            (None, None) => Reach::Alone,
        }
    }
}

/// Whether `below` goes on in `above` as one VMA.
fn joins(below: &VmaInfo, above: &VmaInfo) -> bool {
    below.range.end() == above.range.start()
        && below.flags == above.flags
        && continues(below, above)
        && one_identity(below, above)
}

/// Whether what is mapped goes on from `below` to `above` without a jump.
fn continues(below: &VmaInfo, above: &VmaInfo) -> bool {
    below.backing == above.backing && below.pgoff.wrapping_add(below.range.pages()) == above.pgoff
}

fn one_identity(one: &VmaInfo, other: &VmaInfo) -> bool {
    match (one.anon, other.anon) {
        _ if one.flags.contains(VmaFlags::SHARED) => true,
        (Some(id), None) | (None, Some(id)) => !id.is_inherited(),
        (one, other) => one == other,
    }
}

impl Vma {
    /// Whether a new identity of this VMA's anonymous memory should be that of its neighbour `other`: they could
    /// become one VMA by a later mprotect.
    pub(crate) fn could_become_one_with(&self, other: &Vma) -> bool {
        let (mine, theirs) = (self.info(), other.info());
        let (below, above) =
            if mine.range.start() < theirs.range.start() { (mine, theirs) } else { (theirs, mine) };
        let differing = below.flags ^ above.flags;
        below.range.end() == above.range.start()
            && continues(&below, &above)
            && (differing - VmaFlags::ACCESS).is_empty()
    }
}

#[cfg(test)]
pub(super) mod tests_support {
    use super::*;
    use crate::range::{Page, PageRange};
    use crate::vma::{Backing, Owner, WriteSection};

    /// Anonymous memory over pages `start..end`.
    pub(in crate::vma) fn part(start: u64, end: u64) -> VmaInfo {
        VmaInfo {
            range: PageRange::new(Page::new(start), Page::new(end)).unwrap(),
            flags: VmaFlags::READ | VmaFlags::WRITE,
            backing: Backing::Anonymous,
            pgoff: start,
            anon: None,
        }
    }

    /// How far the VMA reaches that takes `candidate`, by name.
    pub(in crate::vma) fn reach(prev: VmaInfo, candidate: VmaInfo, next: VmaInfo) -> &'static str {
        let [below, above] = [prev, next].map(|info| {
            let vma = Vma::default();
            vma.start_write_detached(WriteSection::new(1), Owner(1)).describe(&info);
            vma
        });
        match candidate.reach(Some(&below), Some(&above)) {
            Reach::Alone => "alone",
            Reach::Prev(_) => "prev",
            Reach::Next(_) => "next",
            Reach::Both(..) => "both",
        }
    }
}
