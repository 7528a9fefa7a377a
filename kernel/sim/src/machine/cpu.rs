//! What a CPU does for a user program: loads, stores and fetches through the TLB.

use std::collections::BTreeMap;

use mm::frame::{Frame, FrameKind};
use mm::platform::Cpu;
use mm::vma::Access;

use super::arena::POISON;
use super::oracle::SOFT_LEAF;
use super::walker::{self, Leaf, Reached};
use super::{CPUS, Machine, lock};
use crate::model::{Fault, Touch};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Faults that one access may take before the handler is found to make no progress.
const PATIENCE: usize = 8;
/// Pages that CPUs walk ahead to.
const RECENT: usize = 12;

/// How an access of a user program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accessed {
    /// With this word, loaded or stored.
    Word(u64),
    /// With a signal.
    Killed(Fault),
    /// The machine had no memory left.
    OutOfMemory,
}

/// What the fault handler answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handled {
    Retry,
    Killed(Fault),
    OutOfMemory,
}

impl Machine {
    /// Lets `cpu` run the address space whose root table is `root`, or none.
    pub(crate) fn load_root(&self, cpu: Cpu, root: Option<u64>) {
        self.tlb(cpu).switch(root);
    }

    /// Root table of the address space that `cpu` runs.
    pub(crate) fn loaded_root(&self, cpu: Cpu) -> Option<u64> {
        self.tlb(cpu).root()
    }

    /// The access `touch` of `cpu` to the word at `address`, a multiple of 8; a store stores `value`. Page faults go
    /// to `handler`.
    pub(crate) fn access(
        &self,
        cpu: Cpu,
        address: u64,
        touch: Touch,
        value: u64,
        mut handler: impl FnMut(u64, Access) -> Handled,
    ) -> Accessed {
        // Not canonical: a general protection fault, which Linux turns into the same signal.
        if (1 << 47..u64::MAX << 47).contains(&address) {
            return Accessed::Killed(Fault::Unmapped);
        }
        let page = address / PAGE;
        for _ in 0..PATIENCE {
            if let Some(leaf) = self.translate(cpu, page).filter(|leaf| permits(leaf, touch)) {
                return Accessed::Word(self.word(cpu, leaf, address, touch, value));
            }
            self.tlb(cpu).forget_fault(page);
            match handler(address, access_of(touch)) {
                Handled::Retry => {}
                Handled::Killed(fault) => return Accessed::Killed(fault),
                Handled::OutOfMemory => return Accessed::OutOfMemory,
            }
        }
        self.violate(format!("the fault handler makes no progress: {touch:?} of {address:#x} by {cpu:?}"));
        Accessed::Killed(Fault::Unmapped)
    }

    /// The translation of `page`, from the TLB or by a walk.
    fn translate(&self, cpu: Cpu, page: u64) -> Option<Leaf> {
        // The upper half is the kernel's, and this is a user program.
        if page >= 1 << 35 {
            return None;
        }
        if let Some(leaf) = self.tlb(cpu).page(page) {
            return Some(leaf);
        }
        let leaf = self.walk(cpu, page)?;
        let mut recent = lock(&self.recent);
        if !recent.contains(&page) {
            if recent.len() == RECENT {
                recent.remove(0);
            }
            recent.push(page);
        }
        Some(leaf)
    }

    /// Walks to `page` and caches what it finds on the way.
    fn walk(&self, cpu: Cpu, page: u64) -> Option<Leaf> {
        let mut tlb = self.tlb(cpu);
        let from = tlb.walk_from(page)?;
        let leaf = walker::walk(&self.arena, from, page, |table| tlb.fill_table(page, table))?;
        tlb.fill_page(page, leaf);
        if tlb.is_ambiguous(page) {
            self.violate(format!(
                "the TLB of {cpu:?} has small and huge translations of page {:#x}",
                page << 12
            ));
        }
        Some(leaf)
    }

    /// CPUs translate ahead of programs whenever they like (SDM vol. 3, 4.10.3): at every point where `mm` calls
    /// the machine, some walk to a page that was touched lately.
    pub(super) fn speculate(&self) {
        for cpu in (0..CPUS).map(Cpu) {
            let choice = self.tlb(cpu).speculates();
            let recent = lock(&self.recent);
            let page = choice.and_then(|choice| recent.get(choice % recent.len().max(1)).copied());
            drop(recent);
            // What is cached already, though it may be stale, is not looked up again.
            if let Some(page) = page.filter(|page| !self.tlb(cpu).holds(*page)) {
                self.walk(cpu, page);
            }
        }
    }

    /// The word at `address` in the address space with this root table, as it is in memory; `None` if a program cannot load
    /// it without a fault.
    pub(crate) fn word_at(&self, root: Frame, address: u64) -> Option<u64> {
        let leaf = walker::walk(&self.arena, Reached::root(root.number().into()), address / PAGE, |_| {})?;
        Some(self.arena.load(leaf.frame_of(address / PAGE), (address % PAGE / 8) as usize))
    }

    /// The first word of `frame`.
    pub(crate) fn first_word(&self, frame: Frame) -> u64 {
        self.arena.load(u64::from(frame.number()), 0)
    }

    /// The first word of every page that has an entry in the address space with this root table, as it is in memory.
    pub(crate) fn first_words(&self, root: Frame) -> BTreeMap<u64, u64> {
        let scan = walker::scan(&self.arena, u64::from(root.number()));
        scan.mapped(is_leaf).map(|(page, frame)| (page, self.arena.load(frame, 0))).collect()
    }

    /// The pages with a private frame in the address space with this root table.
    pub(crate) fn private_pages(&self, root: Frame) -> Vec<u64> {
        let scan = walker::scan(&self.arena, u64::from(root.number()));
        let private = |frame| matches!(self.kind_of(frame), FrameKind::Anonymous | FrameKind::Huge);
        scan.mapped(is_leaf).filter(|(_, frame)| private(*frame)).map(|(page, _)| page).collect()
    }

    /// Loads or stores the word at `address` in the frame of `leaf`.
    fn word(&self, cpu: Cpu, leaf: Leaf, address: u64, touch: Touch, value: u64) -> u64 {
        let (index, frame) = ((address % PAGE / 8) as usize, leaf.frame_of(address / PAGE));
        if !self.is_owned_data(frame) {
            let kind = self.kind_of(frame);
            self.violate(format!(
                "{touch:?} of {address:#x} by {cpu:?} reached frame {frame:#x}, which is {kind:?}"
            ));
        }
        if touch == Touch::Write {
            self.arena.store(frame, index, value);
            return value;
        }
        let word = self.arena.load(frame, index);
        if word == POISON {
            self.violate(format!("{touch:?} of {address:#x} by {cpu:?} got what was left in a freed frame"));
        }
        word
    }
}

/// Whether an entry of a lowest table maps a frame.
fn is_leaf(entry: u64) -> bool {
    entry & SOFT_LEAF != 0
}

fn permits(leaf: &Leaf, touch: Touch) -> bool {
    match touch {
        Touch::Read => true,
        Touch::Write => leaf.write,
        Touch::Execute => leaf.execute,
    }
}

fn access_of(touch: Touch) -> Access {
    match touch {
        Touch::Read => Access::Read,
        Touch::Write => Access::Write,
        Touch::Execute => Access::Execute,
    }
}
