//! What is compared after every operation.

use std::collections::BTreeMap;
use std::fmt::Display;

use abi::mman::Prot;
use mm::platform::Cpu;
use mm::space::AddressSpace;
use mm::vma::{Backing as MmBacking, VmaFlags, VmaInfo};

use crate::machine::{CPUS, Machine, Mapped, Seen};
use crate::model::{
    Advice, AnonGroup, Area, Attributes, Backing, Growth, Locking, Model, Registered, Sharing, Sums, Touch,
};
use crate::op::PAGE;
use crate::world::{Answer, World};

impl World<'_> {
    /// Compares address spaces and model, and looks at the oracles.
    ///
    /// # Panics
    /// If anything is wrong.
    pub fn check(&mut self, after: impl Display) {
        let mut objects = Bijection::default();
        for process in self.processes() {
            self.check_areas(process, &mut objects, &after);
            self.check_sums(process, &after);
            if let Err(error) = self.space_of(process).check() {
                panic!("after {after}: the address space of {process} finds itself broken: {error:?}");
            }
        }
        self.inspect(&after);
        self.check_contents(&after);
    }

    /// The VMAs of a process that lives, in order.
    pub(crate) fn vmas(&self, process: usize) -> Vec<VmaInfo> {
        let mut vmas = Vec::new();
        self.space_of(process).for_each_vma(|view| vmas.push(view.vma));
        vmas
    }

    /// Checks of the machine.
    fn inspect(&self, after: &impl Display) {
        let seen = self.system.live().map(|(process, model)| seen_of(self.space_of(process), model));
        self.machine.inspect(&seen.collect::<Vec<_>>());
        self.report(after);
    }

    /// Fails if the machine has taken note of anything.
    pub(crate) fn report(&self, after: impl Display) {
        let violations = self.machine.violations();
        assert!(violations.is_empty(), "after {after}:\n  {}", violations.join("\n  "));
    }

    fn check_areas(&self, process: usize, objects: &mut Bijection, after: &impl Display) {
        let vmas = self.vmas(process);
        let mut names = Names { objects, groups: Bijection::default() };
        let actual: Vec<Area> = vmas.iter().map(area_of).collect();
        let expected: Vec<Area> = self.system.process(process).areas().copied().collect();
        let same = actual.len() == expected.len()
            && actual.iter().zip(&expected).all(|(actual, expected)| names.same(actual, expected));
        assert!(
            same,
            "after {after}: the vmas of {process} are not those of the model\n  address space:{}\n  model:{}",
            list(&actual),
            list(&expected)
        );
    }

    fn check_sums(&self, process: usize, after: &impl Display) {
        let totals = self.space_of(process).totals();
        let actual = Sums {
            total: totals.pages,
            locked: totals.locked,
            data: totals.data,
            exec: totals.code,
            stack: totals.stack,
            accounted: totals.accounted,
            map_count: totals.vmas,
        };
        assert_eq!(
            actual,
            self.system.process(process).sums(),
            "after {after}: the sums of the address space of {process}, then the model's (I8)"
        );
    }

    /// Loads some words of some processes on some CPUs: ones that were written, and any.
    fn check_contents(&mut self, after: &impl Display) {
        let processes = self.processes();
        for sample in 0..self.samples as usize {
            let process = processes[sample % processes.len()];
            let Some(address) = self.sample(process) else { continue };
            let Some(expected) = self.system.peek(process, address) else { continue };
            let cpu = Cpu(self.random.u32(..CPUS - 1));
            self.load(process, cpu);
            if !self.system.process(process).is_there(address / PAGE) {
                // A look is not to be told to the program.
                continue;
            }
            let shortages = self.machine.shortages();
            let answer = self.touch(process, cpu, address, Touch::Read, 0);
            if answer == Answer::OutOfMemory && self.machine.shortages() > shortages {
                return;
            }
            self.system.process_mut(process).note_load(address / PAGE);
            assert_eq!(
                answer,
                Answer::Word(expected),
                "after {after}: the word of {process} at {address:#x} on {cpu:?}, then the model's"
            );
        }
        self.report(after);
    }

    /// An address of `process` that can be read: every second time of a word that was written.
    fn sample(&mut self, process: usize) -> Option<u64> {
        let written = self.system.written(process);
        if !written.is_empty() && self.random.bool() {
            return Some(written[self.random.usize(..written.len())]);
        }
        let areas = self.system.process(process).areas();
        let readable: Vec<Area> = areas.filter(|area| !area.attributes.prot.is_empty()).copied().collect();
        let area = readable.get(self.random.usize(..readable.len().max(1)))?;
        // Near the ends, where mistakes are, and never so far inside that a large mapping fills the memory.
        let page = area.start + self.random.u64(..area.pages().min(8));
        let page = if self.random.bool() { page } else { area.end - 1 - (page - area.start) };
        let address = page * PAGE + self.random.u64(..512) * 8;
        // A load of what is not there puts a small page there: not where there may be a huge one.
        let spared = area.pages() >= 512;
        let root = self.space_of(process).root();
        (!spared || self.machine.word_at(root, address).is_some()).then_some(address)
    }
}

/// Which identities of the address space stand for which of the model: a bijection.
struct Names<'a> {
    /// Of all processes.
    objects: &'a mut Bijection,
    /// Of one.
    groups: Bijection,
}

#[derive(Default)]
struct Bijection {
    forth: BTreeMap<u64, u64>,
    back: BTreeMap<u64, u64>,
}

impl Bijection {
    fn same(&mut self, actual: u64, expected: u64) -> bool {
        *self.forth.entry(actual).or_insert(expected) == expected
            && *self.back.entry(expected).or_insert(actual) == actual
    }
}

impl Names<'_> {
    fn same(&mut self, actual: &Area, expected: &Area) -> bool {
        let objects = match (actual.attributes.sharing, expected.attributes.sharing) {
            (Sharing::Private, Sharing::Private) => true,
            (Sharing::Shared(actual), Sharing::Shared(expected)) => self.objects.same(actual, expected),
            _ => false,
        };
        let groups = match (actual.group, expected.group) {
            (None, None) => true,
            // Which identity shared memory keeps in a merge means nothing: it only tells that there may be guards.
            (Some(_), Some(_)) if actual.attributes.sharing != Sharing::Private => true,
            (Some(actual), Some(expected)) => {
                actual.inherited == expected.inherited && self.groups.same(actual.number, expected.number)
            }
            _ => false,
        };
        objects && groups && actual.is_like(expected)
    }
}

/// A VMA in the words of the model.
pub(crate) fn area_of(vma: &VmaInfo) -> Area {
    let has = |flag| vma.flags.contains(flag);
    let mut prot = Prot::NONE;
    prot.set(Prot::READ, has(VmaFlags::READ));
    prot.set(Prot::WRITE, has(VmaFlags::WRITE));
    prot.set(Prot::EXEC, has(VmaFlags::EXEC));
    let (sharing, backing) = match vma.backing {
        MmBacking::Anonymous => (Sharing::Private, Backing::Anonymous),
        MmBacking::File { object } if has(VmaFlags::SHARED) => {
            (Sharing::Shared(object.root().number().into()), Backing::File)
        }
        MmBacking::File { .. } => (Sharing::Private, Backing::File),
        MmBacking::SharedAnonymous { object } => {
            (Sharing::Shared(object.root().number().into()), Backing::Anonymous)
        }
    };
    Area {
        start: vma.range.start().number(),
        end: vma.range.end().number(),
        attributes: Attributes {
            prot,
            sharing,
            backing,
            growth: if has(VmaFlags::GROWSDOWN) { Growth::Down } else { Growth::Fixed },
            locking: match (has(VmaFlags::LOCKED), has(VmaFlags::LOCKONFAULT)) {
                (true, true) => Locking::OnFault,
                (true, false) => Locking::Now,
                (false, false) => Locking::None,
                (false, true) => panic!("{vma} is locked on faults, but not locked"),
            },
            noreserve: has(VmaFlags::NORESERVE),
            account: has(VmaFlags::ACCOUNT),
            sealed: has(VmaFlags::SEALED),
            attached: has(VmaFlags::ATTACHED),
            advice: advice_of(vma.flags),
            registered: Registered {
                context: vma.flags.context().map_or(0, |context| context.0.get()),
                missing: has(VmaFlags::UFFD_MISSING),
                protected: has(VmaFlags::UFFD_WP),
            },
        },
        pgoff: vma.pgoff,
        group: vma.anon.map(|id| AnonGroup { number: id.0, inherited: id.is_inherited() }),
    }
}

fn advice_of(flags: VmaFlags) -> Advice {
    let pairs = [
        (VmaFlags::RANDOM, Advice::RANDOM),
        (VmaFlags::SEQUENTIAL, Advice::SEQUENTIAL),
        (VmaFlags::DONTFORK, Advice::DONTFORK),
        (VmaFlags::WIPEONFORK, Advice::WIPEONFORK),
        (VmaFlags::DONTDUMP, Advice::DONTDUMP),
        (VmaFlags::HUGEPAGE, Advice::HUGEPAGE),
        (VmaFlags::NOHUGEPAGE, Advice::NOHUGEPAGE),
        (VmaFlags::MERGEABLE, Advice::MERGEABLE),
    ];
    pairs.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, advice)| advice).collect()
}

fn list(areas: &[Area]) -> String {
    areas.iter().map(|area| format!("\n    {area}")).collect()
}

/// `space`, as the oracles of the machine want to know it; `model` has what is mapped.
pub(crate) fn seen_of(space: &AddressSpace<'_, Machine>, model: &Model) -> Seen {
    let mapped = |area: &Area| Mapped { start: area.start, end: area.end, prot: area.attributes.prot };
    let mut objects = Vec::new();
    space.for_each_vma(|view| match view.vma.backing {
        MmBacking::SharedAnonymous { object } | MmBacking::File { object } => objects.push(object.root()),
        MmBacking::Anonymous => {}
    });
    let guards = model.guards().collect();
    Seen { root: space.root(), mapped: model.areas().map(mapped).collect(), guards, objects }
}
