//! What becomes of mappings when an object loses pages: see [`crate::object::hole`].

use core::ops::Range;

use crate::frame::FrameKind;
use crate::object::ObjectId;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::lifetime::object_of;
use crate::tlb::Gather;
use crate::vma::{Backing, Vma, VmaFlags};

/// What becomes of the copies of pages that private mappings have made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copies {
    /// They go, too: the file is cut.
    Go,
    /// They stay: a hole is made.
    Stay,
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Unmaps the pages at `offsets` (pages) of `object` wherever they are mapped here. Takes the mmap lock (write), and
    /// looks at all VMAs; faults may bring pages that the object has then.
    pub fn unmap_object(&self, object: ObjectId, offsets: Range<u64>, copies: Copies) {
        let map = self.write_unconditionally();
        let mut gather = Gather::new(self.machine, &self.tlb);
        self.each_vma(&map, |_, vma| {
            let Some(part) = vma.part_of(object, &offsets) else { return };
            self.machine.pause(Point::ChangeEntries(part));
            match copies {
                Copies::Go => self.tables.discard(part, &mut gather),
                Copies::Stay => {
                    let is_page = |frame| self.machine.frames().kind(frame) != FrameKind::Anonymous;
                    self.tables.discard_where(part, is_page, &mut gather)
                }
            };
        });
        gather.finish();
    }

    /// Whether a VMA here maps `object` shared and is or can be made writable.
    pub fn may_write_object(&self, object: ObjectId) -> bool {
        let mut found = false;
        self.each_vma(&self.read(), |_, vma| {
            let kind = VmaFlags::SHARED | VmaFlags::NEVER_WRITE;
            found |= vma.backing() == (Backing::File { object }) && vma.flags() & kind == VmaFlags::SHARED;
        });
        found
    }
}

impl Vma {
    /// The pages that map `offsets` (pages) of `object`. The VMA is stable.
    fn part_of(&self, object: ObjectId, offsets: &Range<u64>) -> Option<PageRange> {
        if object_of(self.backing()) != Some(object) {
            return None;
        }
        let (start, pgoff, pages) = (self.start().number(), self.pgoff(), self.pages());
        let page_of = |offset: u64| Page::new(start + offset.saturating_sub(pgoff).min(pages));
        PageRange::new(page_of(offsets.start), page_of(offsets.end))
    }
}
