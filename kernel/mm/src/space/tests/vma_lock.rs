//! Page faults under the VMA lock alone, and when they fall back.

use std::thread;

use abi::mman::{Map as Flags, Prot};

use super::{World, address};
use crate::event::Event;
use crate::range::Page;
use crate::space::{FaultOutcome, MunmapOrder, Segv};
use crate::testing::Machine;
use crate::vma::{Access, Owner, Vma, WriteSection};

const A: Owner = Owner(7);
const B: Owner = Owner(8);

/// A VMA that section 1 of `A` has attached.
fn attached() -> Vma {
    let vma = Vma::default();
    vma.start_write_detached(WriteSection::new(1), A).attach();
    vma
}

#[test]
fn a_second_page_is_faulted_in_while_somebody_holds_the_mmap_lock_for_writing() {
    let machine = Machine::with_frames(64);
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map(0, 4);
    assert_eq!(world.write(0), FaultOutcome::Resolved);
    machine.take_events();
    let guard = world.space.write().unwrap();
    assert_eq!(world.write(1), FaultOutcome::Resolved);
    assert_eq!(world.space.fault(address(2), Access::Read), FaultOutcome::Resolved);
    assert_eq!(world.space.fault(address(2), Access::Execute), FaultOutcome::Signal(Segv::NotPermitted));
    drop(guard);
    let (fault, success) = (Event::Fault, Event::VmaLockSuccess);
    assert_eq!(machine.take_events(), [fault, success, fault, success, fault, success]);
}

#[test]
fn the_first_write_of_a_private_vma_does_not_wait_for_the_mmap_lock_under_the_vma_lock() {
    let machine = Machine::with_frames(64);
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map(0, 4);
    let guard = world.space.write().unwrap();
    machine.take_events();
    thread::scope(|scope| {
        let writer = scope.spawn(|| world.write_all(0, 1));
        let mut seen = Vec::new();
        while seen != [Event::Fault, Event::VmaLockRetry] {
            seen.append(&mut machine.take_events());
            thread::yield_now();
        }
        drop(guard);
        writer.join().unwrap();
    });
    world.map(5, 7);
    machine.take_events();
    world.write_all(5, 6);
    assert_eq!(machine.take_events(), [Event::Fault, Event::VmaLockSuccess], "nobody holds it");
    world.mmap(8, 10, Prot::READ_WRITE, Flags::SHARED).unwrap();
    world.write_all(8, 9);
    assert_eq!(machine.take_events(), [Event::Fault, Event::VmaLockSuccess], "shared memory has no identity");
}

#[test]
fn a_fault_where_nothing_is_mapped_falls_back() {
    let machine = Machine::with_frames(64);
    let world = World::in_order(&machine, MunmapOrder::default());
    assert_eq!(world.write(3), FaultOutcome::Signal(Segv::NotMapped));
    assert_eq!(machine.take_events(), [Event::Fault, Event::VmaLockAbort]);
}

#[test]
fn a_write_locked_vma_cannot_be_read_until_its_section_ends() {
    let machine = Machine::with_frames(8);
    let vma = attached();
    let read = |sequence: u64| vma.start_read(A, || sequence, &machine, Page::ZERO).is_ok();
    assert!(!read(1), "the section that attached it is open");
    assert!(read(2), "it is over");
    vma.start_write(WriteSection::new(3), &machine);
    assert!(!read(3));
    assert!(read(4) && read(5), "a later section has not locked it");
}

#[test]
fn a_vma_of_another_address_space_or_of_none_is_not_locked() {
    let machine = Machine::with_frames(8);
    let vma = attached();
    assert!(vma.start_read(B, || 2, &machine, Page::ZERO).is_err());
    vma.start_write(WriteSection::new(3), &machine).detach(&machine);
    assert!(vma.start_read(A, || 4, &machine, Page::ZERO).is_err());
    assert!(!vma.is_attached());
    vma.start_write_detached(WriteSection::new(1), B).attach();
    assert!(vma.start_read(B, || 2, &machine, Page::ZERO).is_ok(), "no reference is left over");
}

#[test]
fn a_writer_waits_for_the_reader_and_keeps_others_out_meanwhile() {
    let machine = Machine::with_frames(8);
    let vma = attached();
    let reader = vma.start_read(A, || 2, &machine, Page::ZERO).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| vma.start_write(WriteSection::new(3), &machine).vma().is_attached());
        while vma.start_read(A, || 2, &machine, Page::ZERO).is_ok() {
            thread::yield_now();
        }
        drop(reader);
        assert!(writer.join().unwrap());
    });
    assert_eq!(machine.take_events(), [Event::VmaLockWait]);
    assert!(vma.start_read(A, || 4, &machine, Page::ZERO).is_ok());
}

#[test]
fn a_killed_writer_leaves_the_vma_to_its_readers() {
    let machine = Machine::with_frames(8);
    let vma = attached();
    let reader = vma.start_read(A, || 2, &machine, Page::ZERO).unwrap();
    machine.kill_waiters();
    assert!(vma.start_write_killable(WriteSection::new(3), &machine).is_err());
    assert!(vma.start_read(A, || 3, &machine, Page::ZERO).is_ok(), "nobody waits any more");
    drop(reader);
    assert!(vma.start_write_killable(WriteSection::new(3), &machine).is_ok());
}
