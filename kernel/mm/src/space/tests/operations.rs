//! mmap, mprotect, brk, stacks and faults.

use super::*;
use crate::space::Segv;
use abi::mman::{MADV_DONTNEED, MADV_GUARD_INSTALL};

fn world(machine: &Machine) -> World<'_> {
    World::new(machine, Config::default())
}

fn anywhere(world: &World<'_>, length: u64, flags: Flags) -> Result<u64, MmError> {
    let flags = (flags | Flags::PRIVATE | Flags::ANONYMOUS).bits();
    world.space.mmap(MmapRequest::decode(0, length, Prot::READ_WRITE.bits(), flags)?)
}

#[test]
fn the_first_mapping_ends_where_linux_without_randomisation_puts_it() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    assert_eq!(anywhere(&world, 0x2000, Flags::empty()), Ok(0x7fff_f7ff_d000));
    assert_eq!(anywhere(&world, 1, Flags::empty()), Ok(0x7fff_f7ff_c000));
    assert_eq!(world.space.totals().vmas, 1, "neighbours with equal properties are one");
    assert_eq!(anywhere(&world, 0x1000, Flags::_32BIT), Ok(0x4000_0000));
}

#[test]
fn a_hint_is_taken_where_it_is_free() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    let flags = (Flags::PRIVATE | Flags::ANONYMOUS).bits();
    let hinted = |hint| world.space.mmap(MmapRequest::decode(hint, 0x1000, 1, flags).unwrap());
    assert_eq!(hinted(BASE + 0x123), Ok(BASE));
    assert_eq!(hinted(BASE), Ok(0x7fff_f7ff_e000));
    assert_eq!(hinted(0x1000), Ok(0x1_0000), "raised to mmap_min_addr");
    assert_eq!(hinted(u64::MAX), Ok(0x7fff_f7ff_d000));
}

#[test]
fn low_memory_is_from_one_to_two_gibibytes_or_at_a_low_hint() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    let flags = (Flags::PRIVATE | Flags::ANONYMOUS | Flags::_32BIT).bits();
    let low = |hint, length| world.space.mmap(MmapRequest::decode(hint, length, 1, flags).unwrap());
    assert_eq!(low(0, 0x1000), Ok(0x4000_0000));
    assert_eq!(low(0x5000_0000, 0x1000), Ok(0x5000_0000));
    assert_eq!(low(0x2000_0123, 0x1000), Ok(0x2000_0000));
    assert_eq!(low(0x5000_0000, 0x1000), Ok(0x4000_1000), "taken");
    assert_eq!(low(0x7fff_f000, 0x2000), Ok(0x4000_2000), "too long for there");
    assert_eq!(low(BASE, 0x1000), Ok(0x4000_4000), "not low");
    assert_eq!(low(0, 0x4000_0000), Err(MmError::NoMemory));
}

#[test]
fn huge_pages_are_refused_as_where_none_are_reserved() {
    let refusal = |address, length, flags: Flags, more: u64| {
        let flags = (flags | Flags::ANONYMOUS | Flags::HUGETLB).bits() | more;
        MmapRequest::decode(address, length, 3, flags).unwrap_err()
    };
    let fixed = Flags::PRIVATE | Flags::FIXED;
    assert_eq!(refusal(0, 0x1000, Flags::PRIVATE, 0), MmError::NoMemory);
    assert_eq!(refusal(0, 1 << 30, Flags::SHARED, 30 << 26), MmError::NoMemory);
    assert_eq!(refusal(BASE, 1, fixed, 21 << 26), MmError::NoMemory);
    assert_eq!(refusal(BASE + 0x1000, 1, fixed, 0), MmError::Invalid);
    assert_eq!(refusal(0, 1, Flags::PRIVATE, 13 << 26), MmError::Invalid);
    assert_eq!(refusal(0, 0, Flags::PRIVATE, 0), MmError::Invalid);
    assert_eq!(refusal(0, u64::MAX, Flags::PRIVATE, 0), MmError::Invalid);
    assert_eq!(refusal(0, 1, Flags::empty(), 0), MmError::Invalid);
}

#[test]
fn mincore_tells_which_pages_are_there() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(0, 6);
    world.write_all(2, 3);
    assert_eq!(world.space.fault(address(1), Access::Read), FaultOutcome::Resolved);
    let mincore = |page, count: usize| {
        let mut answers = [7; 8];
        let pages = world.space.mincore(Page::containing(address(page)), &mut answers[..count])?;
        Ok::<_, MmError>(answers[..pages].to_vec())
    };
    assert_eq!(mincore(0, 8), Ok(vec![0, 1, 1, 0, 0, 0]), "as many as the vma has");
    assert_eq!(mincore(2, 1), Ok(vec![1]));
    assert_eq!(mincore(6, 1), Err(MmError::NoMemory));
    world.mprotect(0, 6, Prot::NONE).unwrap();
    assert_eq!(mincore(1, 2), Ok(vec![1, 1]), "rights do not matter");
    world.space.madvise(address(2), 2 * PAGE_SIZE, MADV_GUARD_INSTALL).unwrap();
    assert_eq!(mincore(1, 3), Ok(vec![1, 0, 0]));

    // What the object has is there, mapped or not.
    world.mmap(10, 14, Prot::READ_WRITE, Flags::SHARED).unwrap();
    world.write_all(11, 12);
    world.space.madvise(address(10), 4 * PAGE_SIZE, MADV_DONTNEED).unwrap();
    assert_eq!(mincore(10, 4), Ok(vec![0, 1, 0, 0]));
}

#[test]
fn a_fixed_mapping_replaces_what_is_there() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        world.map(0, 10);
        world.write_all(0, 10);
        world.mmap(3, 6, Prot::READ, Flags::PRIVATE).unwrap();
        assert_eq!(world.vmas(), ["0..3 rw-p", "3..6 r--p", "6..10 rw-p"], "{order}");
        assert!(world.load(2).is_some() && world.load(4).is_none() && world.load(6).is_some());
        world.map(3, 6);
        assert_eq!(world.vmas(), ["0..10 rw-p"], "{order}: merged on both sides");
        world.check();
    }
}

#[test]
fn a_failed_fixed_mapping_leaves_the_old_one() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        let mut failures = 0;
        loop {
            world.munmap(0, 10).unwrap();
            world.map(0, 10);
            world.write_all(0, 10);
            machine.admit_only(failures);
            let result = world.mmap(3, 6, Prot::READ, Flags::PRIVATE);
            machine.admit_all();
            world.check();
            if result.is_ok() {
                break;
            }
            assert!((0..10).all(|page| world.load(page).is_some()), "{order} {:?}", machine.take_refused());
            assert_eq!(world.space.totals().pages, 10);
            failures += 1;
        }
        assert_eq!(failures, 8, "{order}: E1, the lock, two splits and the new vma with two points each");
    }
}

#[test]
fn a_mapping_that_must_not_replace_is_refused_over_another() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(2, 4);
    let map = |start, end| world.mmap(start, end, Prot::READ, Flags::PRIVATE | Flags::FIXED_NOREPLACE);
    assert_eq!(map(0, 3), Err(MmError::Exists));
    assert_eq!(map(3, 5), Err(MmError::Exists));
    assert_eq!(map(0, 2), Ok(address(0)));
    assert_eq!(map(4, 6), Ok(address(4)));
}

#[test]
fn a_page_that_was_read_first_gets_its_own_frame_at_the_first_write() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(0, 1);
    assert!(world.space.fault(address(0), Access::Read).is_resolved());
    assert_eq!(world.load(0), Some(crate::Platform::zero_frame(&machine)));
    world.write_all(0, 1);
    assert_ne!(world.load(0), Some(crate::Platform::zero_frame(&machine)));
    assert_eq!(machine.allocated(FrameKind::Anonymous), 1);
    world.check();
}

#[test]
fn a_frame_that_others_have_too_is_copied_at_the_first_write() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(0, 1);
    world.write_all(0, 1);
    let frame = world.load(0).unwrap();
    machine.set_word(frame, 7);
    crate::Platform::frames(&machine).get(frame);
    world.mprotect(0, 1, Prot::READ).unwrap();
    world.mprotect(0, 1, Prot::READ_WRITE).unwrap();
    world.write_all(0, 1);
    let copy = world.load(0).unwrap();
    assert_ne!(copy, frame);
    assert_eq!((machine.word(copy), machine.word(frame)), (7, 7));
    crate::Platform::frames(&machine).put(frame);
    world.check();
}

#[test]
fn mprotect_splits_and_merges_and_keeps_what_it_did_before_a_hole() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(0, 10);
    world.write_all(0, 10);
    world.mprotect(3, 6, Prot::READ).unwrap();
    assert_eq!(world.vmas(), ["0..3 rw-p", "3..6 r--p", "6..10 rw-p"]);
    assert_eq!(world.write(4), FaultOutcome::Signal(Segv::NotPermitted));
    world.mprotect(3, 6, Prot::READ_WRITE).unwrap();
    assert_eq!(world.vmas(), ["0..10 rw-p"]);
    world.munmap(5, 6).unwrap();
    assert_eq!(world.mprotect(4, 8, Prot::NONE), Err(MmError::NoMemory));
    assert_eq!(world.vmas(), ["0..4 rw-p", "4..5 ---p", "6..10 rw-p"]);
    world.check();
}

#[test]
fn parts_of_memory_written_apart_do_not_merge_across_a_gap_that_is_filled() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.map(0, 2);
    world.map(3, 5);
    world.write_all(0, 2);
    world.write_all(3, 5);
    world.map(2, 3);
    assert_eq!(world.vmas(), ["0..3 rw-p", "3..5 rw-p"]);
}

#[test]
fn the_heap_grows_and_shrinks_and_keeps_off_its_neighbour() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.space.set_brk_start(BASE);
    assert_eq!(world.space.brk(0), BASE);
    assert_eq!(world.space.brk(BASE + 0x2800), BASE + 0x2800);
    world.write_all(0, 3);
    assert_eq!(world.vmas(), ["0..3 rw-p"]);
    assert_eq!(world.space.brk(BASE + 0x1000), BASE + 0x1000);
    assert_eq!(world.vmas(), ["0..1 rw-p"]);
    assert_eq!(world.space.brk(BASE - 1), BASE + 0x1000);
    world.map(5, 6);
    assert_eq!(world.space.brk(address(4)), address(4));
    assert_eq!(world.space.brk(address(5)), address(4), "one page stays free");
    world.check();
}

#[test]
fn a_stack_grows_to_its_limit_and_not_into_its_neighbour() {
    let machine = Machine::with_frames(64);
    let world = world(&machine);
    world.mmap(5000, 5010, Prot::READ_WRITE, Flags::PRIVATE | Flags::GROWSDOWN).unwrap();
    assert_eq!(world.write(4000), FaultOutcome::Resolved);
    assert_eq!(world.vmas(), ["4000..5010 rw-p"]);
    assert_eq!(world.write(5010 - 2049), FaultOutcome::Signal(Segv::NotMapped), "8 MiB");
    world.map(3600, 3601);
    assert_eq!(world.write(3856), FaultOutcome::Signal(Segv::NotMapped), "255 pages above the neighbour");
    assert_eq!(world.write(3857), FaultOutcome::Resolved);
    assert_eq!(world.space.totals().stack, 5010 - 3857);
    world.check();
}

#[test]
fn the_last_mapping_returns_all_frames_to_the_machine() {
    let machine = Machine::with_frames(64);
    let before = frames_in_use(&machine);
    let world = world(&machine);
    world.map(0, 5);
    world.mmap(600, 610, Prot::READ_WRITE, Flags::SHARED).unwrap();
    world.write_all(0, 5);
    world.write_all(600, 610);
    drop(world);
    assert_eq!(frames_in_use(&machine), before);
    machine.check();
}
