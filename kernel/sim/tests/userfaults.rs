//! Faults that the program resolves: what is registered, what comes by request, and what is lost on the way.

use abi::Errno;
use abi::mman::{MADV_DONTNEED, MADV_GUARD_INSTALL, MADV_POPULATE_READ, Prot};
use mm::HugePages;
use mm::event::Event;
use mm::frame::FrameKind;
use mm::platform::Fallible;
use sim::model::Fault;
use sim::op::{
    Filling, Modes, Op, PAGE, WriteProtection, copied_word, madvise, mlock, mmap, mprotect, mremap, munmap,
    read, write,
};
use sim::scenario::{areas, map_and_write, page};
use sim::world::{Answer, World};
use sim::{Attempt, in_every_order_with};

const DONE: Answer = Answer::Returned(0);
const FOR_PROGRAM: Answer = Answer::Killed(Fault::ForProgram);

/// Runs `body` in every order; no page is touched but by its operations.
#[track_caller]
fn untouched(body: impl Fn(&mut World<'_>)) {
    in_every_order_with(|setup| setup.samples(0), body);
}

fn failed(error: Errno) -> Answer {
    Answer::Failed(error)
}

fn register_with(context: u32, first: u64, end: u64, modes: Modes) -> Op {
    Op::Register { address: page(first), length: (end - first) * PAGE, modes, context }
}

fn register(first: u64, end: u64, modes: Modes) -> Op {
    register_with(1, first, end, modes)
}

fn unregister(first: u64, end: u64) -> Op {
    Op::Unregister { address: page(first), length: (end - first) * PAGE, context: 1 }
}

fn fill(first: u64, end: u64, filling: Filling) -> Op {
    Op::Fill { address: page(first), length: (end - first) * PAGE, filling }
}

fn write_protect(first: u64, end: u64, protection: WriteProtection) -> Op {
    Op::WriteProtect { address: page(first), length: (end - first) * PAGE, protection }
}

/// Pages 0..12, of which 4..8 are registered.
fn registered_in_the_middle(world: &mut World<'_>, modes: Modes) {
    world.apply(mmap(12 * PAGE).fixed(page(0)));
    assert_eq!(world.apply(register(4, 8, modes)), DONE);
    assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
}

#[test]
fn registering_splits_and_merges() {
    untouched(|world| {
        registered_in_the_middle(world, Modes::Missing);
        assert_eq!(world.apply(register(6, 10, Modes::Missing)), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 10), (10, 12)]);
        assert_eq!(world.apply(register(5, 6, Modes::Both)), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 5), (5, 6), (6, 10), (10, 12)]);
        // For less, or as much, nothing changes.
        assert_eq!(world.apply(register(0, 12, Modes::Missing)), DONE);
        assert_eq!(areas(world), [(0, 5), (5, 6), (6, 12)]);
        assert_eq!(world.apply(unregister(0, 12)), DONE);
        assert_eq!(areas(world), [(0, 12)]);
    });
}

#[test]
fn contexts_stay_apart() {
    untouched(|world| {
        registered_in_the_middle(world, Modes::Missing);
        assert_eq!(world.apply(register_with(2, 7, 9, Modes::Missing)), failed(Errno::EBUSY));
        assert_eq!(world.apply(register_with(2, 8, 12, Modes::Missing)), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
        assert_eq!(world.apply(unregister(0, 12)), failed(Errno::EINVAL));
        assert_eq!(world.apply(Op::Release { context: 2 }), DONE);
        assert_eq!(world.apply(Op::Release { context: 1 }), DONE);
        assert_eq!(areas(world), [(0, 12)]);
    });
}

#[test]
fn only_private_anonymous_memory_is_registered() {
    untouched(|world| {
        world.apply(mmap(2 * PAGE).fixed(page(0)));
        world.apply(mmap(2 * PAGE).fixed(page(2)).shared());
        world.apply(sim::op::image(page(4) / PAGE, 2, Prot::READ, 0));
        assert_eq!(world.apply(register(0, 3, Modes::Both)), failed(Errno::EINVAL));
        assert_eq!(world.apply(register(4, 5, Modes::Both)), failed(Errno::EINVAL));
        assert_eq!(world.apply(register(8, 9, Modes::Both)), failed(Errno::EINVAL));
        assert_eq!(world.apply(register(0, 0, Modes::Both)), failed(Errno::EINVAL));
        // Holes are no obstacle.
        assert_eq!(world.apply(munmap(page(2), 2 * PAGE)), DONE);
        assert_eq!(world.apply(register(0, 4, Modes::Both)), DONE);
    });
}

#[test]
fn missing_pages_are_the_programs_and_others_are_not() {
    untouched(|world| {
        map_and_write(world, 0, 2);
        world.apply(mmap(4 * PAGE).fixed(page(2)));
        world.apply(read(0, page(2)));
        world.apply(register(0, 6, Modes::Missing));
        assert!(matches!(world.apply(write(1, page(0))), Answer::Word(_)));
        assert_eq!(world.apply(read(1, page(2))), Answer::Word(0));
        assert!(matches!(world.apply(write(1, page(2))), Answer::Word(_)));
        assert_eq!(world.apply(read(0, page(3))), FOR_PROGRAM);
        assert_eq!(world.apply(write(0, page(4))), FOR_PROGRAM);
        assert_eq!(world.apply(fill(3, 6, Filling::Copies)), Answer::Returned(3));
        assert_eq!(world.apply(read(0, page(4))), Answer::Word(copied_word(page(4) / PAGE)));
        assert_eq!(world.apply(fill(2, 4, Filling::Copies)), failed(Errno::EEXIST));
        // What is discarded is missing.
        world.apply(madvise(page(0), 4 * PAGE, MADV_DONTNEED));
        assert_eq!(world.apply(read(0, page(0))), FOR_PROGRAM);
        assert_eq!(world.apply(fill(1, 6, Filling::Zeroes)), Answer::Returned(3));
        assert_eq!(world.apply(read(0, page(1))), Answer::Word(0));
        // What may not be touched anyway is nobody's to resolve.
        world.apply(mprotect(page(0), PAGE, Prot::NONE));
        assert_eq!(world.apply(read(0, page(0))), Answer::Killed(Fault::Denied));
    });
}

#[test]
fn filling_is_for_registered_memory_of_one_area() {
    untouched(|world| {
        registered_in_the_middle(world, Modes::Missing);
        for (first, end) in [(0, 1), (7, 9), (3, 5), (20, 21)] {
            assert_eq!(world.apply(fill(first, end, Filling::Zeroes)), failed(Errno::ENOENT));
        }
        assert_eq!(world.apply(fill(4, 5, Filling::ProtectedCopies)), failed(Errno::EINVAL));
        world.apply(madvise(page(5), PAGE, MADV_GUARD_INSTALL));
        assert_eq!(world.apply(fill(4, 8, Filling::Copies)), Answer::Returned(1));
        assert_eq!(world.apply(fill(5, 6, Filling::Copies)), failed(Errno::EEXIST));
    });
}

#[test]
fn nothing_is_populated_that_the_program_brings() {
    untouched(|world| {
        registered_in_the_middle(world, Modes::Missing);
        assert_eq!(world.apply(madvise(page(2), 4 * PAGE, MADV_POPULATE_READ)), failed(Errno::EFAULT));
        assert_eq!(world.apply(mlock(page(0), 12 * PAGE)), DONE);
        assert_eq!(world.apply(read(0, page(5))), FOR_PROGRAM);
    });
}

#[test]
fn write_protection_is_the_pages_own() {
    untouched(|world| {
        map_and_write(world, 0, 6);
        world.apply(register(0, 6, Modes::Protected));
        assert_eq!(world.apply(write_protect(0, 4, WriteProtection::Begin)), DONE);
        assert_eq!(world.apply(write(0, page(1))), FOR_PROGRAM);
        assert!(matches!(world.apply(read(0, page(1))), Answer::Word(_)));
        assert!(matches!(world.apply(write(0, page(4))), Answer::Word(_)));
        world.apply(mprotect(page(0), 6 * PAGE, Prot::READ));
        world.apply(mprotect(page(0), 6 * PAGE, Prot::READ_WRITE));
        assert_eq!(world.apply(write(1, page(1))), FOR_PROGRAM);
        assert_eq!(world.apply(write_protect(1, 2, WriteProtection::End)), DONE);
        assert!(matches!(world.apply(write(1, page(1))), Answer::Word(_)));
        world.apply(madvise(page(2), PAGE, MADV_DONTNEED));
        assert!(matches!(world.apply(write(1, page(2))), Answer::Word(_)));
        assert_eq!(world.apply(write_protect(5, 7, WriteProtection::Begin)), DONE);
        assert_eq!(world.apply(write_protect(6, 8, WriteProtection::Begin)), failed(Errno::ENOENT));
        assert_eq!(world.apply(unregister(0, 6)), DONE);
        assert!(matches!(world.apply(write(1, page(0))), Answer::Word(_)));
    });
}

#[test]
fn moves_and_forks_lose_registration_and_protection() {
    untouched(|world| {
        map_and_write(world, 0, 4);
        world.apply(register(0, 4, Modes::Both));
        world.apply(write_protect(0, 4, WriteProtection::Begin));
        let Answer::Returned(child) = world.apply(Op::Fork) else { panic!("no child") };
        assert!(matches!(world.apply_in(child as usize, write(0, page(0))), Answer::Word(_)));
        assert_eq!(world.apply(write(0, page(0))), FOR_PROGRAM);
        world.apply(mremap(page(0), 2 * PAGE, 2 * PAGE).fixed(page(8)));
        assert!(matches!(world.apply(write(0, page(8))), Answer::Word(_)));
        world.apply(mremap(page(2), PAGE, PAGE).fixed(page(16)).keep());
        assert!(matches!(world.apply(write(0, page(16))), Answer::Word(_)));
        assert_eq!(world.apply(read(0, page(2))), FOR_PROGRAM);
        assert_eq!(world.apply(write(0, page(3))), FOR_PROGRAM);
        // It grows in place, and stays registered.
        assert_eq!(world.apply(mremap(page(2), 2 * PAGE, 4 * PAGE)), Answer::Returned(page(2)));
        assert_eq!(world.apply(read(0, page(5))), FOR_PROGRAM);
        // Not together with others.
        world.apply(mmap(PAGE).fixed(page(6)));
        assert_eq!(world.apply(mremap(page(2), 5 * PAGE, 5 * PAGE).fixed(page(32))), failed(Errno::EFAULT));
    });
}

#[test]
fn a_refused_step_leaves_registrations_whole() {
    in_every_order_with(
        |setup| setup.samples(0),
        |world| {
            world.apply(mmap(12 * PAGE).fixed(page(0)));
            let mut refused = 0;
            for step in 0.. {
                match world.attempt(register(4, 8, Modes::Protected), step) {
                    Attempt::Completed(answer) => {
                        assert_eq!(answer, DONE);
                        break;
                    }
                    Attempt::Refused(_) => refused += 1,
                }
            }
            assert!(refused >= 2, "a split takes a VMA and nodes: {:?}", Fallible::Vma);
            assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
            for step in 0.. {
                if let Attempt::Completed(answer) = world.attempt(unregister(5, 6), step) {
                    assert_eq!(answer, DONE);
                    break;
                }
            }
            assert_eq!(areas(world), [(0, 4), (4, 5), (5, 6), (6, 8), (8, 12)]);
        },
    );
}

#[test]
fn no_huge_leaf_comes_where_the_program_brings_pages_and_none_is_write_protected() {
    const HUGE: u64 = 512;
    in_every_order_with(
        |setup| setup.huge_pages(HugePages::Always).frames(5 * 512).samples(0),
        |world| {
            world.apply(mmap(2 * HUGE * PAGE).fixed(page(0)));
            world.apply(write(0, page(7)));
            assert_eq!(world.machine().allocated(FrameKind::Huge), HUGE);
            assert_eq!(world.apply(register(0, 2 * HUGE, Modes::Both)), DONE);
            assert_eq!(world.apply(write(0, page(HUGE + 1))), FOR_PROGRAM);
            assert_eq!(world.apply(fill(HUGE + 1, HUGE + 2, Filling::Copies)), Answer::Returned(1));
            assert_eq!(world.machine().allocated(FrameKind::Huge), HUGE);
            assert_eq!(world.machine().events(Event::ThpSplitPmd), 0);
            assert_eq!(world.apply(write_protect(7, 8, WriteProtection::Begin)), DONE);
            assert_eq!(world.machine().events(Event::ThpSplitPmd), 1);
            assert_eq!(world.apply(write(0, page(7))), FOR_PROGRAM);
        },
    );
}
