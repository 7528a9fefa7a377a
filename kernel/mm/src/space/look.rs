//! What of an address space is in memory: for statistics.

use core::ops::ControlFlow;

use crate::frame::{Frame, FrameKind};
use crate::pgtable::Protection;
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::space::{AddressSpace, VmaView};

/// Pages of a range that are in memory. The page of zeroes does not count.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Residence {
    /// Private pages of its own.
    pub anonymous: u64,
    /// Pages of files.
    pub file: u64,
    /// Pages of shared anonymous memory.
    pub shared: u64,
    /// Of these, those in huge leaves that lie in the VMA as a whole.
    pub huge: u64,
    /// Of all these, those that others have as well.
    pub several: u64,
    /// Of all these, those that may be written without a fault.
    pub writable: u64,
}

impl Residence {
    /// All pages.
    pub fn pages(&self) -> u64 {
        self.anonymous + self.file + self.shared
    }

    /// Adds those of `other`.
    pub fn add(&mut self, other: &Residence) {
        self.anonymous += other.anonymous;
        self.file += other.file;
        self.shared += other.shared;
        self.huge += other.huge;
        self.several += other.several;
        self.writable += other.writable;
    }
}

impl<P: Platform> AddressSpace<'_, P> {
    /// As [`for_each_vma`](Self::for_each_vma), with what of each is in memory.
    pub fn survey_vmas(&self, mut visit: impl FnMut(&VmaView, Residence)) {
        let map = self.read();
        self.each_vma(&map, |range, vma| visit(&map.view(self.machine, vma), self.residence(range)));
    }

    /// Visits the VMAs that end above `from` in ascending order, under the mmap lock (read), until `visit` breaks off. Of one that
    /// begins below `from` the rest is shown, so whoever goes on where the last VMA ended sees no page twice and misses none
    /// that is mapped all the time, as Linux promises for maps (`filesystems/proc`).
    pub fn visit_vmas_from<B>(
        &self,
        from: Page,
        mut visit: impl FnMut(&VmaView) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let map = self.read();
        self.each_vma_from(&map, from, |_, vma| visit(&map.view(self.machine, vma).from(from)))
    }

    /// As [`visit_vmas_from`](Self::visit_vmas_from), with what of each is in memory.
    pub fn survey_vmas_from<B>(
        &self,
        from: Page,
        mut visit: impl FnMut(&VmaView, Residence) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.visit_vmas_from(from, |view| visit(view, self.residence(view.vma.range)))
    }

    /// What is in memory of it all.
    pub fn resident(&self) -> Residence {
        let mut sum = Residence::default();
        self.survey_vmas(|_, residence| sum.add(&residence));
        sum
    }

    /// Calls `visit` with page, frame, its kind and what is permitted for every page in memory in `range`.
    pub fn for_each_page(&self, range: PageRange, mut visit: impl FnMut(Page, Frame, FrameKind, Protection)) {
        let map = self.read();
        let frames = self.machine.frames();
        self.each_vma(&map, |vma, _| {
            if let Some(part) = vma.intersection(range) {
                self.tables.look(part, |leaf| {
                    let kind = frames.kind(leaf.frame);
                    leaf.pages
                        .iter()
                        .for_each(|page| visit(page, leaf.frame_of(page), kind, leaf.protection));
                });
            }
        });
    }

    fn residence(&self, range: PageRange) -> Residence {
        let frames = self.machine.frames();
        let mut found = Residence::default();
        self.tables.look(range, |leaf| {
            // An object has a reference as well.
            let (sum, alone) = match frames.kind(leaf.frame) {
                FrameKind::Anonymous | FrameKind::Huge => (&mut found.anonymous, 1),
                FrameKind::Cache => (&mut found.file, 2),
                FrameKind::Shared => (&mut found.shared, 2),
                _ => return,
            };
            let pages = leaf.pages.pages();
            *sum += pages;
            found.huge += if leaf.size == PageSize::Huge && pages == leaf.size.pages() { pages } else { 0 };
            found.several += if frames.reference_count(leaf.frame) > alone { pages } else { 0 };
            found.writable += if leaf.protection.is_writable() { pages } else { 0 };
        });
        found
    }
}
