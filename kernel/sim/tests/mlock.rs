//! mlock and its kin, and msync: what is locked, what stands in the way, and what becomes of locked memory.

use abi::Errno;
use abi::mman::*;
use sim::op::{Op, PAGE, brk, madvise, mlock, mlock_on_fault, mmap, mprotect, mremap, munlock, munmap, read};
use sim::scenario::{areas, map_and_write, page};
use sim::world::{Answer, World};
use sim::{in_every_order, in_every_order_with};

const HEAP: u64 = 0x4000_0000;
const DONE: Answer = Answer::Returned(0);

const fn failed(errno: Errno) -> Answer {
    Answer::Failed(errno)
}

fn locked(world: &World<'_>) -> u64 {
    world.space().totals().locked
}

fn lock_all(world: &mut World<'_>, flags: u64) -> Answer {
    world.apply(Op::Mlockall { flags })
}

#[test]
fn locking_splits_faults_in_and_counts() {
    in_every_order(|world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
        let frames = world.machine().free_frames();
        assert_eq!(world.apply(mlock(page(4) + 1, 3 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 4), (4, 8), (8, 12)]);
        assert_eq!(locked(world), 4);
        assert!(world.machine().free_frames() <= frames - 4);
        assert_eq!(world.apply(munlock(page(0), 6 * PAGE)), DONE);
        assert_eq!((areas(world), locked(world)), (vec![(0, 6), (6, 8), (8, 12)], 2));
        assert_eq!(world.apply(munlock(page(0), 12 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 12)]);
    });
}

#[test]
fn what_is_locked_on_faults_is_not_faulted_in() {
    in_every_order(|world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
        let frames = world.machine().free_frames();
        assert_eq!(world.apply(mlock_on_fault(page(0), 12 * PAGE)), DONE);
        assert_eq!((world.machine().free_frames(), locked(world)), (frames, 12));
        world.apply(mprotect(page(0), 12 * PAGE, Prot::READ));
        world.apply(mprotect(page(0), 12 * PAGE, Prot::READ_WRITE));
        world.apply(mremap(page(0), 12 * PAGE, 14 * PAGE));
        assert_eq!(world.machine().free_frames(), frames);
        // The other way round the pages come.
        assert_eq!(world.apply(mlock(page(0), 2 * PAGE)), DONE);
        assert_eq!(areas(world), [(0, 2), (2, 14)]);
        assert!(world.machine().free_frames() < frames);
    });
}

#[test]
fn a_hole_ends_it_and_what_comes_before_stays_locked() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        map_and_write(world, 6, 4);
        assert_eq!(world.apply(mlock(page(2), 6 * PAGE)), failed(Errno::ENOMEM));
        assert_eq!((areas(world), locked(world)), (vec![(0, 2), (2, 4), (6, 10)], 2));
        assert_eq!(world.apply(mlock(page(4), 4 * PAGE)), failed(Errno::ENOMEM));
        assert_eq!(world.apply(munlock(page(2), 6 * PAGE)), failed(Errno::ENOMEM));
        assert_eq!(locked(world), 0);
    });
}

#[test]
fn what_cannot_be_faulted_in_is_locked_and_told() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        world.apply(mprotect(page(0), 2 * PAGE, Prot::NONE));
        assert_eq!(world.apply(mlock(page(0), 4 * PAGE)), failed(Errno::ENOMEM));
        assert_eq!(locked(world), 4);
        world.apply(munlock(page(0), 4 * PAGE));
        world.apply(mprotect(page(0), 2 * PAGE, Prot::READ_WRITE));
        world.apply(madvise(page(3), PAGE, MADV_GUARD_INSTALL));
        assert_eq!(world.apply(mlock(page(0), 4 * PAGE)), failed(Errno::ENOMEM));
        assert_eq!(world.apply(mlock(page(0), 3 * PAGE)), DONE);
    });
}

#[test]
fn the_limit_counts_what_is_not_locked_yet() {
    in_every_order_with(
        |setup| setup.memlock(8 * PAGE),
        |world| {
            world.apply(mmap(20 * PAGE).fixed(page(0)));
            assert_eq!(world.apply(mlock(page(0), 4 * PAGE)), DONE);
            assert_eq!(world.apply(mlock(page(2), 6 * PAGE)), DONE);
            assert_eq!(world.apply(mlock(page(6), 3 * PAGE)), failed(Errno::ENOMEM));
            assert_eq!(world.apply(mlock(page(0), 8 * PAGE + 1)), failed(Errno::ENOMEM));
            assert_eq!(locked(world), 8);
            assert_eq!(world.apply(mmap(PAGE).with(Map::LOCKED)), failed(Errno::EAGAIN));
            assert_eq!(lock_all(world, MCL_CURRENT), failed(Errno::ENOMEM));
            assert_eq!(lock_all(world, MCL_CURRENT | MCL_FUTURE), failed(Errno::ENOMEM));
            assert_eq!(world.apply(mmap(PAGE).fixed(page(30))), Answer::Returned(page(30)));
            assert_eq!(lock_all(world, MCL_FUTURE), DONE);
            assert_eq!(world.apply(mmap(PAGE)), failed(Errno::EAGAIN));
            assert_eq!(world.apply(brk(HEAP + PAGE)), Answer::Returned(HEAP));
            assert_eq!(world.apply(Op::Munlockall), DONE);
            assert_eq!(locked(world), 0);
            assert_eq!(world.apply(brk(HEAP + PAGE)), Answer::Returned(HEAP + PAGE));
        },
    );
}

#[test]
fn where_nothing_may_be_locked_unlocking_still_works() {
    in_every_order_with(
        |setup| setup.memlock(0),
        |world| {
            map_and_write(world, 0, 4);
            for op in [mlock(page(0), PAGE), mlock(page(0), 0), mlock_on_fault(page(0), PAGE)] {
                assert_eq!(world.apply(op), failed(Errno::EPERM));
            }
            assert_eq!(lock_all(world, MCL_CURRENT), failed(Errno::EPERM));
            assert_eq!(lock_all(world, 8), failed(Errno::EINVAL));
            assert_eq!(world.apply(munlock(page(0), PAGE)), DONE);
            assert_eq!(world.apply(Op::Munlockall), DONE);
        },
    );
}

#[test]
fn wrong_arguments_have_their_errno() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        let last = u64::MAX - PAGE + 1;
        for op in [mlock(last, PAGE), mlock(last, 2 * PAGE), munlock(last, 2 * PAGE)] {
            assert_eq!(world.apply(op), failed(Errno::EINVAL));
        }
        // Rounded up, this is nothing.
        assert_eq!(world.apply(mlock(page(0), u64::MAX)), DONE);
        assert_eq!(world.apply(munlock(page(0), u64::MAX)), DONE);
        assert_eq!(world.apply(mlock(page(10), 0)), DONE);
        assert_eq!(world.apply(mlock(1 << 50, PAGE)), failed(Errno::ENOMEM));
        let flags = 2;
        assert_eq!(world.apply(Op::Mlock { address: page(0), length: PAGE, flags }), failed(Errno::EINVAL));
        for flags in [0, MCL_ONFAULT, 8, 16] {
            assert_eq!(lock_all(world, flags), failed(Errno::EINVAL));
        }
    });
}

#[test]
fn all_is_locked_now_and_later_as_it_is_said() {
    in_every_order(|world| {
        map_and_write(world, 0, 4);
        assert_eq!(lock_all(world, MCL_CURRENT), DONE);
        assert_eq!(locked(world), 4);
        world.apply(mmap(2 * PAGE).fixed(page(8)));
        assert_eq!(locked(world), 4);
        assert_eq!(lock_all(world, MCL_FUTURE), DONE);
        world.apply(mmap(2 * PAGE).fixed(page(12)));
        world.apply(brk(HEAP + 2 * PAGE));
        assert_eq!(locked(world), 8);
        let frames = world.machine().free_frames();
        assert_eq!(lock_all(world, MCL_FUTURE | MCL_ONFAULT), DONE);
        world.apply(mmap(2 * PAGE).fixed(page(14)).with(Map::POPULATE));
        assert_eq!((locked(world), world.machine().free_frames()), (10, frames));
        // What is locked in both ways is two areas.
        assert_eq!(areas(world).iter().filter(|(start, _)| *start < 20).count(), 4);
        // A child has nothing locked, and what it maps is not.
        world.apply(Op::Fork);
        world.apply_in(1, mmap(2 * PAGE).fixed(page(20)));
        assert_eq!(world.space_of(1).totals().locked, 0);
        // Without this for the future, the future is free.
        assert_eq!(lock_all(world, MCL_CURRENT), DONE);
        let before = locked(world);
        world.apply(mmap(2 * PAGE).fixed(page(20)));
        assert_eq!(locked(world), before);
        assert_eq!(world.apply(Op::Munlockall), DONE);
        assert_eq!(locked(world), 0);
    });
}

#[test]
fn locked_memory_goes_like_any_other() {
    in_every_order(|world| {
        world.apply(mmap(12 * PAGE).fixed(page(0)));
        world.apply(mlock(page(0), 12 * PAGE));
        world.apply(munmap(page(2), 4 * PAGE));
        assert_eq!(locked(world), 8);
        world.apply(mremap(page(6), 6 * PAGE, 6 * PAGE).fixed(page(20)));
        assert_eq!(locked(world), 8);
        assert_eq!(world.apply(read(0, page(21))), Answer::Word(0));
        world.apply(mremap(page(20), 6 * PAGE, 6 * PAGE).fixed(page(30)).keep());
        assert_eq!(locked(world), 8);
    });
}

#[test]
fn locked_pages_are_not_invalidated() {
    in_every_order(|world| {
        map_and_write(world, 0, 8);
        world.apply(munmap(page(4), PAGE));
        world.apply(mlock(page(2), PAGE));
        let sync = |world: &mut World<'_>, first: u64, pages: u64, flags| {
            world.apply(Op::Msync { address: page(first), length: pages * PAGE, flags })
        };
        assert_eq!(sync(world, 0, 4, MS_SYNC), DONE);
        assert_eq!(sync(world, 0, 4, MS_INVALIDATE), failed(Errno::EBUSY));
        assert_eq!(sync(world, 0, 2, MS_INVALIDATE | MS_ASYNC), DONE);
        assert_eq!(sync(world, 0, 8, MS_SYNC), failed(Errno::ENOMEM));
        assert_eq!(sync(world, 0, 2, MS_SYNC | MS_ASYNC), failed(Errno::EINVAL));
        assert_eq!(sync(world, 0, 2, 8), failed(Errno::EINVAL));
        assert_eq!(sync(world, 0, 0, 0), DONE);
    });
}

#[test]
fn unlocking_all_goes_on_where_a_merge_is_refused() {
    // The first step is the wait for the lock.
    for step in 1..6 {
        in_every_order(|world| {
            // The first and the third page have identities of their own, the others have none.
            world.apply(mmap(6 * PAGE).fixed(page(0)));
            world.apply(mlock(page(0), PAGE));
            world.apply(mlock(page(3), PAGE));
            world.attempt(Op::Munlockall, step);
            assert_eq!(locked(world), 0);
        });
    }
}
