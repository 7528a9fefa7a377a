//! Machine, address space and model in step.
//!
//! Every operation is done by the address space and answered by the model; answers, areas, sums and contents are
//! compared after each, and the oracles of the machine looked at.

use std::panic::resume_unwind;
use std::thread;

use abi::Errno;
use abi::mman::Prot;
use mm::MmError;
use mm::frame::FrameKind;
use mm::platform::Cpu;
use mm::range::{Page, PageRange};
use mm::space::{AddressSpace, FaultOutcome, MmapRequest, Segv, Source};
use mm::trace::Step;
use mm::vma::Access;

use crate::failure::Attempt;
use crate::machine::{Accessed, CPUS, Handled, Machine};
use crate::model::{Fault, Model, Touch};
use crate::op::{Mmap, Mremap, Op};
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
        let machine = Machine::with_bug(setup.frames, setup.bug);
        machine.set_max_map_count(setup.settings.max_map_count);
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
        match self.go(op.into(), None) {
            Attempt::Completed(answer) | Attempt::Refused(answer) => answer,
        }
    }

    /// The machine, for what a test wants to know besides.
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// Sets `vm.max_map_count`: address spaces may have more VMAs already.
    pub fn set_max_map_count(&mut self, count: usize) {
        self.machine.set_max_map_count(count);
        self.model.settings.max_map_count = count;
    }

    /// The address space.
    pub fn space(&self) -> &AddressSpace<'m, Machine> {
        &self.space
    }

    /// The areas as the model has them, which is how they are: start and end in pages.
    pub fn areas(&self) -> Vec<(u64, u64)> {
        self.model.areas().map(|area| (area.start, area.end)).collect()
    }

    /// Does `op`, a munmap, and between two of its steps, after the first for which `at` holds, the accesses of `others`.
    /// They must be after the downgrade of the mmap lock, because faults take it. The answers to `others`; none if there
    /// was no such step. Nothing is compared; [`check`](Self::check) does that, and the model does `op` only.
    pub fn apply_around(
        &mut self,
        op: Op,
        at: fn(&Step) -> bool,
        others: &[(u32, u64, Touch)],
    ) -> Vec<Answer> {
        let cpu = Cpu(0);
        self.load(cpu);
        self.machine.begin(cpu, None);
        let (space, machine, value) = (&self.space, self.machine, self.value);
        let meeting = machine.arrange(at);
        let (answer, answers) = thread::scope(|scope| {
            let intruder = scope.spawn(move || {
                let act = |(cpu, address, touch): &(u32, u64, Touch)| {
                    machine.run_on(Cpu(*cpu));
                    user_access(space, machine, Cpu(*cpu), *address, *touch, value)
                };
                meeting.act(|| {
                    let answers: Vec<Answer> = others.iter().map(act).collect();
                    machine.run_on(cpu);
                    answers
                })
            });
            let answer = system_call(space, op);
            machine.call_off();
            (answer, intruder.join())
        });
        let expected = self.predict(op);
        assert_eq!(answer, Some(expected), "{op}: the address space answers the left, the model the right");
        match answers {
            Ok(answers) => answers.unwrap_or_default(),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Does `op` in the address space only. Fallible point number `fail_at` is refused.
    pub(crate) fn perform(&mut self, op: Op, fail_at: Option<usize>) -> Answer {
        let cpu = match op {
            Op::Touch { cpu, .. } => Cpu(cpu % CPUS),
            _ => Cpu(self.random.u32(..CPUS)),
        };
        self.load(cpu);
        self.machine.begin(cpu, fail_at);
        let answer = match op {
            Op::Touch { address, touch, .. } => self.touch(cpu, address, touch, self.value),
            _ => system_call(&self.space, op).unwrap_or(Answer::Failed(Errno::ENOSYS)),
        };
        // The last CPU comes and goes.
        if cpu == Cpu(CPUS - 1) && self.random.u8(..4) == 0 {
            self.unload(cpu);
        }
        answer
    }

    /// What the model answers to `op`; changes the model.
    pub(crate) fn predict(&mut self, op: Op) -> Answer {
        let value = self.value;
        if let Op::Touch { touch: Touch::Write, .. } = op {
            self.value += 1;
        }
        predict(&mut self.model, op, value)
    }

    /// An access of the user program, as the machine does it.
    pub(crate) fn touch(&self, cpu: Cpu, address: u64, touch: Touch, value: u64) -> Answer {
        user_access(&self.space, self.machine, cpu, address, touch, value)
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

/// Does `op` in `space`; `None` if it is no system call.
pub(crate) fn system_call(space: &AddressSpace<'_, Machine>, op: Op) -> Option<Answer> {
    let done = |()| 0;
    let result = match op {
        Op::Mmap(Mmap { address, length, prot, flags }) => {
            MmapRequest::decode(address, length, prot, flags).and_then(|request| space.mmap(request))
        }
        Op::Munmap { address, length } => space.munmap(address, length).map(done),
        Op::Mprotect { address, length, prot } => space.mprotect(address, length, prot).map(done),
        Op::Mremap(Mremap { old, old_length, new_length, flags, new }) => {
            space.mremap(old, old_length, new_length, flags, new)
        }
        Op::Mseal { address, length, flags } => space.mseal(address, length, flags).map(done),
        Op::Image { page, pages, prot, first } => {
            let range = PageRange::from_start(Page::new(page), pages).ok_or(MmError::Invalid);
            let source = Source::Image { first_page: first };
            let request = |range| MmapRequest::fixed(range, Prot::from_bits_retain(prot), source);
            range.and_then(|range| space.mmap(request(range)))
        }
        Op::Brk { address } => Ok(space.brk(address)),
        Op::Touch { .. } => return None,
    };
    Some(match result {
        Ok(value) => Answer::Returned(value),
        Err(error) => Answer::Failed(Errno::from(error)),
    })
}

/// What `model` answers to `op`, which changes it; a store stores `value`.
pub(crate) fn predict(model: &mut Model, op: Op, value: u64) -> Answer {
    let done = |()| 0;
    let result = match op {
        Op::Mmap(Mmap { address, length, prot, flags }) => model.mmap(address, length, prot, flags),
        Op::Munmap { address, length } => model.munmap(address, length).map(done),
        Op::Mprotect { address, length, prot } => model.mprotect(address, length, prot).map(done),
        Op::Mremap(Mremap { old, old_length, new_length, flags, new }) => {
            model.mremap(old, old_length, new_length, flags, new)
        }
        Op::Mseal { address, length, flags } => model.mseal(address, length, flags).map(done),
        Op::Image { page, pages, prot, first } => {
            model.map_image(page, pages, Prot::from_bits_retain(prot), first)
        }
        Op::Brk { address } => Ok(model.brk(address)),
        Op::Touch { address, touch, .. } => {
            let word = match touch {
                Touch::Write => model.store(address, value).map(|()| value),
                Touch::Read | Touch::Execute => model.load(address, touch),
            };
            return word.map_or_else(Answer::Killed, Answer::Word);
        }
    };
    result.map_or_else(Answer::Failed, Answer::Returned)
}

/// An access of a program in `space` on `cpu`.
pub(crate) fn user_access(
    space: &AddressSpace<'_, Machine>,
    machine: &Machine,
    cpu: Cpu,
    address: u64,
    touch: Touch,
    value: u64,
) -> Answer {
    let handler = |address, access: Access| match space.fault(address, access) {
        FaultOutcome::Resolved => Handled::Retry,
        FaultOutcome::Signal(Segv::NotMapped) => Handled::Killed(Fault::Unmapped),
        FaultOutcome::Signal(Segv::NotPermitted) => Handled::Killed(Fault::Denied),
        FaultOutcome::BeyondEnd => Handled::Killed(Fault::BeyondEnd),
        FaultOutcome::OutOfMemory => Handled::OutOfMemory,
    };
    match machine.access(cpu, address, touch, value, handler) {
        Accessed::Word(word) => Answer::Word(word),
        Accessed::Killed(fault) => Answer::Killed(fault),
        Accessed::OutOfMemory => Answer::OutOfMemory,
    }
}

/// The address space is gone: everything must have come back.
pub(crate) fn check_end(machine: &Machine, before: u64) {
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
