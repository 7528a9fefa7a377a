//! Operations in which one fallible step is refused, and what may be left of them.

use std::collections::BTreeSet;

use abi::Errno;
use abi::mman::MREMAP_FIXED;

use crate::check::area_of;
use crate::model::{Area, Fault, Model, Sharing, System, runs};
use crate::op::{Mremap, Op, PAGE};
use crate::world::{Answer, World, predict};

/// What became of an operation in which a step was to be refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// The operation has fewer fallible steps; it was carried out.
    Completed(Answer),
    /// The step was refused; this is the answer.
    Refused(Answer),
}

impl World<'_> {
    /// Does `op` in process 0 while its fallible step number `step` (from 0) is refused, or memory runs out. The operation
    /// must then fail and leave every page as it was, but for completed splits (E6-E14); an mprotect or mseal may have
    /// changed whole VMAs from the first on, an mremap may have unmapped what it unmaps first and moved whole VMAs from the
    /// first on, a populating mmap may have left pages out, and a stack may have grown. A fork leaves nothing.
    ///
    /// # Panics
    /// If any check fails.
    pub fn attempt(&mut self, op: impl Into<Op>, step: usize) -> Attempt {
        self.attempt_in(0, op, step)
    }

    /// As [`attempt`](Self::attempt), in a process, as [`apply_in`](Self::apply_in) chooses it.
    ///
    /// # Panics
    /// If any check fails.
    pub fn attempt_in(&mut self, process: usize, op: impl Into<Op>, step: usize) -> Attempt {
        self.go(process, op.into(), Some(step))
    }

    /// Does `op`, with its fallible step number `step` refused, and checks everything.
    pub(crate) fn go(&mut self, process: usize, op: Op, step: Option<usize>) -> Attempt {
        if self.is_last_exit(op) {
            return Attempt::Completed(Answer::Returned(0));
        }
        let process = self.stand_in(process);
        let before = self.system.clone();
        let shortages = self.machine.shortages();
        let answer = self.perform(process, op, step);
        let failed = matches!(answer, Answer::OutOfMemory | Answer::Failed(Errno::ENOMEM | Errno::EAGAIN));
        // Frames that are free by now may come from what was done before there was none.
        let exhausted = failed && self.machine.shortages() > shortages;
        if !self.machine.end_refusals() && !exhausted {
            let expected = self.predict(process, op);
            assert_eq!(answer, expected, "{op}: the address space answers the left, the model the right");
            // A break that stays where it is has failed too.
            let refused_brk =
                matches!((op, answer), (Op::Brk { address }, Answer::Returned(end)) if end != address);
            if refused_brk || matches!(answer, Answer::Failed(_)) {
                self.adopt_splits(process, op);
            }
            self.check(op);
            return Attempt::Completed(answer);
        }
        let point = step.and_then(|step| self.machine.points().get(step).copied());
        let legal = match answer {
            // What would have failed anyway may say so, where the refused step was none that it minds.
            Answer::Failed(errno) => {
                matches!(errno, Errno::ENOMEM | Errno::EINTR)
                    || (errno == Errno::EAGAIN && matches!(op, Op::Madvise { .. } | Op::Mlock { .. }))
                    || answer == predict(&mut self.system.clone(), process, op, 0)
            }
            Answer::OutOfMemory => matches!(op, Op::Touch { .. }),
            // A stack that cannot grow.
            Answer::Killed(fault) => matches!(op, Op::Touch { .. }) && fault == Fault::Unmapped,
            Answer::Returned(_) | Answer::Word(_) => true,
        };
        assert!(legal, "{op}: {answer:?} when step {step:?} ({point:?}) was refused");
        let mut candidates = self.outcomes(process, op, answer, before);
        candidates.retain(|system| self.has_runs_of(process, system));
        // Of those that differ in contents only, the right one; if there is none, the check says what is wrong.
        let found = candidates.iter().position(|system| self.has_words_of(process, system)).unwrap_or(0);
        let Some(found) = candidates.into_iter().nth(found) else {
            panic!(
                "{op}: refused step {step:?} ({point:?}) left something in between:\n  {}\n  before:\n  {}",
                self.runs(process).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "),
                self.system
                    .process(process)
                    .areas()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n  ")
            );
        };
        self.system = found;
        self.adopt_splits(process, op);
        // Which pages were populated before the refusal, and are no longer the file's, cannot be read.
        let own = self.machine.private_pages(self.space_of(process).root());
        self.system.adopt_copies(process, &own);
        self.check(format_args!("{op} with step {step:?} ({point:?}) refused"));
        Attempt::Refused(answer)
    }

    /// What pages the address space of a process has, without regard to where VMAs end.
    fn runs(&self, process: usize) -> Vec<Area> {
        runs(self.vmas(process).iter().map(area_of))
    }

    /// Whether the pages of the process are those that it has in `system`.
    fn has_runs_of(&self, process: usize, system: &System) -> bool {
        let (expected, actual) = (system.process(process).runs(), self.runs(process));
        expected.len() == actual.len()
            && expected.iter().zip(&actual).all(|(expected, actual)| expected.is_like(actual))
    }

    /// Whether what was written in `system` to pages of the process that can be read is in memory.
    fn has_words_of(&self, process: usize, system: &System) -> bool {
        let root = self.space_of(process).root();
        let guards = system.process(process).guards();
        guards.eq(self.machine.guards(root))
            && system.written(process).into_iter().all(|address| {
                let area = system.process(process).area_at(address / PAGE);
                let private = area.is_some_and(|area| area.attributes.sharing == Sharing::Private);
                // An object keeps pages that no entry leads to.
                let word = self.machine.word_at(root, address).or(private.then_some(0));
                word.is_none_or(|word| system.peek(process, address) == Some(word))
            })
            && self.vmas(process).iter().map(area_of).all(|area| self.has_object_of(process, &area, system))
    }

    /// Whether the object behind an area of the process, if it is shared, has the words that it has in `system`.
    fn has_object_of(&self, process: usize, area: &Area, system: &System) -> bool {
        let Sharing::Shared(object) = area.attributes.sharing else { return true };
        let offsets = area.pgoff..area.pgoff + area.pages();
        let pages = self.machine.words_of_object(object).into_iter();
        pages.filter(|(offset, _)| offsets.contains(offset)).all(|(offset, word)| {
            let address = (area.start + offset - area.pgoff) * PAGE;
            system.peek(process, address).is_none_or(|expected| expected == word)
        })
    }

    /// The states that `op` may leave when a step of it was refused and it answered `answer`.
    fn outcomes(&mut self, process: usize, op: Op, answer: Answer, before: System) -> Vec<System> {
        let expected = self.predict(process, op);
        let after = std::mem::replace(&mut self.system, before.clone());
        // What completed without the step, or does not mind, is done.
        let done = matches!(answer, Answer::Returned(_) | Answer::Word(_));
        if answer == expected && done {
            return vec![after];
        }
        let mut outcomes = vec![before.clone()];
        if answer == expected {
            // It would have failed anyway, later on.
            outcomes.push(after.clone());
        }
        match op {
            Op::Mprotect { address, length, prot } => {
                let part = |model: &mut Model, length| model.mprotect(address, length, prot).is_ok();
                outcomes.extend(parts_done(&before, process, address, length, part));
            }
            Op::Mseal { address, length, flags } => {
                let part = |model: &mut Model, length| model.mseal(address, length, flags).is_ok();
                outcomes.extend(parts_done(&before, process, address, length, part));
            }
            Op::Register { address, length, modes, context } => {
                let part =
                    |model: &mut Model, length| model.register(address, length, modes, context).is_ok();
                outcomes.extend(parts_done(&before, process, address, length, part));
            }
            Op::Unregister { address, length, context } => {
                let part = |model: &mut Model, length| model.unregister(address, length, context).is_ok();
                outcomes.extend(parts_done(&before, process, address, length, part));
            }
            Op::Madvise { address, length, advice } => {
                // Holes do not stop it.
                let part = |model: &mut Model, length| {
                    matches!(model.madvise(address, length, advice), Ok(()) | Err(Errno::ENOMEM))
                };
                outcomes.extend(parts_done(&before, process, address, length, part));
            }
            Op::Mlock { address, length, flags } => {
                // Pages that cannot be faulted in are told when all is locked.
                let part = |model: &mut Model, length| {
                    matches!(model.mlock(address, length, flags), Ok(()) | Err(Errno::ENOMEM))
                };
                outcomes.extend(parts_done(&before, process, address, length, part));
                outcomes.push(after);
            }
            Op::Munlock { address, length } => {
                let part = |model: &mut Model, length| model.munlock(address, length).is_ok();
                outcomes.extend(parts_done(&before, process, address, length, part));
            }
            Op::Mremap(call) => outcomes.extend(stages(&before, process, call)),
            Op::Touch { .. } if answer == Answer::OutOfMemory => {
                // The stack may have grown, the content did not change.
                let mut grown = before;
                if let Op::Touch { address, touch, .. } = op
                    && grown.process_mut(process).reach(address, touch).is_ok()
                {
                    outcomes.push(grown);
                }
            }
            _ => {}
        }
        outcomes
    }

    /// The model takes over where the VMAs end and which of them have an identity, after a failed operation.
    ///
    /// # Panics
    /// If they differ in more than that.
    pub(crate) fn adopt_splits(&mut self, process: usize, op: Op) {
        let actual: Vec<_> = self.vmas(process).iter().map(area_of).collect();
        let model = self.system.process_mut(process);
        if matches!(op, Op::Mlockall { .. } | Op::Munlockall | Op::Mremap(_)) {
            // It goes on after what is refused to one area.
            actual.iter().for_each(|area| model.split_at_ends(area));
            model.join_as(&actual);
        }
        if let Err(difference) = model.adopt(&actual) {
            panic!("after {op}, which failed: {difference}");
        }
    }
}

/// No simulated machine has room for so many page tables, so nothing gets further in one area that goes from table to table.
const MOST_TABLES: usize = 1024;

/// `before` with the operation done up to the end of each area that ends inside `[address, address + length)`, and up to each
/// border of a page table, where that works: for operations that go from area to area, or from table to table.
fn parts_done(
    before: &System,
    process: usize,
    address: u64,
    length: u64,
    act: impl Fn(&mut Model, u64) -> bool,
) -> Vec<System> {
    let end = address.saturating_add(length);
    let areas = || before.process(process).areas();
    let borders = areas().flat_map(|area| {
        let first = area.start.max(address / PAGE).next_multiple_of(512);
        (first..area.end).step_by(512).take(MOST_TABLES)
    });
    let cuts: BTreeSet<u64> = areas().map(|area| area.end).chain(borders).map(|page| page * PAGE).collect();
    let cuts = cuts.into_iter();
    cuts.filter(|cut| address < *cut && *cut < end)
        .filter_map(|cut| {
            let mut partly = before.clone();
            let works = act(partly.process_mut(process), cut - address);
            partly.empty_objects(process);
            works.then_some(partly)
        })
        .collect()
}

/// What a mremap leaves that fails half-way: the target of a fixed move is unmapped first, then the tail that is to go; and
/// where several areas move, those before the failure have moved.
fn stages(before: &System, process: usize, call: Mremap) -> Vec<System> {
    let Mremap { old, flags, new, .. } = call;
    let [old_length, new_length] =
        [call.old_length, call.new_length].map(|length| length.checked_next_multiple_of(PAGE).unwrap_or(0));
    let mut stages = Vec::new();
    let mut unmapped = before.clone();
    if flags & MREMAP_FIXED != 0 && unmapped.process_mut(process).munmap(new, new_length).is_ok() {
        stages.push(unmapped.clone());
    }
    if new_length < old_length
        && unmapped.process_mut(process).munmap(old + new_length, old_length - new_length).is_ok()
    {
        stages.push(unmapped);
    }
    if flags & MREMAP_FIXED != 0 && old_length == new_length {
        let part = |model: &mut Model, length| model.mremap(old, length, length, flags, new).is_ok();
        for moved in parts_done(before, process, old, old_length, part) {
            // The target of the next area, which begins somewhere behind.
            for area in before.process(process).areas().filter(|area| area.start * PAGE > old) {
                let (done, end) = (area.start * PAGE - old, (area.end * PAGE - old).min(old_length));
                let mut unmapped = moved.clone();
                if done < end && unmapped.process_mut(process).munmap(new + done, end - done).is_ok() {
                    stages.push(unmapped);
                }
            }
            stages.push(moved);
        }
        if let Some(first) = before.process(process).area_at(old / PAGE) {
            let mut unmapped = before.clone();
            if unmapped.process_mut(process).munmap(new, (first.end * PAGE - old).min(old_length)).is_ok() {
                stages.push(unmapped);
            }
        }
    }
    stages
}
