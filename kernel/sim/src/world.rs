//! Machine, address spaces and model in step.
//!
//! Every operation is done by the address space and answered by the model; answers, areas, sums and contents are
//! compared after each, and the oracles of the machine looked at.

use std::fmt;
use std::panic::resume_unwind;
use std::thread;

use abi::Errno;
use abi::mman::{MADV_REMOVE, Prot};
use mm::frame::FrameKind;
use mm::object::{FileObject, Origin, SharedObject};
use mm::platform::Cpu;
use mm::range::{Page, PageRange};
use mm::space::{AddressSpace, Copies, MmapRequest, Sharing, Source};
use mm::trace::Step;
use mm::{MmError, Platform};

use crate::failure::Attempt;
use crate::machine::{CPUS, Machine};
use crate::model::{FILE_SIZE, Fault, System, Touch};
use crate::op::{Mmap, Mremap, Op, View};
use crate::quiet::quietly;
use crate::setup::Setup;
use crate::userfaults::{self, Patience, user_access};

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

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Returned(value) => write!(f, "returned {value:#x}"),
            Answer::Failed(errno) => write!(f, "failed: {}", errno.name()),
            Answer::Word(word) => write!(f, "word {word:#x}"),
            Answer::Killed(Fault::Unmapped) => f.write_str("killed: not mapped"),
            Answer::Killed(Fault::Denied) => f.write_str("killed: not permitted"),
            Answer::Killed(Fault::ForProgram) => f.write_str("for the program to resolve"),
            Answer::Killed(Fault::BeyondEnd) => f.write_str("killed: beyond the end"),
            Answer::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

/// Processes on a machine, and the model of them. There is process 0 to begin with.
pub struct World<'m> {
    pub(crate) machine: &'m Machine,
    /// The address spaces of the processes, by number; `None` when a process has ended.
    spaces: Vec<Option<Space<'m>>>,
    /// The one file there is, made when it is used first.
    file: Option<FileObject<'m, Machine>>,
    /// The model of all of them.
    pub(crate) system: System,
    /// The process that each CPU runs.
    running: [Option<usize>; CPUS as usize],
    pub(crate) random: fastrand::Rng,
    pub(crate) samples: u32,
    /// The value that the next store stores.
    value: u64,
}

/// An address space of a simulated machine.
pub(crate) type Space<'m> = AddressSpace<'m, Machine>;

impl<'m> World<'m> {
    /// Runs `body` on a new world, then ends all processes and checks that nothing is left.
    ///
    /// # Errors
    /// What went wrong: a failed check, or a panic in `body` or in `mm`.
    pub fn run(setup: Setup, body: impl FnOnce(&mut World<'_>)) -> Result<(), String> {
        let machine = Machine::with_bug(setup.frames, setup.bug);
        machine.set_max_map_count(setup.settings.max_map_count);
        machine.set_promises(&setup.settings);
        machine.set_huge_pages(setup.huge_pages);
        let before = machine.free_frames();
        let space = AddressSpace::new(&machine, setup.config()).map_err(|error| format!("{error:?}"))?;
        space.set_brk_start(setup.brk_start);
        let mut system = System::default();
        system.spawn(setup.settings, setup.brk_start);
        let mut world = World {
            machine: &machine,
            spaces: vec![Some(space)],
            file: None,
            system,
            running: [None; CPUS as usize],
            random: fastrand::Rng::with_seed(1),
            samples: setup.samples,
            value: 0x5eed_0000,
        };
        (0..CPUS - 1).for_each(|cpu| world.load(0, Cpu(cpu)));
        let mut world = Some(world);
        let result = quietly(|| {
            if let Some(world) = &mut world {
                body(world);
                world.stop();
            }
            drop(world.take());
            machine.set_file(None);
            check_end(&machine, before);
        });
        if result.is_err() {
            // What is broken must not be taken apart: that would panic once more.
            std::mem::forget(world);
        }
        result
    }

    /// Does `op` in process 0 and checks everything. The result is what both the address space and the model answer.
    ///
    /// # Panics
    /// If any check fails; [`World::run`] makes that its result.
    pub fn apply(&mut self, op: impl Into<Op>) -> Answer {
        self.apply_in(0, op)
    }

    /// Does `op` in a process and checks everything. For a process that does not live, one that does stands in (the next
    /// with a smaller number, or else with the largest). The last process does not exit.
    ///
    /// # Panics
    /// If any check fails; [`World::run`] makes that its result.
    pub fn apply_in(&mut self, process: usize, op: impl Into<Op>) -> Answer {
        match self.go(process, op.into(), None) {
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
        self.system.set_max_map_count(count);
    }

    /// The address space of process 0.
    pub fn space(&self) -> &Space<'m> {
        self.space_of(0)
    }

    /// The address space of a process that lives.
    ///
    /// # Panics
    /// If it does not.
    pub fn space_of(&self, process: usize) -> &Space<'m> {
        self.spaces[process].as_ref().expect("the process lives")
    }

    /// The areas of process 0 as the model has them, which is how they are: start and end in pages.
    pub fn areas(&self) -> Vec<(u64, u64)> {
        self.areas_of(0)
    }

    /// The areas of a process that lives as the model has them, which is how they are: start and end in pages.
    ///
    /// # Panics
    /// If the process does not live.
    pub fn areas_of(&self, process: usize) -> Vec<(u64, u64)> {
        self.system.process(process).areas().map(|area| (area.start, area.end)).collect()
    }

    /// Numbers of the processes that live, ascending.
    pub fn processes(&self) -> Vec<usize> {
        self.system.live().map(|(number, _)| number).collect()
    }

    /// Does `op` of process 0, a munmap, and between two of its steps, after the first for which `at` holds, the accesses of
    /// `others`. They must be after the downgrade of the mmap lock, because faults take it. The answers to `others`; none if
    /// there was no such step. Nothing is compared; [`check`](Self::check) does that, and the model does `op` only.
    pub fn apply_around(
        &mut self,
        op: Op,
        at: fn(&Step) -> bool,
        others: &[(u32, u64, Touch)],
    ) -> Vec<Answer> {
        let cpu = Cpu(0);
        self.load(0, cpu);
        self.machine.begin(cpu, None);
        let (space, machine, value) = (self.space(), self.machine, self.value);
        let meeting = machine.arrange(at);
        let (answer, answers) = thread::scope(|scope| {
            let intruder = scope.spawn(move || {
                let act = |(cpu, address, touch): &(u32, u64, Touch)| {
                    machine.run_on(Cpu(*cpu));
                    user_access(space, machine, Cpu(*cpu), *address, *touch, value, Patience::None)
                };
                meeting.act(|| {
                    let answers: Vec<Answer> = others.iter().map(act).collect();
                    machine.run_on(cpu);
                    answers
                })
            });
            let answer = system_call(space, &[space], machine, op);
            machine.call_off();
            (answer, intruder.join())
        });
        let expected = self.predict(0, op);
        assert_eq!(answer, Some(expected), "{op}: the address space answers the left, the model the right");
        match answers {
            Ok(answers) => answers.unwrap_or_default(),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// The process that does what `process` shall do; see [`apply_in`](Self::apply_in).
    pub(crate) fn stand_in(&self, process: usize) -> usize {
        let count = self.spaces.len();
        let lives = |number: &usize| self.spaces[*number].is_some();
        let smaller = (0..count.min(process + 1)).rev().find(lives);
        smaller.or_else(|| (0..count).rev().find(lives)).expect("the last process does not exit")
    }

    /// Whether `op` is the exit of the last process.
    pub(crate) fn is_last_exit(&self, op: Op) -> bool {
        op == Op::Exit && self.system.live().count() == 1
    }

    /// Does `op` in the address space of `process` only. Fallible point number `fail_at` is refused.
    pub(crate) fn perform(&mut self, process: usize, op: Op, fail_at: Option<usize>) -> Answer {
        let cpu = match op {
            Op::Touch { cpu, .. } => Cpu(cpu % CPUS),
            _ => Cpu(self.random.u32(..CPUS)),
        };
        self.load(process, cpu);
        self.machine.begin(cpu, fail_at);
        let answer = match op {
            Op::Touch { address, touch, .. } => self.touch(process, cpu, address, touch, self.value),
            Op::Fork => self.fork(process),
            Op::Exit => self.exit(process),
            Op::File { .. } => answer(self.map_file(process, op)),
            Op::Resize { size } => answer(self.resize(size).map(|()| 0)),
            _ => {
                let all: Vec<&Space<'m>> = self.spaces.iter().flatten().collect();
                system_call(self.space_of(process), &all, self.machine, op)
                    .unwrap_or(Answer::Failed(Errno::ENOSYS))
            }
        };
        // The last CPU comes and goes.
        if cpu == Cpu(CPUS - 1) && self.random.u8(..4) == 0 {
            self.unload(cpu);
        }
        answer
    }

    fn fork(&mut self, parent: usize) -> Answer {
        match self.space_of(parent).fork() {
            Ok(child) => {
                self.spaces.push(Some(child));
                Answer::Returned(self.spaces.len() as u64 - 1)
            }
            Err(error) => Answer::Failed(Errno::from(error)),
        }
    }

    /// The file, made if there is none yet.
    fn make_file(&mut self) -> Result<&FileObject<'m, Machine>, MmError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let origin = Origin { place: 0, bytes: FILE_SIZE };
                let file = FileObject::new(self.machine, 1, Some(origin))?;
                self.machine.set_file(Some(file.object_id()));
                file
            }
        };
        Ok(self.file.insert(file))
    }

    fn map_file(&mut self, process: usize, op: Op) -> Result<u64, MmError> {
        let Op::File { page, pages, prot, first, view } = op else { return Err(MmError::Invalid) };
        let range = PageRange::from_start(Page::new(page), pages).ok_or(MmError::Invalid)?;
        let segment;
        let source = if view == View::Segment {
            segment = SharedObject::new(self.machine, pages)?;
            Source::Attachment { object: segment.object_id() }
        } else {
            Source::File { object: self.make_file()?.object_id(), first_page: first }
        };
        self.space_of(process).mmap(MmapRequest {
            sharing: Some(if view == View::Private { Sharing::Private } else { Sharing::Shared }),
            ..MmapRequest::fixed(range, Prot::from_bits_retain(prot), source)
        })
    }

    fn resize(&mut self, size: u64) -> Result<(), MmError> {
        self.make_file()?;
        let Some(file) = &self.file else { return Err(MmError::NoMemory) };
        if size >= file.size() {
            return file.extend(size);
        }
        file.cut(size, |from| {
            for space in self.spaces.iter().flatten() {
                space.unmap_object(file.object_id(), from..u64::MAX, Copies::Go);
            }
        });
        Ok(())
    }

    fn exit(&mut self, process: usize) -> Answer {
        for cpu in 0..CPUS {
            if self.running[cpu as usize] == Some(process) {
                self.unload(Cpu(cpu));
            }
        }
        self.spaces[process] = None;
        Answer::Returned(0)
    }

    /// What the model answers to `op` of `process`; changes the model.
    pub(crate) fn predict(&mut self, process: usize, op: Op) -> Answer {
        let value = self.value;
        if let Op::Touch { touch: Touch::Write, .. } = op {
            self.value += 1;
        }
        predict(&mut self.system, process, op, value)
    }

    /// An access of a program, as the machine does it. `cpu` runs the process.
    pub(crate) fn touch(&self, process: usize, cpu: Cpu, address: u64, touch: Touch, value: u64) -> Answer {
        user_access(self.space_of(process), self.machine, cpu, address, touch, value, Patience::None)
    }

    /// Lets `cpu` run `process`, and mm run there.
    pub(crate) fn load(&mut self, process: usize, cpu: Cpu) {
        self.machine.load(cpu, self.space_of(process));
        let before = self.running[cpu.0 as usize].replace(process);
        if let Some(before) = before.filter(|before| *before != process) {
            self.space_of(before).tlb().unload(cpu);
        }
        self.machine.run_on(cpu);
    }

    /// Lets `cpu` run nothing.
    fn unload(&mut self, cpu: Cpu) {
        self.machine.load_root(cpu, None);
        if let Some(process) = self.running[cpu.0 as usize].take() {
            self.space_of(process).tlb().unload(cpu);
        }
    }

    /// The last step of every run: no CPU runs any process any more.
    fn stop(&mut self) {
        (0..CPUS).for_each(|cpu| self.unload(Cpu(cpu)));
        self.machine.begin(Cpu(0), None);
    }
}

/// Does `op` in `space`, one of `all`; `None` if it is not a system call of one address space.
pub(crate) fn system_call<'m>(
    space: &Space<'m>,
    all: &[&Space<'m>],
    machine: &Machine,
    op: Op,
) -> Option<Answer> {
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
        Op::Madvise { address, length, advice } if u64::from(advice as u32) == MADV_REMOVE => {
            remove(space, all, address, length).map(done)
        }
        Op::Madvise { address, length, advice } => space.madvise(address, length, advice).map(done),
        Op::Mlock { address, length, flags } => space.mlock(address, length, flags).map(done),
        Op::Munlock { address, length } => space.munlock(address, length).map(done),
        Op::Mlockall { flags } => space.mlockall(flags).map(done),
        Op::Munlockall => space.munlockall().map(done),
        Op::Msync { address, length, flags } => space.msync(address, length, flags).map(done),
        Op::Brk { address } => Ok(space.brk(address)),
        Op::Fork | Op::Exit | Op::File { .. } | Op::Resize { .. } | Op::Touch { .. } => return None,
        _ => userfaults::request(space, machine, op)?,
    };
    Some(answer(result))
}

/// madvise with `MADV_REMOVE`: `all` lose the pages.
fn remove<'m>(space: &Space<'m>, all: &[&Space<'m>], address: u64, length: u64) -> Result<(), MmError> {
    space.remove(address, length, |hole| {
        let object = &hole.object;
        object.punch(hole.offsets.clone(), |offsets| {
            all.iter().for_each(|space| {
                space.unmap_object(object.object_id(), offsets.clone(), Copies::Stay);
            });
        })
    })
}

/// The answer of a system call.
fn answer(result: Result<u64, MmError>) -> Answer {
    match result {
        Ok(value) => Answer::Returned(value),
        Err(error) => Answer::Failed(Errno::from(error)),
    }
}

/// What `system` answers to `op` of `process`, which changes it; a store stores `value`.
pub(crate) fn predict(system: &mut System, process: usize, op: Op, value: u64) -> Answer {
    let done = |()| 0;
    let model = system.process_mut(process);
    let result = match op {
        Op::Mmap(Mmap { address, length, prot, flags }) => model.mmap(address, length, prot, flags),
        Op::Munmap { address, length } => model.munmap(address, length).map(done),
        Op::Mprotect { address, length, prot } => model.mprotect(address, length, prot).map(done),
        Op::Mremap(Mremap { old, old_length, new_length, flags, new }) => {
            model.mremap(old, old_length, new_length, flags, new)
        }
        Op::Mseal { address, length, flags } => model.mseal(address, length, flags).map(done),
        Op::Madvise { address, length, advice } => {
            let result = model.madvise(address, length, advice);
            system.empty_objects(process);
            result.map(done)
        }
        Op::Mlock { address, length, flags } => model.mlock(address, length, flags).map(done),
        Op::Munlock { address, length } => model.munlock(address, length).map(done),
        Op::Mlockall { flags } => model.mlockall(flags).map(done),
        Op::Munlockall => {
            model.munlockall();
            Ok(0)
        }
        Op::Msync { address, length, flags } => model.msync(address, length, flags).map(done),
        Op::File { page, pages, prot, first, view } => {
            model.map_file(page, pages, Prot::from_bits_retain(prot), first, view)
        }
        Op::Resize { size } => {
            system.resize(size);
            Ok(0)
        }
        Op::Brk { address } => Ok(model.brk(address)),
        Op::Fork => Ok(system.fork(process) as u64),
        Op::Exit => {
            system.exit(process);
            Ok(0)
        }
        Op::Touch { address, touch, .. } => {
            let word = match touch {
                Touch::Write => system.store(process, address, value).map(|()| value),
                Touch::Read | Touch::Execute => system.load(process, address, touch),
            };
            return word.map_or_else(Answer::Killed, Answer::Word);
        }
        _ => userfaults::predict(model, op).unwrap_or(Err(Errno::ENOSYS)),
    };
    if !matches!(op, Op::Exit) {
        system.copy_faulted(process);
    }
    system.drop_unmapped_objects();
    result.map_or_else(Answer::Failed, Answer::Returned)
}

/// All address spaces are gone: everything must have come back.
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
    assert!(left.is_empty(), "frames are left when all address spaces are gone: {left:?}");
    assert_eq!(machine.free_frames(), before, "frames are missing");
    assert_eq!(machine.vmas_in_use(), 0, "vmas are left");
    assert_eq!(machine.commitment().committed(), 0, "memory is promised to nobody");
}
