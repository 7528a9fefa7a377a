//! The oracles: what must hold of frames, page tables and TLBs, whatever `mm` does.

use std::ops::Range;
use std::sync::atomic::Ordering;

use abi::mman::Prot;
use mm::frame::{Content, Frame, FrameKind};
use mm::platform::{Cpu, Platform};

use super::arena::POISON;
use super::objects::Contents;
use super::walker::{self, ACCESSED, DIRTY, LARGE, NO_EXECUTE, PRESENT, Reached, Scan, Size, USER, WRITABLE};
use super::{CPUS, Machine, lock};

/// The entry keeps a frame, be it present or not (a bit for software; `mm::pgtable`).
pub(super) const SOFT_LEAF: u64 = 1 << 9;
/// The whole entry of a page with a guard.
const GUARD: u64 = 1 << 10;
/// A huge leaf is being split.
const SPLITTING: u64 = 1 << 11;

/// A mapped range of an address space, as the oracles want to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped {
    /// First page.
    pub(crate) start: u64,
    /// One past the last page.
    pub(crate) end: u64,
    /// Permitted accesses.
    pub(crate) prot: Prot,
}

/// An address space, as the oracles want to know it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its root table.
    pub(crate) root: Frame,
    /// What is mapped, ascending.
    pub(crate) mapped: Vec<Mapped>,
    /// The pages with a guard, ascending.
    pub(crate) guards: Vec<u64>,
    /// The root of the object of every VMA that maps one.
    pub(crate) objects: Vec<Frame>,
}

impl Machine {
    /// What a frame is used for; all frames of a block that huge leaves map are of that kind.
    pub(super) fn kind_of(&self, frame: u64) -> FrameKind {
        if frame >= self.arena.len() as u64 {
            return FrameKind::Unusable;
        }
        let kind = self.frames.kind(Frame::new(frame as u32));
        let block = Frame::new(frame as u32 & !511);
        if kind == FrameKind::Unusable && self.frames.kind(block) == FrameKind::Huge {
            FrameKind::Huge
        } else {
            kind
        }
    }

    /// Whether `frame` is one that a user program may see.
    pub(super) fn is_owned_data(&self, frame: u64) -> bool {
        matches!(
            self.kind_of(frame),
            FrameKind::Anonymous | FrameKind::Huge | FrameKind::Shared | FrameKind::Cache | FrameKind::Zero
        )
    }

    /// Whether all frames that `leaf` maps are such.
    fn maps_owned_data(&self, leaf: &walker::Leaf) -> bool {
        // One look is enough for a whole block.
        let whole = leaf.size == Size::Huge && self.kind_of(leaf.frame) == FrameKind::Huge;
        whole || leaf.frames().all(|frame| self.is_owned_data(frame))
    }

    /// All frames of a block get their first content.
    pub(super) fn check_new_owner_of_block(&self, block: Frame) {
        self.check_new_owner(block);
        let frames = u64::from(block.number())..u64::from(block.number()) + Size::Huge.pages();
        if !walker::is_block(&self.arena, frames.start) || self.frames.kind(block) != FrameKind::Huge {
            return self.violate(format!("{block:?} is filled as a block, but is none"));
        }
        lock(&self.owned)[frames.start as usize..frames.end as usize].fill(true);
        self.check_unknown(frames);
    }

    /// A frame gets its first content: nobody may know it from before.
    pub(super) fn check_new_owner(&self, frame: Frame) {
        lock(&self.owned)[frame.number() as usize] = true;
        let (kind, references) = (self.frames.kind(frame), self.frames.reference_count(frame));
        if matches!(kind, FrameKind::Free | FrameKind::Unusable) || references != 1 {
            self.violate(format!("{frame:?} is filled, but is {kind:?} with {references} references"));
        }
        let number = u64::from(frame.number());
        self.check_unknown(number..number + 1);
    }

    /// No processor may know any of these frames, which are given away.
    fn check_unknown(&self, frames: Range<u64>) {
        for cpu in (0..CPUS).map(Cpu) {
            let tlb = self.tlb(cpu);
            let known = |of: &Range<u64>| of.start < frames.end && frames.start < of.end;
            let page = tlb.pages().find(|(_, leaf)| known(&leaf.frames())).map(|(page, _)| page);
            let table = tlb.tables().find(|(_, table)| frames.contains(&table.frame)).map(|(page, _)| page);
            drop(tlb);
            let what = Frame::new(frames.start as u32);
            if let Some(page) = page {
                let address = page << 12;
                self.violate(format!(
                    "{what:?} was given away while the TLB of {cpu:?} has it for page {address:#x}"
                ));
            }
            if let Some(page) = table {
                let address = page << 12;
                self.violate(format!(
                    "{what:?} was given away while {cpu:?} has it cached as a page table for {address:#x}"
                ));
            }
        }
    }

    /// The TLB oracle: no CPU may know a frame that went back to the allocator (I23).
    pub(super) fn check_tlbs(&self) {
        for cpu in (0..CPUS).map(Cpu) {
            let tlb = self.tlb(cpu);
            let page = tlb.pages().find(|(_, leaf)| !self.maps_owned_data(leaf));
            let table = tlb.tables().find(|(_, table)| self.kind_of(table.frame) != FrameKind::Table);
            drop(tlb);
            if let Some((page, leaf)) = page {
                let wrong = leaf.frames().find(|frame| !self.is_owned_data(*frame));
                let frame = wrong.unwrap_or(leaf.frame);
                self.violate(format!(
                    "frame {:#x} is {:?}, but the TLB of {cpu:?} still translates page {:#x} to it",
                    frame,
                    self.kind_of(frame),
                    (page + frame - leaf.frame) << 12
                ));
            }
            if let Some((page, table)) = table {
                self.violate(format!(
                    "frame {:#x} is {:?}, but {cpu:?} still has it cached as the level {} page table for {:#x}",
                    table.frame,
                    self.kind_of(table.frame),
                    table.level,
                    page << 12
                ));
            }
        }
    }

    /// All checks that are possible between operations, over all address spaces.
    pub(crate) fn inspect(&self, spaces: &[Seen]) {
        self.check_tlbs();
        let mut mappings = vec![0_u32; self.arena.len()];
        let mut is_table = vec![false; self.arena.len()];
        let objects = self.check_objects(spaces.iter().flat_map(|space| space.objects.iter().copied()));
        for Seen { root, mapped, guards, .. } in spaces {
            let found = self.guards(*root);
            if found != *guards {
                self.violate(format!("there are guards on pages {found:x?}, and should be on {guards:x?}"));
            }
            is_table[root.number() as usize] = true;
            let scan = walker::scan(&self.arena, u64::from(root.number()));
            self.check_tables(&scan, mapped, &mut is_table);
            self.check_pages(&scan, mapped, &mut mappings);
            self.check_coherence(u64::from(root.number()));
            self.check_kernel_half(*root);
        }
        self.check_frames(&mappings, &is_table, &objects);
        self.check_tlbs();
    }

    /// Every table is reached once, has the kind, and spans something that is mapped (I22 and its converse).
    fn check_tables(&self, scan: &Scan, mapped: &[Mapped], is_table: &mut [bool]) {
        for (page, entry) in &scan.broken {
            self.violate(format!(
                "the entry {entry:#x} above page {:#x} is no sensible table entry",
                page << 12
            ));
        }
        for table in &scan.tables {
            let here = format!("the level {} page table for {:#x}", table.level, table.base << 12);
            if std::mem::replace(&mut is_table[table.frame as usize], true) {
                self.violate(format!("{here} is frame {:#x}, which is another table too", table.frame));
            }
            if table.level == 1 {
                self.check_kept(&here, table, scan, is_table);
            }
            if !overlaps(mapped, table.base, table.base + table.span()) {
                self.violate(format!("{here} is left, but nothing is mapped in its span"));
            }
        }
    }

    /// A table with huge leaves keeps one other table for each.
    fn check_kept(&self, here: &str, table: &walker::TableAt, scan: &Scan, is_table: &mut [bool]) {
        let huge = |(base, _): &&(u64, u64)| (table.base..table.base + table.span()).contains(base);
        let leaves = scan.huge.iter().filter(huge).count();
        // One more, to notice a list that goes on and on.
        let kept: Vec<Frame> = self.frames.kept(Frame::new(table.frame as u32)).take(leaves + 1).collect();
        if kept.len() != leaves {
            self.violate(format!("{here} has {leaves} huge leaves, and keeps {} tables", kept.len()));
        }
        for frame in kept {
            if std::mem::replace(&mut is_table[frame.number() as usize], true) {
                self.violate(format!("{here} keeps {frame:?}, which is another table too"));
            }
        }
    }

    /// The pages of an address space that have a guard, ascending.
    pub(crate) fn guards(&self, root: Frame) -> Vec<u64> {
        let pages = walker::scan(&self.arena, u64::from(root.number())).pages;
        pages.into_iter().filter(|(_, entry)| *entry == GUARD).map(|(page, _)| page).collect()
    }

    /// Every page is in a mapping that permits what its entry permits.
    fn check_pages(&self, scan: &Scan, mapped: &[Mapped], mappings: &mut [u32]) {
        for &(page, entry) in scan.pages.iter().filter(|(_, entry)| *entry != GUARD) {
            let address = page << 12;
            let frame = walker::frame_of(entry);
            let present = entry & PRESENT != 0;
            if entry & SOFT_LEAF == 0 || (present && entry & (USER | ACCESSED) != USER | ACCESSED) {
                self.violate(format!("the entry {entry:#x} of page {address:#x} is malformed"));
                continue;
            }
            if !self.is_owned_data(frame) {
                let kind = self.kind_of(frame);
                self.violate(format!("page {address:#x} is mapped to frame {frame:#x}, which is {kind:?}"));
                continue;
            }
            mappings[frame as usize] += 1;
            self.check_rights(page, entry, self.kind_of(frame), mapped);
        }
        for &(base, entry) in &scan.huge {
            self.check_huge(base, entry, mapped, mappings);
        }
    }

    /// What the entry of `page` permits, the mapping permits, and the kind of frame.
    fn check_rights(&self, page: u64, entry: u64, kind: FrameKind, mapped: &[Mapped]) {
        let address = page << 12;
        let present = entry & PRESENT != 0;
        let Some(prot) = prot_at(mapped, page) else {
            return self.violate(format!("page {address:#x} has an entry, but nothing is mapped there"));
        };
        let writable = present && entry & WRITABLE != 0;
        let executable = present && entry & NO_EXECUTE == 0;
        if (present && prot.is_empty())
            || (writable && !prot.contains(Prot::WRITE))
            || (executable && !prot.contains(Prot::EXEC))
        {
            self.violate(format!("the entry {entry:#x} of page {address:#x} permits more than {prot:?}"));
        }
        if writable && (entry & DIRTY == 0 || kind == FrameKind::Zero) {
            self.violate(format!("the entry {entry:#x} of page {address:#x} must not be writable"));
        }
    }

    /// As for other pages, for the 512 of the huge leaf `entry` from `base` on.
    fn check_huge(&self, base: u64, entry: u64, mapped: &[Mapped], mappings: &mut [u32]) {
        let (block, present) = (walker::frame_of(entry), entry & PRESENT != 0);
        let rights = USER | ACCESSED;
        if entry & (SOFT_LEAF | LARGE | SPLITTING) != SOFT_LEAF | LARGE
            || (present && entry & rights != rights)
            || !walker::is_block(&self.arena, block)
        {
            return self.violate(format!("the huge entry {entry:#x} of page {:#x} is malformed", base << 12));
        }
        let whole = self.frames.kind(Frame::new(block as u32)) == FrameKind::Huge;
        for at in 0..Size::Huge.pages() {
            let kind = self.kind_of(block + at);
            if !matches!(kind, FrameKind::Anonymous | FrameKind::Huge) {
                self.violate(format!("a huge entry maps frame {:#x}, which is {kind:?}", block + at));
            }
            mappings[(block + at) as usize] += u32::from(!whole || at == 0);
            self.check_rights(base + at, entry, kind, mapped);
        }
    }

    /// What the TLBs know of the address space is what its page tables say; fewer rights are allowed (I26).
    fn check_coherence(&self, root: u64) {
        for cpu in (0..CPUS).map(Cpu).filter(|cpu| self.loaded_root(*cpu) == Some(root)) {
            let cached: Vec<_> = self.tlb(cpu).pages().collect();
            for (page, leaf) in cached {
                let now = walker::walk(&self.arena, Reached::root(root), page, |_| {});
                let stale = now.is_none_or(|now| {
                    (now.frame, now.size) != (leaf.frame, leaf.size)
                        || (leaf.write && !now.write)
                        || (leaf.execute && !now.execute)
                });
                if stale {
                    self.violate(format!(
                        "the TLB of {cpu:?} is stale: page {:#x} is {leaf:x?} there and {now:x?} in the page tables",
                        page << 12
                    ));
                }
            }
        }
    }

    fn check_kernel_half(&self, root: Frame) {
        let table = u64::from(root.number());
        let wrong = (0..256).find(|index| self.arena.load(table, 256 + index) != self.kernel_half()[*index]);
        if let Some(index) = wrong {
            self.violate(format!("entry {} of the root table is not the kernel's", 256 + index));
        }
    }

    /// Every frame has as many references as mappings, tables are reachable, and nobody wrote to free frames.
    /// Frames freed since the last look are poisoned, but for those that are handed out again with what is in them.
    fn check_frames(&self, mappings: &[u32], is_table: &[bool], objects: &Contents) {
        let mut was_owned = lock(&self.owned);
        let word = self.looks.fetch_add(1, Ordering::Relaxed) as usize % 512;
        for number in 1..self.arena.len() {
            let frame = Frame::new(number as u32);
            let kind = self.frames.kind(frame);
            let references = self.frames.reference_count(frame);
            let content = self.frames.content(frame);
            let owned = content != Content::Any
                || !matches!(self.kind_of(number as u64), FrameKind::Free | FrameKind::Unusable);
            let was_owned = std::mem::replace(&mut was_owned[number], owned);
            if !owned {
                if was_owned {
                    self.arena.fill(number as u64, POISON);
                } else if self.arena.load(number as u64, word) != POISON {
                    self.violate(format!("{frame:?} is free, and somebody wrote to it"));
                }
            }
            let found = self.arena.load(number as u64, word);
            let wrong = match content {
                Content::Any => false,
                Content::Zeroes => found != 0,
                Content::Root => found != if word < 256 { 0 } else { self.kernel_half()[word - 256] },
            };
            if wrong {
                self.violate(format!("{frame:?} is free and not empty as it should be: {content:?}"));
            }
            match kind {
                FrameKind::Anonymous | FrameKind::Huge if references != mappings[number] => {
                    self.violate(format!(
                        "{frame:?} ({kind:?}) has {references} references, but {} entries map it",
                        mappings[number]
                    ))
                }
                FrameKind::Shared | FrameKind::Cache
                    if objects.pages[number] != 1 || references != mappings[number] + 1 =>
                {
                    self.violate(format!(
                        "{frame:?} ({kind:?}) has {references} references, but {} entries map it and {} objects have it",
                        mappings[number], objects.pages[number]
                    ))
                }
                FrameKind::Object if !objects.is_node[number] => {
                    self.violate(format!("{frame:?} is allocated as a node of an object, but is in none"));
                }
                FrameKind::Table if !is_table[number] => {
                    self.violate(format!("{frame:?} is allocated as a page table, but is in none"));
                }
                FrameKind::Table => {}
                _ if is_table[number] => {
                    self.violate(format!("{frame:?} serves as a page table, but is {kind:?}"))
                }
                _ => {}
            }
        }
    }
}

fn at(mapped: &[Mapped], page: u64) -> Option<&Mapped> {
    mapped.get(mapped.partition_point(|mapped| mapped.end <= page))
}

fn prot_at(mapped: &[Mapped], page: u64) -> Option<Prot> {
    at(mapped, page).filter(|mapped| mapped.start <= page).map(|mapped| mapped.prot)
}

fn overlaps(mapped: &[Mapped], start: u64, end: u64) -> bool {
    at(mapped, start).is_some_and(|mapped| mapped.start < end)
}
