use super::*;
use crate::frame::{Frame, FrameBatch, FrameKind};
use crate::pgtable::{Installed, PageTables, Protection};
use crate::platform::{Cpu, Platform};
use crate::range::{Page, PageRange};
use crate::testing::Machine;
use crate::trace::Step;

fn range(start: u64, end: u64) -> PageRange {
    PageRange::new(Page::new(start), Page::new(end)).unwrap()
}

fn flush(scope: FlushScope, tables: bool) -> Flush {
    Flush { scope, tables }
}

#[test]
fn an_empty_gather_does_not_flush() {
    let machine = Machine::with_frames(4);
    let tlb = TlbState::new();
    assert_eq!(Gather::new(&machine, &tlb).finish(), Freed::default());
    assert_eq!(machine.take_flushes(), []);
    assert_eq!((tlb.generation(), tlb.gathers()), (0, 0));
}

#[test]
fn unhooked_frames_are_freed_after_one_flush_of_the_range_between_them() {
    let machine = Machine::with_frames(8);
    let tlb = TlbState::new();
    let frames = [machine.data_frame(1), machine.data_frame(2)];
    let mut gather = Gather::new(&machine, &tlb);
    gather.unhook_page(Page::new(7), frames[0]);
    gather.unhook_page(Page::new(3), frames[1]);
    assert_eq!(machine.allocated(FrameKind::Anonymous), 2);
    assert_eq!(machine.take_flushes(), []);
    assert_eq!(gather.finish(), Freed { pages: 2, tables: 0 });
    assert_eq!(machine.allocated(FrameKind::Anonymous), 0);
    assert_eq!(machine.take_flushes(), [flush(FlushScope::Range(range(3, 8)), false)]);
    assert_eq!(machine.take_steps(), [Step::Flush { pages: 5 }]);
    assert_eq!(tlb.generation(), 1);
    machine.check();
}

#[test]
fn more_than_33_pages_take_a_full_flush() {
    let machine = Machine::with_frames(4);
    let tlb = TlbState::new();
    for (pages, scope) in [(33, FlushScope::Range(range(10, 43))), (34, FlushScope::All)] {
        let mut gather = Gather::new(&machine, &tlb);
        gather.touch(range(10, 10 + pages));
        assert_eq!(gather.finish(), Freed::default());
        assert_eq!(machine.take_flushes(), [flush(scope, false)]);
    }
    assert_eq!(machine.take_steps(), [Step::Flush { pages: 33 }, Step::Flush { pages: 0 }]);
}

#[test]
fn a_table_asks_for_paging_structure_caches_to_be_flushed_through_one_page() {
    let machine = Machine::with_frames(4);
    let tlb = TlbState::new();
    let table = machine.frames().alloc_frame(FrameKind::Table).unwrap();
    let mut gather = Gather::new(&machine, &tlb);
    gather.unhook_table(range(512, 1024), table);
    assert_eq!(gather.finish(), Freed { pages: 0, tables: 1 });
    assert_eq!(machine.take_flushes(), [flush(FlushScope::Range(range(512, 513)), true)]);
    assert_eq!(machine.allocated(FrameKind::Table), 0);
}

#[test]
fn any_number_of_exclusive_frames_takes_one_flush() {
    let machine = Machine::with_frames(2048);
    let tlb = TlbState::new();
    let mut gather = Gather::new(&machine, &tlb);
    for page in 0..2000 {
        gather.unhook_page(Page::new(page), machine.data_frame(page));
    }
    assert_eq!(machine.take_flushes(), []);
    assert_eq!(gather.finish(), Freed { pages: 2000, tables: 0 });
    assert_eq!(machine.take_flushes(), [flush(FlushScope::All, false)]);
    assert_eq!(machine.allocated(FrameKind::Anonymous), 0);
    machine.check();
}

#[test]
fn a_gather_that_is_full_of_shared_frames_flushes_and_goes_on() {
    let room = FrameBatch::SHARED as u64;
    let machine = Machine::with_frames(128);
    let tlb = TlbState::new();
    let frames: Vec<_> = (0..=room).map(|word| machine.data_frame(word)).collect();
    frames.iter().for_each(|&frame| machine.frames().get(frame));
    let mut gather = Gather::new(&machine, &tlb);
    for (page, &frame) in (0..room).zip(&frames) {
        gather.unhook_page(Page::new(page), frame);
    }
    assert_eq!(machine.take_flushes(), []);
    assert!(frames.iter().all(|&frame| machine.frames().reference_count(frame) == 2));
    gather.unhook_page(Page::new(room), frames[room as usize]);
    assert_eq!(machine.take_flushes(), [flush(FlushScope::Range(range(0, room)), false)]);
    assert_eq!(machine.frames().reference_count(frames[0]), 1);
    assert_eq!(machine.frames().reference_count(frames[room as usize]), 2);
    assert_eq!(gather.finish(), Freed { pages: room + 1, tables: 0 });
    assert_eq!(machine.take_flushes(), [flush(FlushScope::Range(range(room, room + 1)), false)]);
    machine.check();
}

#[test]
fn a_gather_that_ends_while_another_is_under_way_flushes_everything() {
    let machine = Machine::with_frames(4);
    let tlb = TlbState::new();
    let mut other = Gather::new(&machine, &tlb);
    assert_eq!(Gather::new(&machine, &tlb).finish(), Freed::default());
    assert_eq!(machine.take_flushes(), [flush(FlushScope::All, false)]);
    other.finish();
    assert_eq!(machine.take_flushes(), []);
    assert_eq!(tlb.gathers(), 0);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "dropped without `finish`")]
fn an_unfinished_gather_goes_off() {
    let machine = Machine::with_frames(4);
    let tlb = TlbState::new();
    drop(Gather::new(&machine, &tlb));
}

#[test]
fn an_unfinished_gather_leaks_its_frames_rather_than_freeing_them_unflushed() {
    let machine = Machine::with_frames(4);
    let tlb = TlbState::new();
    let frame = machine.data_frame(1);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut gather = Gather::new(&machine, &tlb);
        gather.unhook_page(Page::new(1), frame);
    }));
    assert_eq!(result.is_err(), cfg!(debug_assertions));
    assert_eq!(machine.allocated(FrameKind::Anonymous), 1);
    assert_eq!(machine.take_flushes(), []);
}

#[test]
fn cpus_come_and_go() {
    let tlb = TlbState::new();
    assert_eq!(tlb.cpus(), 0);
    tlb.load(Cpu(0));
    tlb.load(Cpu(63));
    assert!(tlb.is_loaded_on(Cpu(63)) && !tlb.is_loaded_on(Cpu(1)));
    assert_eq!(tlb.cpus(), 1 | 1 << 63);
    tlb.unload(Cpu(0));
    assert_eq!(tlb.cpus(), 1 << 63);
}

/// The oracle of the mock itself: without it the tests above prove nothing.
#[test]
#[should_panic(expected = "freed before the flush")]
fn a_frame_that_is_freed_before_the_flush_is_noticed() {
    let machine = Machine::with_frames(16);
    let tlb = TlbState::new();
    let tables = PageTables::new(&machine).unwrap();
    let (page, frame) = (Page::new(5), machine.data_frame(1));
    assert_eq!(tables.install(page, frame, Protection::Read), Ok(Installed::New));
    assert_eq!(machine.access(tables.root(), &tlb, page), Some((frame, Protection::Read)));
    machine.check();
    machine.frames().put(frame);
    machine.check();
}

#[test]
#[should_panic(expected = "a TLB has")]
fn a_frame_that_is_used_anew_before_the_flush_is_noticed() {
    let machine = Machine::with_frames(16);
    let tlb = TlbState::new();
    let tables = PageTables::new(&machine).unwrap();
    let (page, frame): (_, Frame) = (Page::new(5), machine.data_frame(1));
    tables.install(page, frame, Protection::Read).unwrap();
    machine.access(tables.root(), &tlb, page);
    machine.frames().put(frame);
    machine.data_frame(2);
}
