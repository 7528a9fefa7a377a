//! In-kernel tests of the frame allocator over real memory, the heap and the memory map.

mod failures;
mod fork;

use alloc::boxed::Box;
use alloc::vec::Vec;

use mm::event::Event;
use mm::frame::{Frame, FrameKind};
use mm::{PAGE_SIZE, Platform};

use super::map::Regions;
use super::{KERNEL, frames, reported_bytes};
use crate::arch::registry::kernel_test;
use crate::arch::{self, heap, image};
use crate::ramdisk;

/// Allocates every frame.
fn take_all() -> Vec<Frame> {
    let mut taken = Vec::new();
    taken.try_reserve_exact(frames().statistics().free as usize).expect("memory for the list");
    while let Some(frame) = frames().alloc_frame(FrameKind::Anonymous) {
        taken.push(frame);
    }
    taken
}

kernel_test! {
    fn frame_allocator_has_all_memory_of_the_machine() {
        let has = frames().statistics().total * PAGE_SIZE;
        // In use for good: the image without the boot pages, the ramdisk, 16 bytes a frame (up to the end of memory,
        // holes included), the first MiB, and 240 KiB of stacks and page tables with
        // one more table for a GiB of memory.
        let image = image::boot().start - image::range().start;
        let map = super::MAP.lock();
        let metadata = map.ram.end() / PAGE_SIZE * 16;
        let mut low = Regions::new();
        map.ram.as_slice().iter().for_each(|range| low.add(range.start..range.end.min(1 << 20)));
        let tables = (240 << 10) + (map.ram.end() >> 30) * PAGE_SIZE;
        drop(map);
        let ramdisk = ramdisk::archive().len() as u64 + 2 * PAGE_SIZE;
        let used = image + ramdisk + metadata + low.bytes() + tables;
        assert!(has <= reported_bytes());
        let missing = reported_bytes() - has;
        assert!(missing <= used, "{missing} bytes are missing, {used} are in use");
    }

    fn frame_allocator_keeps_the_kernel_small() {
        let statistics = frames().statistics();
        let kernel = statistics.allocated(FrameKind::Kernel) * PAGE_SIZE;
        assert!(kernel <= 16 << 20, "{kernel} bytes");
    }

    fn frame_allocator_hands_out_every_frame_once_and_takes_all_back() {
        let before = frames().statistics();
        let mut taken = take_all();
        let exhausted = frames().statistics();
        taken.sort_unstable();
        let distinct = taken.windows(2).all(|pair| pair[0] < pair[1]);
        let single = taken.iter().all(|&frame| frames().reference_count(frame) == 1);
        let count = taken.len();
        for &frame in &taken {
            frames().put(frame);
        }
        assert_eq!(exhausted.free, 0);
        assert!(distinct && single);
        drop(taken);
        let after = frames().statistics();
        assert!(after.free >= before.free - (8 << 20) / PAGE_SIZE, "the heap may have grown for the list");
        assert!(count as u64 >= after.free - 16);
        frames().check();
    }

    fn frame_allocator_refuses_when_memory_is_out_and_recovers() {
        let taken = take_all();
        let none = frames().alloc_frame(FrameKind::Anonymous);
        let no_block = frames().alloc(4, FrameKind::Kernel);
        let no_slab = KERNEL.slab_page().is_none();
        let no_heap = Vec::<u8>::new().try_reserve_exact(64 << 20).is_err();
        for &frame in &taken {
            frames().put(frame);
        }
        assert_eq!((none, no_block), (None, None));
        assert!(no_slab && no_heap);
        assert!(frames().alloc(10, FrameKind::Kernel).map(|block| frames().put(block)).is_some());
    }

    fn frame_content_is_zeroed_and_copied_as_told() {
        let from = frames().alloc_frame(FrameKind::Anonymous).expect("a frame");
        let to = frames().alloc_frame(FrameKind::Anonymous).expect("a frame");
        KERNEL.zero(from);
        KERNEL.copy(from, to);
        assert!(KERNEL.table(to).is_empty());
        KERNEL.table(from).set(511, mm::pgtable::Pte::from_bits(0x1234_5000));
        KERNEL.copy(from, to);
        assert_eq!(KERNEL.table(to).get(511).bits(), 0x1234_5000);
        KERNEL.zero(to);
        assert!(KERNEL.table(to).is_empty());
        frames().put(from);
        frames().put(to);
    }

    #[cfg(debug_assertions)]
    panics("which is free")
    fn frame_double_free_is_caught() {
        let frame = frames().alloc_frame(FrameKind::Anonymous).expect("a frame");
        frames().put(frame);
        frames().put(frame);
    }

    #[cfg(debug_assertions)]
    panics("which is free")
    fn frame_use_after_free_is_caught() {
        let frame = frames().alloc_frame(FrameKind::Anonymous).expect("a frame");
        frames().put(frame);
        frames().get(frame);
    }

    fn heap_serves_sizes_and_alignments_and_keeps_contents_apart() {
        let mut blocks: Vec<Vec<u64>> = Vec::new();
        for len in (1..200).chain([4096, 100_000]) {
            blocks.push(alloc::vec![len as u64; len]);
        }
        for block in blocks.iter().skip(1).step_by(2) {
            assert!(block.iter().all(|&value| value == block.len() as u64));
        }
        let aligned = alloc::boxed::Box::new(Aligned([7; 4096]));
        assert_eq!((&raw const *aligned).addr() % 4096, 0);
        assert_eq!(aligned.0, [7; 4096]);
        assert!(blocks.iter().all(|block| block.iter().all(|&value| value == block.len() as u64)));
    }

    fn heap_gives_back_what_is_dropped() {
        let (before, _) = heap::usage();
        let block = alloc::vec![1u8; 300_000];
        assert!(heap::usage().0 >= before + 300_000);
        drop(block);
        assert_eq!(heap::usage().0, before);
    }

    fn small_blocks_that_were_given_back_are_used_again() {
        let (before, _) = heap::usage();
        let first = Box::new([1u8; 100]);
        let address = first.as_ptr();
        drop(first);
        let second = Box::new([2u8; 120]);
        assert_eq!(second.as_ptr(), address);
        assert_eq!(heap::usage().0, before + 128);
        // More than is kept: what is too much goes back to the heap.
        let many: Vec<Box<[u8; 4096]>> = (0..200).map(|_| Box::new([3; 4096])).collect();
        let grown = heap::usage().1;
        drop(many);
        let again: Vec<Box<[u8; 4096]>> = (0..200).map(|_| Box::new([4; 4096])).collect();
        assert!(again.iter().all(|block| block.iter().all(|&byte| byte == 4)));
        assert_eq!(heap::usage().1, grown);
        drop(again);
        assert!(second.iter().all(|&byte| byte == 2));
        drop(second);
        assert_eq!(heap::usage().0, before);
    }

    fn heap_refuses_what_no_memory_can_hold() {
        for size in [1 << 36, 1 << 40, 1 << 46, isize::MAX as usize] {
            assert!(Vec::<u8>::new().try_reserve_exact(size).is_err(), "{size} bytes");
        }
        drop(alloc::vec![0u8; 4096]);
    }

    fn memory_events_are_counted_each_by_itself() {
        let counts = || Event::ALL.map(arch::counted);
        for (number, event) in Event::ALL.into_iter().enumerate() {
            let mut expected = counts();
            expected[number] += 1;
            KERNEL.count(event);
            assert_eq!((event as usize, counts()), (number, expected));
        }
    }

    fn memory_regions_join_and_split() {
        let mut regions = Regions::new();
        regions.add(0x5000..0x6000);
        regions.add(0x1000..0x2000);
        regions.add(0x2000..0x3000);
        regions.add(0x4000..0x5000);
        assert_eq!(regions.as_slice(), [0x1000..0x3000, 0x4000..0x6000]);
        regions.add(0x3000..0x4000);
        assert_eq!(regions.as_slice().first(), Some(&(0x1000..0x6000)));
        assert_eq!(regions.as_slice().len(), 1);
        regions.subtract(0x2000..0x3000);
        regions.subtract(0..0x1800);
        regions.subtract(0x5000..0x9000);
        assert_eq!(regions.as_slice(), [0x1800..0x2000, 0x3000..0x5000]);
        assert_eq!(regions.bytes(), 0x2800);
        assert!(regions.overlaps(&(0x1fff..0x2000)) && !regions.overlaps(&(0x2000..0x3000)));
        assert_eq!(regions.take(1, u64::MAX), Some(0x3000));
        assert_eq!(regions.take(2, u64::MAX), None);
        regions.subtract(0..u64::MAX);
        assert_eq!((regions.as_slice().len(), regions.end()), (0, 0));
    }
}

#[repr(align(4096))]
struct Aligned([u8; 4096]);
