//! Machine, address space and model in step.
//!
//! Every operation is done by the address space and answered by the model; answers, areas, sums and contents are
//! compared after each, and the oracles of the machine looked at.

use abi::Errno;
use abi::mman::Prot;
use mm::MmError;
use mm::frame::FrameKind;
use mm::platform::Cpu;
use mm::range::{Page, PageRange};
use mm::space::{AddressSpace, FaultOutcome, MmapRequest, Segv, Source};
use mm::vma::Access;

use crate::machine::{Accessed, CPUS, Handled, Machine};
use crate::model::{Fault, Model, Touch};
use crate::op::{Mmap, Op};
use crate::quiet::quietly;
use crate::setup::Setup;

/// What an operation answers to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The result of a system call: an address, a break, or 0.
    Returned(u64),
    /// The error of a system call.
    Failed(Errno),
    /// The word that a load or fetch found, or a store stored.
    Word(u64),
    /// The signal that killed the program.
    Killed(Fault),
    /// No memory for a page fault.
    OutOfMemory,
}

/// An address space on a machine, and the model of it.
pub struct World<'m> {
    pub(crate) machine: &'m Machine,
    pub(crate) space: AddressSpace<'m, Machine>,
    pub(crate) model: Model,
    pub(crate) random: fastrand::Rng,
    pub(crate) samples: u32,
    /// The value that the next store stores.
    value: u64,
}

impl<'m> World<'m> {
    /// Runs `body` on a new world, then destroys the address space and checks that nothing is left.
    ///
    /// # Errors
    /// What went wrong: a failed check, or a panic in `body` or in `mm`.
    pub fn run(setup: Setup, body: impl FnOnce(&mut World<'_>)) -> Result<(), String> {
        let machine = Machine::with_frames(setup.frames);
        let before = machine.free_frames();
        let space = AddressSpace::new(&machine, setup.config()).map_err(|error| format!("{error:?}"))?;
        space.set_brk_start(setup.brk_start);
        let mut model = Model::new(setup.settings);
        model.set_brk_start(setup.brk_start);
        let random = fastrand::Rng::with_seed(1);
        let samples = setup.samples;
        let world = World { machine: &machine, space, model, random, samples, value: 0x5eed_0000 };
        (0..CPUS - 1).for_each(|cpu| world.load(Cpu(cpu)));
        let mut world = Some(world);
        let result = quietly(|| {
            if let Some(world) = &mut world {
                body(world);
                world.stop();
            }
            drop(world.take());
            check_end(&machine, before);
        });
        if result.is_err() {
            // What is broken must not be taken apart: that would panic once more.
            std::mem::forget(world);
        }
        result
    }

    /// Does `op` and checks everything. The result is what both the address space and the model answer.
    ///
    /// # Panics
    /// If any check fails; [`World::run`] makes that its result.
    pub fn apply(&mut self, op: impl Into<Op>) -> Answer {
        let op = op.into();
        let answer = self.perform(op, None);
        let expected = self.predict(op);
        assert_eq!(answer, expected, "{op}: the address space answers the left, the model the right");
        if matches!(answer, Answer::Failed(_)) {
            self.adopt_splits(op);
        }
        self.check(op);
        answer
    }

    /// The machine, for what a test wants to know besides.
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// The address space.
    pub fn space(&self) -> &AddressSpace<'m, Machine> {
        &self.space
    }

    /// The areas as the model has them, which is how they are: start and end in pages.
    pub fn areas(&self) -> Vec<(u64, u64)> {
        self.model.areas().map(|area| (area.start, area.end)).collect()
    }

    /// Does `op` in the address space only. Fallible point number `fail_at` is refused.
    pub(crate) fn perform(&mut self, op: Op, fail_at: Option<usize>) -> Answer {
        let cpu = match op {
            Op::Touch { cpu, .. } => Cpu(cpu % CPUS),
            _ => Cpu(self.random.u32(..CPUS)),
        };
        self.load(cpu);
        self.machine.begin(cpu, fail_at);
        let returned = |result: Result<u64, MmError>| match result {
            Ok(value) => Answer::Returned(value),
            Err(error) => Answer::Failed(Errno::from(error)),
        };
        let answer = match op {
            Op::Mmap(Mmap { address, length, prot, flags }) => returned(
                MmapRequest::decode(address, length, prot, flags)
                    .and_then(|request| self.space.mmap(request)),
            ),
            Op::Munmap { address, length } => returned(self.space.munmap(address, length).map(|()| 0)),
            Op::Mprotect { address, length, prot } => {
                returned(self.space.mprotect(address, length, prot).map(|()| 0))
            }
            Op::Image { page, pages, prot, first } => {
                let range = PageRange::from_start(Page::new(page), pages).ok_or(MmError::Invalid);
                let source = Source::Image { first_page: first };
                let request = |range| MmapRequest::fixed(range, Prot::from_bits_retain(prot), source);
                returned(range.and_then(|range| self.space.mmap(request(range))))
            }
            Op::Brk { address } => Answer::Returned(self.space.brk(address)),
            Op::Touch { address, touch, .. } => self.touch(cpu, address, touch, self.value),
        };
        // The last CPU comes and goes.
        if cpu == Cpu(CPUS - 1) && self.random.u8(..4) == 0 {
            self.unload(cpu);
        }
        answer
    }

    /// What the model answers to `op`; changes the model.
    pub(crate) fn predict(&mut self, op: Op) -> Answer {
        let returned = |result: Result<u64, Errno>| match result {
            Ok(value) => Answer::Returned(value),
            Err(errno) => Answer::Failed(errno),
        };
        match op {
            Op::Mmap(Mmap { address, length, prot, flags }) => {
                returned(self.model.mmap(address, length, prot, flags))
            }
            Op::Munmap { address, length } => returned(self.model.munmap(address, length).map(|()| 0)),
            Op::Mprotect { address, length, prot } => {
                returned(self.model.mprotect(address, length, prot).map(|()| 0))
            }
            Op::Image { page, pages, prot, first } => {
                returned(self.model.map_image(page, pages, Prot::from_bits_retain(prot), first))
            }
            Op::Brk { address } => Answer::Returned(self.model.brk(address)),
            Op::Touch { address, touch: Touch::Write, .. } => {
                self.value += 1;
                let value = self.value - 1;
                match self.model.store(address, value) {
                    Ok(()) => Answer::Word(value),
                    Err(fault) => Answer::Killed(fault),
                }
            }
            Op::Touch { address, touch, .. } => match self.model.load(address, touch) {
                Ok(word) => Answer::Word(word),
                Err(fault) => Answer::Killed(fault),
            },
        }
    }

    /// An access of the user program, as the machine does it.
    pub(crate) fn touch(&self, cpu: Cpu, address: u64, touch: Touch, value: u64) -> Answer {
        let handler = |address, access: Access| match self.space.fault(address, access) {
            FaultOutcome::Resolved => Handled::Retry,
            FaultOutcome::Signal(Segv::NotMapped) => Handled::Killed(Fault::Unmapped),
            FaultOutcome::Signal(Segv::NotPermitted) => Handled::Killed(Fault::Denied),
            FaultOutcome::OutOfMemory => Handled::OutOfMemory,
        };
        match self.machine.access(cpu, address, touch, value, handler) {
            Accessed::Word(word) => Answer::Word(word),
            Accessed::Killed(fault) => Answer::Killed(fault),
            Accessed::OutOfMemory => Answer::OutOfMemory,
        }
    }

    /// Lets `cpu` run the address space.
    fn load(&self, cpu: Cpu) {
        self.space.tlb().load(cpu);
        self.machine.load_root(cpu, Some(u64::from(self.space.root().number())));
    }

    /// Lets `cpu` run nothing.
    fn unload(&self, cpu: Cpu) {
        self.machine.load_root(cpu, None);
        self.space.tlb().unload(cpu);
    }

    /// The last step of every run: no CPU runs the address space any more.
    fn stop(&self) {
        (0..CPUS).for_each(|cpu| self.unload(Cpu(cpu)));
        self.machine.begin(Cpu(0), None);
    }
}

/// The address space is gone: everything must have come back.
fn check_end(machine: &Machine, before: u64) {
    machine.inspect(&[]);
    let violations = machine.violations();
    assert!(violations.is_empty(), "after the end:\n  {}", violations.join("\n  "));
    let left: Vec<_> = FrameKind::ALL
        .into_iter()
        .filter(|kind| *kind != FrameKind::Zero)
        .map(|kind| (kind, machine.allocated(kind)))
        .filter(|(_, frames)| *frames != 0)
        .collect();
    assert!(left.is_empty(), "frames are left when the address space is gone: {left:?}");
    assert_eq!(machine.free_frames(), before, "frames are missing");
    assert_eq!(machine.vmas_in_use(), 0, "vmas are left");
}
