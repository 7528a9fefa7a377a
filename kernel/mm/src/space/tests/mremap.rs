//! mremap: what a failure leaves behind, however much fails.

use super::*;
use crate::frame::Frame;
use crate::trace::Step;
use abi::mman::{MREMAP_FIXED, MREMAP_MAYMOVE};

impl World<'_> {
    /// Moves pages `start..end` to page `to`, onto what is there.
    fn relocate(&self, start: u64, end: u64, to: u64) -> Result<u64, MmError> {
        let length = (end - start) * PAGE_SIZE;
        self.space.mremap(address(start), length, length, MREMAP_MAYMOVE | MREMAP_FIXED, address(to))
    }

    fn loads(&self, start: u64, end: u64) -> Vec<Option<Frame>> {
        (start..end).map(|page| self.load(page)).collect()
    }
}

#[test]
fn a_move_that_runs_out_of_memory_for_good_ends_at_one_place_or_the_other() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        let (mut refused, mut stood) = (0, 0);
        loop {
            world.munmap(0, 2000).unwrap();
            world.map(0, 10);
            world.write_all(0, 10);
            let before = world.loads(0, 10);
            // From this point on nothing is to be had any more, not even for the way back.
            machine.admit_only(refused + stood);
            let result = world.relocate(3, 6, 1000);
            machine.admit_all();
            world.check();
            if result.is_ok() && machine.take_refused().is_empty() {
                assert_eq!(world.vmas().len(), 3);
                break;
            }
            if result.is_ok() {
                // Everything has moved; the old range could neither be unmapped nor the move undone, as on Linux.
                stood += 1;
                assert_eq!(world.loads(1000, 1003), before[3..6], "{order}");
                assert_eq!(world.loads(3, 6), [None; 3]);
                assert_eq!(world.space.totals().pages, 13);
            } else {
                refused += 1;
                assert_eq!(world.loads(0, 10), before, "{order}");
                assert_eq!(world.space.totals().pages, 10);
            }
        }
        // The mmap lock, a page table, the new VMA and its nodes; then two splits with a VMA and nodes each, and the clear.
        assert_eq!((refused, stood), (4, 5), "{order}");
    }
}

#[test]
fn the_locked_old_range_is_split_after_its_pages_have_left() {
    for order in MunmapOrder::ALL {
        let machine = Machine::with_frames(64);
        let world = World::in_order(&machine, order);
        world.map(0, 10);
        world.write_all(0, 10);
        machine.take_steps();
        world.relocate(3, 6, 20).unwrap();
        let steps = machine.take_steps();
        let position = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
        let relocated = position(|step| matches!(step, Step::Relocate { pages: 3, .. }));
        assert!(relocated < position(|step| matches!(step, Step::SplitStart(_))), "{order}: {steps:?}");
    }
}
