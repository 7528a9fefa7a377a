use std::cell::Cell;
use std::ops::Deref;

use super::*;
use crate::range::PageSize;
use x86_64::PhysAddr;

type Frames = FrameAllocator<Box<[FrameMeta]>>;

fn store(count: u32) -> Box<[FrameMeta]> {
    (0..count).map(|_| FrameMeta::default()).collect()
}

fn frames(count: u32) -> Frames {
    let frames = FrameAllocator::new(store(count));
    frames.add_range(Frame::new(0), Frame::new(count));
    frames
}

#[test]
fn frames_and_addresses_convert_both_ways() {
    let frame = Frame::from_address(PhysAddr::new(0x1234_5000)).unwrap();
    assert_eq!(frame, Frame::new(0x1_2345));
    assert_eq!(frame.address(), PhysAddr::new(0x1234_5000));
    assert_eq!(Frame::from_address(PhysAddr::new(0x1234_5001)), None);
    assert_eq!(Frame::from_address(PhysAddr::new(1 << 44)), None);
    assert_eq!(Frame::new(u32::MAX).address().as_u64(), (1 << 44) - 4096);
    assert_eq!(format!("{frame:?}"), "frame 0x12345");
}

#[test]
fn nothing_can_be_allocated_before_memory_is_added() {
    let frames = FrameAllocator::new(store(16));
    assert_eq!(frames.alloc_frame(FrameKind::Kernel), None);
    assert_eq!(frames.alloc(0, FrameKind::Kernel), None);
    assert_eq!(frames.kind(Frame::new(3)), FrameKind::Unusable);
    frames.check();
}

#[test]
fn a_range_is_added_as_whole_blocks_and_merges_with_its_neighbours() {
    let frames = FrameAllocator::new(store(8192));
    frames.add_range(Frame::new(3), Frame::new(4096));
    frames.check();
    let statistics = frames.statistics();
    assert_eq!((statistics.total, statistics.free), (4093, 4093));
    assert_eq!(statistics.blocks, [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 3]);
    frames.add_range(Frame::new(0), Frame::new(3));
    frames.check();
    assert_eq!(frames.statistics().blocks, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
}

#[test]
fn frames_beyond_the_metadata_are_left_out() {
    let frames = FrameAllocator::new(store(100));
    frames.add_range(Frame::new(90), Frame::new(u32::MAX));
    frames.check();
    assert_eq!(frames.statistics().total, 10);
}

#[test]
fn every_frame_is_handed_out_once_and_then_no_more() {
    let frames = frames(1000);
    let mut seen = vec![false; 1000];
    while let Some(frame) = frames.alloc_frame(FrameKind::Anonymous) {
        assert!(!std::mem::replace(&mut seen[frame.number() as usize], true));
        assert_eq!(frames.reference_count(frame), 1);
    }
    assert!(seen.iter().all(|&seen| seen));
    frames.check();
    assert_eq!(frames.statistics().free, 0);
    (0..1000).for_each(|number| frames.put(Frame::new(number)));
    frames.check();
    assert_eq!(frames.statistics().free, 1000);
}

#[test]
fn blocks_are_aligned_and_cached_frames_merge_when_a_block_is_wanted() {
    let frames = frames(1024);
    let singles: Vec<_> = (0..1024).map(|_| frames.alloc_frame(FrameKind::Kernel).unwrap()).collect();
    singles.iter().for_each(|&frame| frames.put(frame));
    assert_eq!(frames.statistics().cached, 1024);
    let block = frames.alloc(MAX_ORDER, FrameKind::Kernel).unwrap();
    assert_eq!(block, Frame::new(0));
    assert_eq!(frames.statistics().cached, 0);
    frames.check();
    frames.put(block);
    for order in 0..=MAX_ORDER {
        let block = frames.alloc(order, FrameKind::Table).unwrap();
        assert_eq!(block.number() % (1 << order), 0);
        assert_eq!(frames.statistics().allocated(FrameKind::Table), 1 << order);
        frames.check();
        frames.put(block);
    }
    assert_eq!(frames.alloc(MAX_ORDER + 1, FrameKind::Kernel), None);
    assert_eq!(frames.alloc(u32::MAX, FrameKind::Kernel), None);
}

#[test]
fn the_cache_of_single_frames_is_bounded() {
    let frames = frames(4096);
    let singles: Vec<_> = (0..4096).map(|_| frames.alloc_frame(FrameKind::Kernel).unwrap()).collect();
    for frame in singles {
        frames.put(frame);
        assert!(frames.statistics().cached <= 1024);
    }
    frames.check();
    assert!(frames.statistics().blocks[1..].iter().any(|&blocks| blocks > 0));
}

#[test]
fn the_last_reference_frees_the_frame() {
    let frames = frames(8);
    let frame = frames.alloc_frame(FrameKind::Anonymous).unwrap();
    frames.get(frame);
    frames.get(frame);
    assert_eq!(frames.reference_count(frame), 3);
    frames.put(frame);
    frames.put(frame);
    assert_eq!((frames.reference_count(frame), frames.kind(frame)), (1, FrameKind::Anonymous));
    frames.put(frame);
    assert_eq!((frames.reference_count(frame), frames.kind(frame)), (0, FrameKind::Free));
    frames.check();
}

#[test]
fn the_zero_frame_is_neither_counted_nor_freed() {
    let frames = frames(8);
    let zero = frames.alloc_frame(FrameKind::Zero).unwrap();
    frames.get(zero);
    assert_eq!(frames.reference_count(zero), 2, "as if others had it, too");
    (0..3).for_each(|_| frames.put(zero));
    assert_eq!((frames.reference_count(zero), frames.kind(zero)), (2, FrameKind::Zero));
    assert_eq!(frames.statistics().allocated(FrameKind::Zero), 1);
    frames.check();
}

#[test]
fn a_batch_holds_any_number_of_exclusive_frames_and_puts_them_all() {
    let frames = frames(2048);
    let mut batch = FrameBatch::new();
    while let Some(frame) = frames.alloc_frame(FrameKind::Anonymous) {
        frames.collect(frame, &mut batch);
    }
    assert!(!batch.is_full());
    assert_eq!((batch.len(), frames.statistics().free), (2048, 0));
    frames.check();
    frames.put_batch(&mut batch);
    assert!(batch.is_empty());
    assert_eq!(frames.statistics().free, 2048);
    frames.check();
}

#[test]
fn a_batch_puts_frames_of_all_kinds_in_any_order() {
    use FrameKind::{Anonymous, Cache, Huge, Kernel, Table};
    let frames = frames(4096);
    let kinds = [Anonymous, Anonymous, Table, Anonymous, Cache, Table, Table, Huge, Kernel, Anonymous];
    let mut batch = FrameBatch::new();
    for kind in kinds {
        let frame = if kind == Huge { frames.alloc_huge() } else { frames.alloc_frame(kind) };
        frames.collect(frame.unwrap(), &mut batch);
    }
    frames.put_batch(&mut batch);
    assert!(batch.is_empty());
    assert_eq!(frames.statistics().free, 4096);
    assert!(FrameKind::ALL.iter().all(|&kind| frames.statistics().allocated(kind) == 0));
    frames.check();
}

#[test]
fn tables_that_have_gone_empty_come_again_as_such_until_memory_is_short() {
    let frames = frames(8);
    let all = || std::iter::from_fn(|| frames.alloc_frame(FrameKind::Anonymous)).collect::<Vec<_>>();
    assert_eq!(frames.alloc_table(Content::Zeroes).map(|(_, content)| content), Some(Content::Any));
    let (table, _) = frames.alloc_table(Content::Root).unwrap();
    let (root, _) = frames.alloc_table(Content::Root).unwrap();
    let mut batch = FrameBatch::new();
    frames.collect(table, &mut batch);
    frames.put_batch(&mut batch);
    frames.put_table(root, Content::Root);
    frames.check();
    assert_eq!((frames.content(table), frames.content(root)), (Content::Zeroes, Content::Root));
    assert_eq!(frames.alloc_table(Content::Root), Some((root, Content::Root)));
    assert_eq!(frames.alloc_table(Content::Zeroes), Some((table, Content::Zeroes)));
    assert_eq!(frames.content(table), Content::Any, "it is in use");
    frames.put_table(root, Content::Root);
    frames.put_table(table, Content::Zeroes);
    // Nobody goes without a frame because it is empty.
    assert_eq!(all().len(), 7);
    frames.check();
}

#[test]
fn of_an_address_space_that_nobody_knows_shared_frames_go_at_once() {
    let frames = frames(8);
    let shared: Vec<_> = (0..3).map(|_| frames.alloc_frame(FrameKind::Anonymous).unwrap()).collect();
    shared.iter().for_each(|&frame| frames.get(frame));
    let mut batch = FrameBatch::at_once();
    shared.iter().for_each(|&frame| frames.collect(frame, &mut batch));
    assert!(shared.iter().all(|&frame| frames.reference_count(frame) == 1));
    // The last reference waits with the others.
    frames.collect(shared[0], &mut batch);
    assert_eq!((batch.len(), frames.statistics().free), (4, 5));
    frames.put_batch(&mut batch);
    assert_eq!(frames.statistics().free, 6);
    frames.check();
}

#[test]
fn a_batch_puts_a_frame_as_often_as_it_has_it() {
    let frames = frames(8);
    let twice = frames.alloc_frame(FrameKind::Anonymous).unwrap();
    let block = frames.alloc(1, FrameKind::Kernel).unwrap();
    let zero = frames.alloc_frame(FrameKind::Zero).unwrap();
    (0..2).for_each(|_| frames.get(twice));
    let mut batch = FrameBatch::new();
    [twice, zero, block, twice, zero].iter().for_each(|&frame| frames.collect(frame, &mut batch));
    assert_eq!(batch.len(), 5);
    frames.put_batch(&mut batch);
    assert_eq!(frames.reference_count(twice), 1);
    assert_eq!((frames.kind(block), frames.kind(zero)), (FrameKind::Free, FrameKind::Zero));
    frames.collect(twice, &mut batch);
    frames.put_batch(&mut batch);
    assert_eq!(frames.statistics().free, 7);
    frames.check();
}

#[test]
fn a_batch_gives_frames_of_objects_back_at_once_and_keeps_the_last_reference() {
    let frames = frames(1);
    let frame = frames.alloc_frame(FrameKind::Shared).unwrap();
    (0..100).for_each(|_| frames.get(frame));
    let mut batch = FrameBatch::new();
    for left in (1..=100).rev() {
        frames.collect(frame, &mut batch);
        assert_eq!(frames.reference_count(frame), left);
    }
    assert!(!batch.is_full());
    frames.collect(frame, &mut batch);
    assert_eq!((batch.len(), frames.statistics().free), (101, 0));
    frames.put_batch(&mut batch);
    assert_eq!(frames.statistics().free, 1);
    frames.check();
}

#[test]
fn a_reference_is_put_unless_it_is_the_last() {
    let frames = frames(1);
    let frame = frames.alloc_frame(FrameKind::Object).unwrap();
    frames.get(frame);
    assert!(frames.put_unless_last(frame));
    assert!(!frames.put_unless_last(frame));
    assert_eq!(frames.reference_count(frame), 1);
}

#[test]
#[should_panic(expected = "a full batch takes no more")]
fn a_batch_has_room_for_some_shared_frames_only() {
    let frames = frames(1);
    let frame = frames.alloc_frame(FrameKind::Anonymous).unwrap();
    frames.get(frame);
    let mut batch = FrameBatch::new();
    for _ in 0..FrameBatch::SHARED {
        assert!(!batch.is_full());
        frames.collect(frame, &mut batch);
    }
    assert!(batch.is_full());
    frames.collect(frame, &mut batch);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "put of frame 0x0, which is free")]
fn a_double_free_is_caught() {
    let frames = frames(1);
    let frame = frames.alloc_frame(FrameKind::Kernel).unwrap();
    frames.put(frame);
    frames.put(frame);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "get of frame 0x0, which is free")]
fn a_reference_to_a_free_frame_is_caught() {
    let frames = frames(1);
    frames.get(Frame::new(0));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "inside a block")]
fn a_put_of_a_frame_inside_a_block_is_caught() {
    let frames = frames(4);
    let block = frames.alloc(2, FrameKind::Kernel).unwrap();
    frames.put(Frame::new(block.number() + 1));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "added twice")]
fn memory_that_is_added_twice_is_caught() {
    let frames = frames(4);
    frames.add_range(Frame::new(0), Frame::new(4));
}

#[test]
fn random_blocks_never_overlap_and_all_memory_comes_back() {
    let frames = FrameAllocator::new(store(5000));
    frames.add_range(Frame::new(1), Frame::new(700));
    frames.add_range(Frame::new(701), Frame::new(4999));
    let total = frames.statistics().total;
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let mut owner = vec![false; 5000];
    let mut blocks: Vec<(Frame, u32)> = Vec::new();
    for step in 0..20_000 {
        if next(2) == 0 || blocks.is_empty() {
            let order = if next(2) == 0 { 0 } else { next(6) as u32 };
            let block = match order {
                0 => frames.alloc_frame(FrameKind::Anonymous),
                _ => frames.alloc(order, FrameKind::Kernel),
            };
            if let Some(block) = block {
                let range = block.number() as usize..block.number() as usize + (1 << order);
                assert!(owner[range.clone()].iter().all(|&owned| !owned), "{block:?} is handed out twice");
                owner[range].fill(true);
                blocks.push((block, order));
            }
        } else {
            let (block, order) = blocks.swap_remove(next(blocks.len() as u64) as usize);
            owner[block.number() as usize..block.number() as usize + (1 << order)].fill(false);
            frames.put(block);
        }
        if step % 500 == 0 {
            frames.check();
        }
    }
    blocks.iter().for_each(|&(block, _)| frames.put(block));
    frames.check();
    assert_eq!(frames.statistics().free, total);
    assert!(!owner[0] && !owner[700] && !owner[4999], "memory that was never added was handed out");
}

thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

/// Metadata on a machine with a CPU for each thread of the host that says so.
struct OfCpus(Box<[FrameMeta]>);

impl Deref for OfCpus {
    type Target = [FrameMeta];
    fn deref(&self) -> &[FrameMeta] {
        &self.0
    }
}

impl FrameStore for OfCpus {
    fn cpu(&self) -> usize {
        CPU.get()
    }
}

fn frames_of_cpus(count: u32) -> FrameAllocator<OfCpus> {
    let frames = FrameAllocator::new(OfCpus(store(count)));
    frames.add_range(Frame::new(0), Frame::new(count));
    frames
}

#[test]
fn frames_that_one_cpu_takes_and_another_frees_are_counted_right() {
    let frames = frames_of_cpus(2000);
    let taken: Vec<_> = (0..1500).map(|_| frames.alloc_frame(FrameKind::Anonymous).unwrap()).collect();
    CPU.set(3);
    taken.iter().for_each(|&frame| frames.put(frame));
    frames.check();
    assert_eq!(frames.statistics().allocated(FrameKind::Anonymous), 0);
    assert_eq!(frames.statistics().free, 2000);
}

#[test]
fn what_lies_in_the_caches_of_other_cpus_is_found_when_memory_is_short() {
    let frames = frames_of_cpus(64);
    for cpu in 0..4 {
        CPU.set(cpu);
        let frame = frames.alloc_frame(FrameKind::Table).unwrap();
        frames.put(frame);
    }
    frames.check();
    assert!(frames.statistics().cached >= 4);
    let mut all = Vec::new();
    all.extend(std::iter::from_fn(|| frames.alloc_frame(FrameKind::Table)));
    assert_eq!(all.len(), 64);
    CPU.set(1);
    all.drain(..).for_each(|frame| frames.put(frame));
    CPU.set(2);
    assert_eq!(frames.alloc(6, FrameKind::Kernel), Some(Frame::new(0)));
    frames.check();
}

#[test]
fn threads_share_the_allocator() {
    let frames = frames_of_cpus(512);
    std::thread::scope(|scope| {
        for cpu in 0..3 {
            let frames = &frames;
            scope.spawn(move || {
                CPU.set(cpu);
                for round in 0..2_000 {
                    let single = frames.alloc_frame(FrameKind::Anonymous).unwrap();
                    let block = frames.alloc(round % 4, FrameKind::Kernel).unwrap();
                    frames.get(single);
                    frames.put(single);
                    frames.put(block);
                    frames.put(single);
                }
            });
        }
    });
    frames.check();
    assert_eq!(frames.statistics().free, 512);
}

#[test]
fn a_block_for_a_huge_leaf_is_one_until_it_is_broken() {
    let frames = frames(1024);
    let block = frames.alloc_huge().unwrap();
    assert_eq!(
        (frames.kind(block), frames.reference_count(block), block.number() % 512),
        (FrameKind::Huge, 1, 0)
    );
    assert!(frames.is_exclusive(block, PageSize::Huge));
    frames.get_huge(block);
    assert!(!frames.is_exclusive(block, PageSize::Huge));
    frames.put_huge(block);
    frames.check();
    frames.put_huge(block);
    assert_eq!(frames.statistics().free, 1024);
    frames.check();
}

#[test]
fn the_frames_of_a_broken_block_are_freed_one_by_one() {
    let frames = frames(1024);
    let block = frames.alloc_huge().unwrap();
    frames.get_huge(block);
    frames.break_huge(block);
    frames.break_huge(block);
    frames.check();
    let statistics = frames.statistics();
    assert_eq!((statistics.allocated(FrameKind::Huge), statistics.allocated(FrameKind::Anonymous)), (0, 512));
    let number = |at| Frame::new(block.number() + at);
    assert!((0..512).all(|at| frames.reference_count(number(at)) == 2));
    // One huge leaf is small leaves now, of which all but one go; the other one goes as a whole.
    (1..512).for_each(|at| frames.put(number(at)));
    frames.get_huge(block);
    frames.put_huge(block);
    frames.put_huge(block);
    frames.check();
    assert_eq!(frames.statistics().allocated(FrameKind::Anonymous), 1);
    assert!(frames.is_exclusive(block, PageSize::Small));
    assert!(!frames.is_exclusive(block, PageSize::Huge));
    frames.put(block);
    frames.check();
    assert_eq!(frames.statistics().free, 1024);
    assert_eq!(frames.alloc_huge().map(|block| block.number() % 512), Some(0));
}

#[test]
fn a_batch_puts_blocks_of_all_kinds() {
    let frames = frames(4096);
    let mut batch = FrameBatch::new();
    let [own, shared, broken] = [0; 3].map(|_| frames.alloc_huge().unwrap());
    frames.get_huge(shared);
    frames.break_huge(broken);
    let single = frames.alloc_frame(FrameKind::Table).unwrap();
    [own, shared, broken].iter().for_each(|&block| frames.collect_huge(block, &mut batch));
    frames.collect(single, &mut batch);
    assert_eq!(batch.len(), 3 * 512 + 1);
    frames.put_batch(&mut batch);
    assert!(batch.is_empty());
    frames.check();
    assert_eq!(frames.statistics().free, 4096 - 512);
    assert!(frames.is_exclusive(shared, PageSize::Huge));
    frames.put_huge(shared);
}

#[test]
fn a_table_keeps_tables_and_gives_the_last_one_back_first() {
    let frames = frames(64);
    let [table, first, second] = [0; 3].map(|_| frames.alloc_frame(FrameKind::Table).unwrap());
    frames.keep_none(table);
    assert_eq!(frames.take_kept(table), None);
    frames.keep(table, first);
    frames.keep(table, second);
    assert_eq!(frames.kept(table).collect::<Vec<_>>(), [second, first]);
    assert_eq!([0; 3].map(|_| frames.take_kept(table)), [Some(second), Some(first), None]);
}
