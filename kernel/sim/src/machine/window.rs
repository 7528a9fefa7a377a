//! The window that the review of the seed describes: between the store of a new VMA and its write lock, when these come in the
//! wrong order (I12), faults can go on in it although somebody is at work there.

use mm::range::PageRange;
use mm::schedule::Point;

/// What is seen of the window by listening to the points that threads pass.
#[derive(Default)]
pub(super) struct Window {
    /// New VMAs that can be found and are not write-locked yet.
    open: Vec<PageRange>,
    /// Pages that were faulted on in one.
    faults: Vec<u64>,
}

impl Window {
    /// A thread passes `point`.
    pub(super) fn pass(&mut self, point: Point) {
        match point {
            // Attached next, so that readers can lock it. In the right order it is write-locked already; then no reader gets
            // as far as to look at an entry.
            Point::AttachVma(range) => self.open.push(range),
            Point::ChangeVma(range) => self.open.retain(|open| *open != range),
            Point::Downgrade | Point::WriteLockMmap => self.open.clear(),
            Point::LookAtEntry(page) if self.open.iter().any(|open| open.contains(page)) => {
                self.faults.push(page.number());
            }
            _ => {}
        }
    }

    /// Pages that were faulted on in it, in order.
    pub(super) fn faults(&self) -> &[u64] {
        &self.faults
    }
}
