//! Faults that the program resolves: who is told what, and what is left of a registration.

use core::num::NonZeroU32;

use super::*;
use crate::frame::Frame;
use crate::schedule::Sleep;
use crate::space::{Fill, WriteProtection};
use crate::userfault::{Context, Handling, Message, Reason, Registration, Userfault};
use crate::vma::VmaFlags;

const FIRST: Context = Context(NonZeroU32::MIN);

fn world(machine: &Machine) -> World<'_> {
    World::new(machine, Config::default())
}

impl World<'_> {
    fn register_as(&self, start: u64, end: u64, registration: Registration) -> Result<(), MmError> {
        self.space.register_userfaults(address(start), (end - start) * PAGE_SIZE, &registration)
    }

    /// Registers for everything.
    fn register(&self, start: u64, end: u64) {
        let modes = VmaFlags::UFFD_MISSING | VmaFlags::UFFD_WP;
        let registration = Registration { context: FIRST, modes, handling: Handling::Wait };
        assert_eq!(self.register_as(start, end, registration), Ok(()));
    }

    /// Copies pages with their numbers in them.
    fn copy(&self, start: u64, end: u64) -> (u64, Result<(), MmError>) {
        let mut write = |number: u64, frame: Frame| {
            self.machine.set_word(frame, number);
            Ok(())
        };
        let fill = Fill::Copy { write: &mut write, protected: false };
        self.space.fill_userfaults(address(start), (end - start) * PAGE_SIZE, fill)
    }

    fn registered(&self, page: u64) -> bool {
        self.vmas_there(page).is_some_and(|flags| flags.context().is_some())
    }

    fn vmas_there(&self, page: u64) -> Option<VmaFlags> {
        let [_, vma, _] = self.space.vmas_around(Page::containing(address(page)));
        vma.map(|view| view.vma.flags)
    }
}

fn outcome(reason: Reason) -> FaultOutcome {
    FaultOutcome::Userfault(reason)
}

#[test]
fn contexts_have_numbers_of_their_own() {
    let machine = Machine::with_frames(16);
    let world = world(&machine);
    let contexts = [(); 3].map(|()| world.space.new_context().unwrap());
    assert_eq!(contexts.map(|context| context.0.get()), [1, 2, 3]);
    world.space.contexts.store(u32::MAX, crate::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.space.new_context(), Err(MmError::NoMemory));
    assert_eq!(world.space.new_context(), Err(MmError::NoMemory));
}

#[test]
fn the_handling_of_a_registration_is_told_with_the_fault() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 3);
    for (page, handling) in (0..).zip([Handling::Wait, Handling::WaitInPrograms, Handling::Signal]) {
        let registration = Registration { context: FIRST, modes: VmaFlags::UFFD_MISSING, handling };
        assert_eq!(world.register_as(page, page + 1, registration), Ok(()));
        let told = Userfault { context: FIRST, reason: Reason::Missing, handling };
        assert_eq!(world.write(page), outcome(Reason::Missing));
        assert_eq!(world.space.fault(address(page), Access::Read), outcome(Reason::Missing));
        assert_eq!(world.space.userfault(address(page), Reason::Missing), Some(told));
    }
    assert_eq!(frames_in_use(&machine), 1, "the root");
    world.check();
}

#[test]
fn a_thread_that_waits_is_told_of_once_and_woken() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 2);
    world.register(0, 2);
    let fault = world.space.userfault(address(1), Reason::Missing).unwrap();
    let space = &*world.space;
    let message =
        Message { address: address(1) + 8, access: Access::Write, reason: Reason::Missing, thread: 77 };
    let wait = |announce: &dyn Fn()| {
        space.await_userfault(&fault, address(1) + 8, Access::Write, 77, Sleep::Uninterruptible, announce)
    };
    // What is announced is there to be read, once, and what is resolved then does not wait.
    let waited = wait(&|| {
        assert!(space.has_userfaults(FIRST));
        assert_eq!(space.next_userfault(Context(NonZeroU32::MAX)), None);
        assert_eq!(space.next_userfault(FIRST), Some(message));
        assert_eq!((space.next_userfault(FIRST), space.has_userfaults(FIRST)), (None, false));
        space.wake_userfaults(FIRST, Some(range(1, 2)));
    });
    assert_eq!(waited, Ok(FaultOutcome::Resolved));
    assert!(!space.has_userfaults(FIRST));
    // Who finds the page when it looks again is not announced.
    assert_eq!(world.copy(0, 2), (2, Ok(())));
    assert_eq!(wait(&|| panic!("announced")), Ok(FaultOutcome::Resolved));
    assert_eq!(world.write(1), FaultOutcome::Resolved);
    assert_eq!(machine.word(world.load(1).unwrap()), 1);
    world.check();
}

#[test]
fn a_wait_ends_by_a_signal_and_leaves_no_message() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 1);
    world.register(0, 1);
    let fault = world.space.userfault(address(0), Reason::Missing).unwrap();
    machine.kill_waiters();
    let space = &*world.space;
    let waited = space.await_userfault(&fault, address(0), Access::Write, 1, Sleep::Interruptible, || ());
    assert_eq!(waited, Err(MmError::Interrupted));
    assert!(!space.has_userfaults(FIRST));
    world.check();
}

#[test]
fn write_protected_pages_are_told_of_until_that_ends() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 4);
    world.write_all(0, 2);
    world.register(0, 4);
    let protect = |start, end, protection| {
        let length = (end - start) * PAGE_SIZE;
        world.space.write_protect_userfaults(address(start), length, protection)
    };
    assert_eq!(protect(0, 4, WriteProtection::Begin), Ok(()));
    assert_eq!(world.write(0), outcome(Reason::WriteProtected));
    assert_eq!(world.space.fault(address(0), Access::Read), FaultOutcome::Resolved);
    assert_eq!(world.write(2), outcome(Reason::Missing), "nothing was there to protect");
    world.check();
    // A child writes without asking; the parent keeps its protection.
    let child = world.space.fork().unwrap();
    assert_eq!(child.fault(address(0), Access::Write), FaultOutcome::Resolved);
    child.check().unwrap();
    drop(child);
    assert_eq!(world.mprotect(0, 4, Prot::READ), Ok(()));
    assert_eq!(world.mprotect(0, 4, Prot::READ_WRITE), Ok(()));
    assert_eq!(world.write(1), outcome(Reason::WriteProtected));
    assert_eq!(protect(1, 2, WriteProtection::End), Ok(()));
    assert_eq!(
        [0, 1].map(|page| world.write(page)),
        [outcome(Reason::WriteProtected), FaultOutcome::Resolved]
    );
    world.space.release_context(FIRST);
    world.write_all(0, 4);
    assert_eq!(world.vmas(), ["0..4 rw-p"]);
    world.check();
}

#[test]
fn what_has_moved_is_registered_with_nobody() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 4);
    world.write_all(0, 2);
    world.register(0, 4);
    let length = 2 * PAGE_SIZE;
    world.space.write_protect_userfaults(address(0), length, WriteProtection::Begin).unwrap();
    let moved = world.space.mremap(address(0), length, length, 3, address(8));
    assert_eq!(moved, Ok(address(8)));
    assert_eq!([2, 8].map(|page| world.registered(page)), [true, false]);
    world.write_all(8, 10);
    world.check();
}

#[test]
fn a_release_without_memory_leaves_neighbours_apart() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 6);
    world.register(2, 4);
    assert_eq!(world.vmas(), ["0..2 rw-p", "2..4 rw-p", "4..6 rw-p"]);
    machine.admit_only(0);
    world.space.release_context(FIRST);
    machine.admit_all();
    assert!(!world.registered(2));
    world.check();
    world.write_all(0, 6);
    world.check();
}

#[test]
fn a_source_that_fails_leaves_what_came_before() {
    let machine = Machine::with_frames(32);
    let world = world(&machine);
    world.map(0, 3);
    world.register(0, 3);
    let mut write = |number: u64, _: Frame| if number == 1 { Err(MmError::Fault) } else { Ok(()) };
    let fill = Fill::Copy { write: &mut write, protected: false };
    let filled = world.space.fill_userfaults(address(0), 3 * PAGE_SIZE, fill);
    assert_eq!(filled, (1, Err(MmError::Fault)));
    let zeroes =
        |start, end| world.space.fill_userfaults(address(start), (end - start) * PAGE_SIZE, Fill::Zeroes);
    assert_eq!(zeroes(0, 3), (0, Err(MmError::Exists)));
    assert_eq!(zeroes(1, 4), (0, Err(MmError::NotRegistered)));
    assert_eq!(zeroes(1, 3), (2, Ok(())));
    machine.admit_only(0);
    assert_eq!(world.space.madvise(address(0), PAGE_SIZE, abi::mman::MADV_DONTNEED), Ok(()));
    assert_eq!(world.copy(0, 1), (0, Err(MmError::NoMemory)));
    machine.admit_all();
    world.check();
}
