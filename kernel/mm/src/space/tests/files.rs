//! Mapped files: what is shared and what is copied, what a cut unmaps, and what a failure leaves.

use super::*;
use crate::Platform;
use crate::object::{FileObject, Origin};
use crate::space::{Copies, Hole, MmapOptions, Placement, Sharing, Source};
use crate::testing::stored_byte;

/// Pages of the tests' file.
const PAGES: u64 = 8;

fn file(machine: &Machine) -> FileObject<'_, Machine> {
    FileObject::new(machine, 5, Some(Origin { place: 0, bytes: PAGES * PAGE_SIZE })).unwrap()
}

impl World<'_> {
    /// Maps the file from its page `first` on at pages `start..end`.
    fn map_file(
        &self,
        file: &FileObject<'_, Machine>,
        (start, end): (u64, u64),
        first: u64,
        sharing: Sharing,
    ) -> Result<u64, MmError> {
        self.space.mmap(MmapRequest {
            placement: Placement::Fixed(Page::containing(address(start))),
            pages: end - start,
            prot: Prot::READ_WRITE,
            sharing: Some(sharing),
            source: Source::File { object: file.object_id(), first_page: first },
            options: MmapOptions::empty(),
        })
    }

    fn read(&self, page: u64) -> FaultOutcome {
        self.space.fault(address(page), Access::Read)
    }

    /// The first byte that a load finds in a page that is there.
    fn first_byte(&self, page: u64) -> u8 {
        self.machine.byte(self.load(page).unwrap(), 0)
    }
}

fn first_stored(page: u64) -> u8 {
    stored_byte(page * PAGE_SIZE)
}

#[test]
fn a_private_mapping_shows_the_file_until_it_is_written_to() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map_file(&file, (0, 4), 2, Sharing::Private).unwrap();
    assert!(world.read(1).is_resolved());
    let page = world.load(1).unwrap();
    assert_eq!((machine.frames().kind(page), world.first_byte(1)), (FrameKind::Cache, first_stored(3)));
    assert!(world.write(1).is_resolved());
    let copy = world.load(1).unwrap();
    assert_eq!((machine.frames().kind(copy), world.first_byte(1)), (FrameKind::Anonymous, first_stored(3)));
    machine.set_byte(copy, 0, 200);
    assert_eq!(machine.byte(page, 0), first_stored(3), "the file has not changed");
    // Written before it is read: no detour over the page of the file.
    assert!(world.write(2).is_resolved());
    assert_eq!(world.first_byte(2), first_stored(4));
    world.check();
    drop(world);
    assert_eq!((machine.allocated(FrameKind::Anonymous), file.is_mapped()), (0, false));
    assert_eq!(file.resident(0, PAGES), 2, "the file keeps its pages");
}

#[test]
fn shared_mappings_and_private_ones_that_only_read_have_the_pages_of_the_file() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let [one, other] = [0, 1].map(|_| World::in_order(&machine, MunmapOrder::default()));
    one.map_file(&file, (0, 8), 0, Sharing::Shared).unwrap();
    other.map_file(&file, (20, 24), 4, Sharing::Private).unwrap();
    assert!(one.write(5).is_resolved());
    assert!(other.read(21).is_resolved());
    assert_eq!(one.load(5), other.load(21));
    machine.set_byte(one.load(5).unwrap(), 0, 99);
    assert_eq!(other.first_byte(21), 99);
    one.check();
    other.check();
}

#[test]
fn a_page_beyond_the_end_is_sigbus_and_comes_when_the_file_is_longer() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map_file(&file, (0, 12), 0, Sharing::Shared).unwrap();
    assert_eq!(world.read(8), FaultOutcome::BeyondEnd);
    assert!(world.read(7).is_resolved());
    file.extend(9 * PAGE_SIZE).unwrap();
    assert!(world.write(8).is_resolved());
    assert_eq!(world.first_byte(8), 0);
    world.check();
}

#[test]
fn a_cut_unmaps_the_pages_and_their_copies_everywhere() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let worlds = [0, 1].map(|_| World::in_order(&machine, MunmapOrder::default()));
    worlds[0].map_file(&file, (0, 8), 0, Sharing::Shared).unwrap();
    worlds[1].map_file(&file, (2, 10), 0, Sharing::Private).unwrap();
    worlds[1].map_file(&file, (20, 24), 6, Sharing::Private).unwrap();
    (0..8).for_each(|page| assert!(worlds[0].write(page).is_resolved()));
    assert!(worlds[1].write(7).is_resolved() && worlds[1].read(8).is_resolved());
    assert!(worlds[1].write(20).is_resolved() && worlds[1].read(3).is_resolved());
    machine.take_flushes();
    file.cut(4 * PAGE_SIZE + 1, |from| {
        assert_eq!(from, 5);
        for world in &worlds {
            world.space.unmap_object(file.object_id(), from..u64::MAX, Copies::Go);
        }
    });
    assert_eq!(machine.take_flushes().len(), 2, "one in each address space");
    let there = |world: &World<'_>, page| world.load(page).is_some();
    assert!((0..8).all(|page| there(&worlds[0], page) == (page < 5)));
    assert!(there(&worlds[1], 3) && ![7, 8, 20].iter().any(|&page| there(&worlds[1], page)));
    assert_eq!(worlds[1].write(7), FaultOutcome::BeyondEnd);
    assert_eq!((machine.allocated(FrameKind::Cache), machine.allocated(FrameKind::Anonymous)), (5, 0));
    worlds.iter().for_each(World::check);
}

#[test]
fn a_hole_unmaps_pages_but_no_copies() {
    let machine = Machine::with_frames(64);
    let file = FileObject::new(&machine, 1, None).unwrap();
    file.extend(4 * PAGE_SIZE).unwrap();
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map_file(&file, (0, 4), 0, Sharing::Private).unwrap();
    world.map_file(&file, (8, 12), 0, Sharing::Shared).unwrap();
    for page in [1, 8, 9, 10, 11] {
        assert!(world.write(page).is_resolved());
        machine.set_byte(world.load(page).unwrap(), 0, 7);
    }
    assert!(world.read(2).is_resolved());
    file.punch(1, 3, |from, to| world.space.unmap_object(file.object_id(), from..to, Copies::Stay)).unwrap();
    assert_eq!(
        [1, 2, 8, 9, 10, 11].map(|page| world.load(page).is_some()),
        [true, false, true, false, false, true]
    );
    assert!(world.read(10).is_resolved() && world.read(2).is_resolved());
    assert_eq!((world.first_byte(10), world.first_byte(1), world.first_byte(11)), (0, 7, 7));
    world.check();
}

#[test]
fn a_child_gets_copies_but_no_pages_of_files() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let parent = World::in_order(&machine, MunmapOrder::default());
    parent.map_file(&file, (0, 4), 0, Sharing::Private).unwrap();
    parent.map_file(&file, (8, 12), 0, Sharing::Shared).unwrap();
    assert!(parent.write(0).is_resolved() && parent.read(1).is_resolved() && parent.write(8).is_resolved());
    let child = World { machine: &machine, space: Box::new(parent.space.fork().unwrap()) };
    assert_eq!(child.load(0), parent.load(0));
    assert_eq!((child.load(1), child.load(8)), (None, None));
    assert!(child.read(1).is_resolved());
    assert_eq!(child.load(1), parent.load(1));
    parent.check();
    child.check();
}

#[test]
fn neighbours_with_offsets_that_go_on_are_one_vma() {
    let machine = Machine::with_frames(64);
    let (one, other) = (file(&machine), file(&machine));
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map_file(&one, (0, 2), 0, Sharing::Private).unwrap();
    world.map_file(&one, (2, 4), 2, Sharing::Private).unwrap();
    assert_eq!(world.vmas(), ["0..4 rw-p"]);
    world.map_file(&one, (4, 6), 3, Sharing::Private).unwrap();
    world.map_file(&other, (6, 8), 5, Sharing::Private).unwrap();
    world.map_file(&other, (8, 10), 7, Sharing::Shared).unwrap();
    assert_eq!(world.vmas(), ["0..4 rw-p", "4..6 rw-p", "6..8 rw-p", "8..10 rw-s"]);
    world.munmap(1, 2).unwrap();
    assert!(world.read(2).is_resolved());
    assert_eq!(world.first_byte(2), first_stored(2));
    world.munmap(0, 20).unwrap();
    assert!(!one.is_mapped() && !other.is_mapped());
}

#[test]
fn a_shared_mapping_that_can_never_be_written_does_not_become_writable() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let world = World::in_order(&machine, MunmapOrder::default());
    let request = MmapRequest {
        options: MmapOptions::NEVER_WRITE,
        sharing: Some(Sharing::Shared),
        ..MmapRequest::fixed(
            range(0, 4),
            Prot::READ,
            Source::File { object: file.object_id(), first_page: 0 },
        )
    };
    world.space.mmap(request).unwrap();
    assert_eq!(world.mprotect(0, 2, Prot::READ_WRITE), Err(MmError::Access));
    assert_eq!(world.mprotect(0, 2, Prot::NONE), Ok(()));
    // A seal is looked at later.
    world.space.mseal(address(3), PAGE_SIZE, 0).unwrap();
    assert_eq!(world.mprotect(3, 4, Prot::READ_WRITE), Err(MmError::Access));
    assert_eq!(world.mprotect(3, 4, Prot::NONE), Err(MmError::NotPermitted));
    assert!(!world.space.may_write_object(file.object_id()));
    world.map_file(&file, (8, 9), 0, Sharing::Private).unwrap();
    assert!(!world.space.may_write_object(file.object_id()));
    world.map_file(&file, (9, 10), 0, Sharing::Shared).unwrap();
    assert!(world.space.may_write_object(file.object_id()));
    world.check();
}

#[test]
fn a_fault_without_memory_leaves_the_file_and_the_mapping_as_they_were() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map_file(&file, (0, 4), 0, Sharing::Private).unwrap();
    let mut failures = 0;
    for admitted in 0.. {
        machine.admit_only(admitted);
        let outcome = world.write(3);
        machine.admit_all();
        world.check();
        if outcome.is_resolved() {
            break;
        }
        failures += 1;
        assert_eq!((outcome, machine.allocated(FrameKind::Anonymous)), (FaultOutcome::OutOfMemory, 0));
    }
    assert_eq!(failures, 4, "the page of the file, which stays, then the copy, and two of three tables");
}

#[test]
fn what_was_mapped_stays_where_a_new_mapping_fails() {
    let machine = Machine::with_frames(64);
    let file = file(&machine);
    let world = World::in_order(&machine, MunmapOrder::default());
    world.map_file(&file, (0, 8), 0, Sharing::Shared).unwrap();
    let references = machine.frames().reference_count(file.object_id().root());
    let mut failures = 0;
    for admitted in 0.. {
        machine.admit_only(admitted);
        let result = world.map_file(&file, (2, 4), 6, Sharing::Private);
        machine.admit_all();
        world.check();
        if result.is_ok() {
            break;
        }
        failures += 1;
        assert!(world.read(3).is_resolved());
        assert_eq!(world.first_byte(3), first_stored(3));
    }
    assert!(failures > 3);
    assert_eq!(machine.frames().reference_count(file.object_id().root()), references + 2, "three VMAs now");
}

#[test]
fn what_is_removed_from_shared_memory_goes_everywhere() {
    let machine = Machine::with_frames(64);
    let parent = World::in_order(&machine, MunmapOrder::default());
    let shared = MmapRequest::decode(
        address(0),
        4 * PAGE_SIZE,
        3,
        (abi::mman::Map::FIXED | abi::mman::Map::SHARED).bits(),
    )
    .unwrap();
    parent.space.mmap(shared).unwrap();
    parent.write_all(0, 4);
    let child = World { machine: &machine, space: Box::new(parent.space.fork().unwrap()) };
    assert!(child.read(1).is_resolved() && child.read(3).is_resolved());
    assert_eq!(machine.allocated(FrameKind::Shared), 4);
    let punch = |hole: &Hole<'_, Machine>| {
        assert!(!hole.is_file);
        hole.object.punch(hole.offsets.clone(), |offsets| {
            for world in [&parent, &child] {
                world.space.unmap_object(hole.object.object_id(), offsets.clone(), Copies::Stay);
            }
        })
    };
    child.space.remove(address(1), 2 * PAGE_SIZE, punch).unwrap();
    assert_eq!(machine.allocated(FrameKind::Shared), 2);
    let there = |world: &World<'_>| [0, 1, 2, 3].map(|page| world.load(page).is_some());
    assert_eq!((there(&parent), there(&child)), ([true, false, false, true], [false, false, false, true]));
    assert_eq!(child.space.remove(address(3), 2 * PAGE_SIZE, punch), Err(MmError::NoMemory));
    assert_eq!(machine.allocated(FrameKind::Shared), 1);
    assert!(parent.write(1).is_resolved());
    parent.check();
    child.check();
}
