//! The oracles: what must hold of frames, page tables and TLBs, whatever `mm` does.

use std::sync::atomic::Ordering;

use abi::mman::Prot;
use mm::frame::{Frame, FrameKind};
use mm::platform::{Cpu, Platform};

use super::arena::POISON;
use super::objects::Contents;
use super::walker::{self, ACCESSED, DIRTY, NO_EXECUTE, PRESENT, Reached, Scan, USER, WRITABLE};
use super::{CPUS, Machine, lock};

/// The entry keeps a frame, be it present or not (a bit for software; `mm::pgtable`).
pub(super) const SOFT_LEAF: u64 = 1 << 9;
/// The whole entry of a page with a guard.
const GUARD: u64 = 1 << 10;

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
    pub(super) fn kind_of(&self, frame: u64) -> FrameKind {
        if frame < self.arena.len() as u64 {
            self.frames.kind(Frame::new(frame as u32))
        } else {
            FrameKind::Unusable
        }
    }

    /// Whether `frame` is one that a user program may see.
    pub(super) fn is_owned_data(&self, frame: u64) -> bool {
        matches!(
            self.kind_of(frame),
            FrameKind::Anonymous | FrameKind::Shared | FrameKind::Cache | FrameKind::Zero
        )
    }

    /// A frame gets its first content: nobody may know it from before.
    pub(super) fn check_new_owner(&self, frame: Frame) {
        let number = u64::from(frame.number());
        lock(&self.owned)[frame.number() as usize] = true;
        let (kind, references) = (self.frames.kind(frame), self.frames.reference_count(frame));
        if matches!(kind, FrameKind::Free | FrameKind::Unusable) || references != 1 {
            self.violate(format!("{frame:?} is filled, but is {kind:?} with {references} references"));
        }
        for cpu in (0..CPUS).map(Cpu) {
            let tlb = self.tlb(cpu);
            let page = tlb.pages().find(|(_, leaf)| leaf.frame == number).map(|(page, _)| page);
            let table = tlb.tables().find(|(_, table)| table.frame == number).map(|(page, _)| page);
            drop(tlb);
            if let Some(page) = page {
                let address = page << 12;
                self.violate(format!(
                    "{frame:?} was given away while the TLB of {cpu:?} has it for page {address:#x}"
                ));
            }
            if let Some(page) = table {
                let address = page << 12;
                self.violate(format!(
                    "{frame:?} was given away while {cpu:?} has it cached as a page table for {address:#x}"
                ));
            }
        }
    }

    /// The TLB oracle: no CPU may know a frame that went back to the allocator (I23).
    pub(super) fn check_tlbs(&self) {
        for cpu in (0..CPUS).map(Cpu) {
            let tlb = self.tlb(cpu);
            let page = tlb.pages().find(|(_, leaf)| !self.is_owned_data(leaf.frame));
            let table = tlb.tables().find(|(_, table)| self.kind_of(table.frame) != FrameKind::Table);
            drop(tlb);
            if let Some((page, leaf)) = page {
                self.violate(format!(
                    "frame {:#x} is {:?}, but the TLB of {cpu:?} still translates page {:#x} to it",
                    leaf.frame,
                    self.kind_of(leaf.frame),
                    page << 12
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
            if !overlaps(mapped, table.base, table.base + table.span()) {
                self.violate(format!("{here} is left, but nothing is mapped in its span"));
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
            let Some(prot) = prot_at(mapped, page) else {
                self.violate(format!("page {address:#x} has an entry, but nothing is mapped there"));
                continue;
            };
            let writable = present && entry & WRITABLE != 0;
            let executable = present && entry & NO_EXECUTE == 0;
            if (present && prot.is_empty())
                || (writable && !prot.contains(Prot::WRITE))
                || (executable && !prot.contains(Prot::EXEC))
            {
                self.violate(format!("the entry {entry:#x} of page {address:#x} permits more than {prot:?}"));
            }
            if writable && (entry & DIRTY == 0 || self.kind_of(frame) == FrameKind::Zero) {
                self.violate(format!("the entry {entry:#x} of page {address:#x} must not be writable"));
            }
        }
    }

    /// What the TLBs know of the address space is what its page tables say; fewer rights are allowed (I26).
    fn check_coherence(&self, root: u64) {
        for cpu in (0..CPUS).map(Cpu).filter(|cpu| self.loaded_root(*cpu) == Some(root)) {
            let cached: Vec<_> = self.tlb(cpu).pages().collect();
            for (page, leaf) in cached {
                let now = walker::walk(&self.arena, Reached::root(root), page, |_| {});
                let stale = now.is_none_or(|now| {
                    now.frame != leaf.frame || (leaf.write && !now.write) || (leaf.execute && !now.execute)
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
    /// Frames freed since the last look are poisoned.
    fn check_frames(&self, mappings: &[u32], is_table: &[bool], objects: &Contents) {
        let mut was_owned = lock(&self.owned);
        let word = self.looks.fetch_add(1, Ordering::Relaxed) as usize % 512;
        for number in 1..self.arena.len() {
            let frame = Frame::new(number as u32);
            let kind = self.frames.kind(frame);
            let references = self.frames.reference_count(frame);
            let owned = !matches!(kind, FrameKind::Free | FrameKind::Unusable);
            let was_owned = std::mem::replace(&mut was_owned[number], owned);
            if !owned {
                if was_owned {
                    self.arena.fill(number as u64, POISON);
                } else if self.arena.load(number as u64, word) != POISON {
                    self.violate(format!("{frame:?} is free, and somebody wrote to it"));
                }
            }
            match kind {
                FrameKind::Anonymous if references != mappings[number] => {
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
