use super::*;
use crate::testing::{Machine, stored_byte};

const PAGE: usize = PAGE_SIZE as usize;
/// Place of the tests' origin in the store.
const PLACE: u64 = 1_000_003;

fn file<'m>(machine: &'m Machine, bytes: u64) -> FileObject<'m, Machine> {
    let origin = (bytes > 0).then_some(Origin { place: PLACE, bytes });
    FileObject::new(machine, 9, origin).unwrap()
}

fn cache(machine: &Machine) -> u64 {
    machine.allocated(FrameKind::Cache)
}

/// Byte `at` of the file as a reader sees it.
fn byte(machine: &Machine, file: &FileObject<'_, Machine>, at: u64) -> u8 {
    match file.page(at / PAGE_SIZE).unwrap() {
        Some(page) => machine.byte(page.frame(), at as usize % PAGE),
        None => 0,
    }
}

#[test]
fn pages_come_from_the_store_when_they_are_looked_at_and_zeroes_follow_the_last_byte() {
    let machine = Machine::with_frames(16);
    let size = 2 * PAGE_SIZE + 100;
    let file = file(&machine, size);
    assert_eq!((file.size(), file.number(), cache(&machine)), (size, 9, 0));
    for at in [0, 1, PAGE_SIZE - 1, PAGE_SIZE, size - 1] {
        assert_eq!(byte(&machine, &file, at), stored_byte(PLACE + at), "byte {at}");
    }
    assert_eq!(byte(&machine, &file, size), 0);
    assert_eq!(cache(&machine), 3);
    assert!(file.page(3).unwrap().is_none(), "beyond the end");
    drop(file);
    assert_eq!((cache(&machine), machine.allocated(FrameKind::Object)), (0, 0));
}

#[test]
fn what_is_cut_off_reads_as_zeroes_when_the_file_is_longer_again() {
    let machine = Machine::with_frames(16);
    let size = 3 * PAGE_SIZE;
    for touched in [false, true] {
        let file = file(&machine, size);
        if touched {
            (0..3).for_each(|page| drop(file.page(page).unwrap()));
        }
        let mut unmapped = None;
        file.cut(PAGE_SIZE + 10, |from| unmapped = Some(from));
        assert_eq!((unmapped, file.size()), (Some(2), PAGE_SIZE + 10));
        file.extend(size).unwrap();
        let kept = PAGE_SIZE + 9;
        assert_eq!(byte(&machine, &file, kept), stored_byte(PLACE + kept), "touched: {touched}");
        for at in [PAGE_SIZE + 10, 2 * PAGE_SIZE - 1, 2 * PAGE_SIZE, size - 1] {
            assert_eq!(byte(&machine, &file, at), 0, "byte {at}, touched: {touched}");
        }
    }
    assert_eq!(cache(&machine), 0);
}

#[test]
fn a_hole_reads_as_zeroes_and_takes_no_space_unless_it_comes_from_the_store() {
    let machine = Machine::with_frames(32);
    let file = file(&machine, 2 * PAGE_SIZE);
    for offset in 2..6 {
        let page = file.page_to_write(offset).unwrap();
        machine.set_byte(page.frame(), 5, 77);
    }
    file.extend(6 * PAGE_SIZE).unwrap();
    let mut unmapped = None;
    file.punch(1, 4, |from, to| unmapped = Some((from, to))).unwrap();
    assert_eq!(unmapped, Some((1, 4)));
    let fifth = |offset: u64| byte(&machine, &file, offset * PAGE_SIZE + 5);
    let of_store = stored_byte(PLACE + 5);
    assert_eq!([0, 1, 2, 3, 4, 5].map(fifth), [of_store, 0, 0, 0, 77, 77]);
    assert_eq!(file.resident(0, u64::MAX), 4, "page 0, page 1 with zeroes, and pages 4 and 5");
    assert_eq!(
        (file.next_resident(2), file.next_resident(5), file.next_resident(6)),
        (Some(4), Some(5), None)
    );
}

#[test]
fn a_file_grows_to_any_size_and_keeps_its_pages_on_the_way() {
    let machine = Machine::with_frames(64);
    let file = file(&machine, 0);
    let offsets = [0, 255, 256, 1 << 17, 1 << 26, 1 << 35, 1 << 44, (1 << 51) - 1];
    for (value, &offset) in (1..).zip(&offsets) {
        let page = file.page_to_write(offset).unwrap();
        machine.set_byte(page.frame(), 0, value);
    }
    file.extend(i64::MAX as u64).unwrap();
    for (value, &offset) in (1..).zip(&offsets) {
        assert_eq!(byte(&machine, &file, offset * PAGE_SIZE), value, "page {offset:#x}");
    }
    assert_eq!(file.resident(0, u64::MAX), offsets.len() as u64);
    assert!(file.page(1 << 20).unwrap().is_none());
    file.cut(256 * PAGE_SIZE, |_| {});
    assert_eq!(file.resident(0, u64::MAX), 2);
    drop(file);
    assert_eq!((cache(&machine), machine.allocated(FrameKind::Object)), (0, 0));
    machine.check();
}

#[test]
fn a_page_that_is_held_outlives_the_cut() {
    let machine = Machine::with_frames(16);
    let file = file(&machine, PAGE_SIZE);
    let page = file.page(0).unwrap().unwrap();
    file.cut(0, |_| {});
    assert_eq!((file.page(0).unwrap().is_none(), cache(&machine)), (true, 1));
    assert_eq!(machine.byte(page.frame(), 0), stored_byte(PLACE));
    drop(page);
    assert_eq!(cache(&machine), 0);
}

#[test]
fn without_memory_a_file_stays_as_it_is() {
    let machine = Machine::with_frames(32);
    for admitted in 0.. {
        machine.admit_only(admitted);
        let result = FileObject::new(&machine, 1, None).and_then(|file| {
            drop(file.page_to_write(0)?);
            drop(file.page_to_write(1 << 30)?);
            file.extend(1 << 50)
        });
        machine.admit_all();
        assert_eq!((cache(&machine), machine.allocated(FrameKind::Object)), (0, 0), "{admitted} points");
        match result {
            Ok(()) => {
                assert!(admitted > 5);
                break;
            }
            Err(error) => assert_eq!(error, MmError::NoMemory),
        }
    }
}

#[test]
fn readers_find_the_same_pages_while_others_cut_and_grow() {
    let machine = Machine::with_frames(4096);
    let file = file(&machine, 0);
    std::thread::scope(|scope| {
        for thread in 0..2u64 {
            let file = &file;
            scope.spawn(move || {
                for round in 0..300 {
                    drop(file.page_to_write((round * 37 + thread) % 700).unwrap());
                    drop(file.page((round * 91) % 700).unwrap());
                }
            });
        }
        for round in 0..100 {
            file.extend(700 * PAGE_SIZE).unwrap();
            file.cut(round % 7 * 100 * PAGE_SIZE, |_| {});
        }
    });
    file.cut(0, |_| {});
    assert_eq!(cache(&machine), 0);
    machine.check();
}
