use std::sync::Arc;
use std::thread;

use super::atomic::{AtomicU64, Ordering};
use super::*;
use crate::platform::Slab;
use crate::schedule::{Place, Sleep, Wait, Wake};

fn page() -> Option<Slab> {
    Some(Slab::Owned(Box::default()))
}

#[test]
fn spin_lock_lets_one_in_at_a_time() {
    let lock = SpinLock::new(Rank::PageTable, 0u64);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..10_000).for_each(|_| *lock.lock() += 1));
        }
    });
    assert_eq!(*lock.lock(), 20_000);
    let held = lock.lock();
    assert!(lock.try_lock().is_none());
    drop(held);
    assert!(lock.try_lock().is_some());
}

#[test]
fn ranks_ascend_from_the_mmap_lock_to_the_console() {
    let order = [
        Rank::MmapLock,
        Rank::MmapQueue,
        Rank::UserfaultLine,
        Rank::VmaWrite,
        Rank::PageTable,
        Rank::FrameCache,
        Rank::FrameAllocator,
        Rank::KernelHeap,
        Rank::Console,
    ];
    assert!(order.is_sorted_by(|outer, inner| outer < inner));
}

#[test]
fn readers_share_and_exclude_writers() {
    let sem = RwSem::new(7);
    let first = sem.read();
    let second = sem.try_read().unwrap();
    assert_eq!((*first, *second), (7, 7));
    assert!(sem.try_write().is_none());
    drop(first);
    assert!(sem.try_write().is_none());
    drop(second);
    *sem.try_write().unwrap() += 1;
    assert_eq!(*sem.read(), 8);
}

#[test]
fn a_writer_excludes_everybody() {
    let sem = RwSem::new(());
    let writer = sem.write();
    assert!(sem.is_write_locked());
    assert!(sem.try_read().is_none());
    assert!(sem.try_write().is_none());
    drop(writer);
    assert!(!sem.is_locked());
    assert!(sem.try_read().is_some());
}

#[test]
fn the_sequence_is_odd_exactly_while_write_locked() {
    let sem = RwSem::new(());
    assert_eq!(sem.sequence(), 0);
    drop(sem.read());
    assert_eq!(sem.sequence(), 0);
    let writer = sem.write();
    assert_eq!((sem.sequence(), writer.sequence()), (1, 1));
    drop(writer);
    assert_eq!(sem.sequence(), 2);
    let reader = sem.write().downgrade();
    assert_eq!(sem.sequence(), 4);
    drop(reader);
    assert_eq!(sem.sequence(), 4);
}

#[test]
fn a_downgraded_lock_admits_readers_and_excludes_writers() {
    let sem = RwSem::new(0);
    let mut writer = sem.write();
    *writer = 1;
    let downgraded = writer.downgrade();
    assert!(!sem.is_write_locked() && sem.is_locked());
    assert_eq!(*sem.try_read().unwrap(), 1);
    assert!(sem.try_write().is_none());
    drop(downgraded);
    assert!(sem.try_write().is_some());
}

#[test]
fn no_writer_gets_between_a_write_section_and_its_downgrade() {
    let sem = RwSem::new(0u64);
    for round in 0..500 {
        let mut writer = sem.write();
        *writer = round;
        thread::scope(|scope| {
            scope.spawn(|| *sem.write() = u64::MAX);
            while !format!("{sem:?}").contains("others wait") {
                thread::yield_now();
            }
            let reader = writer.downgrade();
            assert!((0..50).all(|_| *reader == round), "a writer was in between");
            assert!(sem.try_read().is_none(), "the waiting writer was forgotten");
            drop(reader);
        });
        assert_eq!(*sem.read(), u64::MAX);
    }
    assert_eq!(sem.sequence(), 2 * 1000);
}

#[test]
fn a_waiting_writer_keeps_new_readers_out() {
    let sem = RwSem::new(0);
    let reader = sem.read();
    thread::scope(|scope| {
        let writer = scope.spawn(|| *sem.write() = 1);
        while sem.try_read().is_some() {
            thread::yield_now();
        }
        assert_eq!(*reader, 0);
        drop(reader);
        writer.join().unwrap();
    });
    assert_eq!(*sem.read(), 1);
    assert_eq!(format!("{sem:?}"), "RwSem(free, sequence 2)");
}

#[derive(Default)]
struct Object {
    value: AtomicU64,
    rest: [u64; 20],
}

#[test]
fn a_recycled_object_keeps_its_content_and_stale_references_stay_valid() {
    let pool = Pool::<Object>::new();
    let object = pool.alloc(page).unwrap();
    assert_eq!((object.value.load(Ordering::Relaxed), object.rest[19]), (0, 0));
    object.value.store(42, Ordering::Relaxed);
    pool.free(object);
    assert_eq!(object.value.load(Ordering::Relaxed), 42);
    let again = pool.alloc(|| panic!("there is a free object")).unwrap();
    assert!(std::ptr::eq(object, again));
    again.value.store(43, Ordering::Relaxed);
    assert_eq!(object.value.load(Ordering::Relaxed), 43);
}

#[test]
fn objects_are_distinct_and_own_their_cache_lines() {
    #[derive(Default)]
    #[repr(align(256))]
    struct Node(#[allow(dead_code)] [u64; 32]); // the size matters
    let nodes = Pool::<Node>::new();
    let small = Pool::<u8>::new();
    let mut addresses = Vec::new();
    for _ in 0..1000 {
        let node = std::ptr::from_ref(nodes.alloc(page).unwrap()).addr();
        let byte = std::ptr::from_ref(small.alloc(page).unwrap()).addr();
        assert_eq!((node % 256, byte % 64), (0, 0));
        addresses.extend([(node, 256), (byte, 64)]);
    }
    addresses.sort();
    assert!(addresses.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
    assert_eq!(nodes.statistics(), PoolStatistics { in_use: 1000, total: 1005 });
    assert_eq!(small.statistics(), PoolStatistics { in_use: 1000, total: 1008 });
}

#[test]
fn a_pool_asks_for_a_page_only_when_all_objects_are_in_use() {
    let pool = Pool::<Object>::new();
    assert!(pool.alloc(|| None).is_none());
    let first = pool.alloc(page).unwrap();
    let per_page = pool.statistics().total;
    let rest: Vec<_> = (1..per_page).map(|_| pool.alloc(|| panic!("the page has more")).unwrap()).collect();
    assert!(pool.alloc(|| None).is_none());
    for object in rest.iter().copied().chain([first]) {
        pool.free(object);
    }
    assert_eq!(pool.statistics(), PoolStatistics { in_use: 0, total: per_page });
    for _ in 0..per_page {
        pool.alloc(|| panic!("all are free")).unwrap();
    }
}

#[test]
fn objects_of_many_pages_find_their_page_again() {
    let pool = Pool::<Object>::new();
    for round in 0..3 {
        let objects: Vec<_> = (0..12_000).map(|_| pool.alloc(page).unwrap()).collect();
        assert_eq!(pool.statistics().in_use, 12_000, "round {round}");
        objects.iter().rev().for_each(|object| pool.free(object));
    }
    let PoolStatistics { in_use, total } = pool.statistics();
    assert_eq!(in_use, 0);
    assert!(total < 12_100, "freed objects were not used again: {total}");
}

#[test]
#[should_panic(expected = "free of a free object")]
fn a_double_free_is_caught() {
    let pool = Pool::<Object>::new();
    let object = pool.alloc(page).unwrap();
    pool.free(object);
    pool.free(object);
}

#[test]
#[should_panic(expected = "not of this pool")]
fn an_object_of_another_pool_is_refused() {
    let (pool, other) = (Pool::<Object>::new(), Pool::<Object>::new());
    pool.alloc(page).unwrap();
    pool.free(other.alloc(page).unwrap());
}

#[test]
#[should_panic(expected = "not of this pool")]
fn an_object_outside_of_any_pool_is_refused() {
    let pool = Pool::<Object>::new();
    pool.alloc(page).unwrap();
    pool.free(&Object::default());
}

#[test]
fn a_pool_drops_every_object_of_heap_pages_and_of_static_ones() {
    struct Counted(Arc<()>);
    thread_local! { static COUNT: Arc<()> = Arc::new(()); }
    impl Default for Counted {
        fn default() -> Self {
            COUNT.with(|count| Counted(Arc::clone(count)))
        }
    }
    let pool = Pool::<Counted>::new();
    let first = pool.alloc(page).unwrap();
    assert!(Arc::strong_count(&first.0) > 1);
    let leaked = Box::leak(Box::default());
    let address = std::ptr::from_ref(leaked);
    let mut leaked = Some(Slab::Static(leaked));
    while pool.statistics().in_use <= 63 {
        pool.alloc(|| leaked.take()).unwrap();
    }
    assert_eq!(pool.statistics().total, 126);
    COUNT.with(|count| assert_eq!(Arc::strong_count(count), 127));
    drop(pool);
    COUNT.with(|count| assert_eq!(Arc::strong_count(count), 1));
    // SAFETY: the page came from a box, and the pool, which does not free static pages, is gone.
    drop(unsafe { Box::from_raw(address.cast_mut()) });
}

#[test]
fn a_pool_serves_several_threads() {
    let pool = Pool::<Object>::new();
    thread::scope(|scope| {
        for thread in 1..=2u64 {
            let pool = &pool;
            scope.spawn(move || {
                for _ in 0..500 {
                    let objects: Vec<_> = (0..20).map(|_| pool.alloc(page).unwrap()).collect();
                    objects.iter().for_each(|object| object.value.store(thread, Ordering::Relaxed));
                    assert!(objects.iter().all(|object| object.value.load(Ordering::Relaxed) == thread));
                    objects.iter().for_each(|object| pool.free(object));
                }
            });
        }
    });
    assert_eq!(pool.statistics().in_use, 0);
}

#[test]
fn a_line_wakes_those_who_are_meant_and_in_line_by_then() {
    let line = Line::new();
    let first_of = |wanted: u32| line.find(|number| (*number == wanted).then_some(*number));
    assert_eq!(first_of(1), None);
    // Who is woken before it waits does not wait; a wake for others, or before it is in line, is none for it.
    line.wake(&Spinning, |_| true);
    line.join(1, |first| {
        line.join(2, |second| {
            assert_eq!((first_of(1), first_of(2)), (Some(1), Some(2)));
            line.wake(&Spinning, |number| *number == 2);
            assert_eq!(second.wait(&Impatient, Wait::Userfault, Sleep::Killable), Wake::Again);
            assert_eq!(first.wait(&Impatient, Wait::Userfault, Sleep::Killable), Wake::Killed);
        });
        assert_eq!((first_of(1), first_of(2)), (Some(1), None));
        line.wake(&Spinning, |_| true);
        assert_eq!(first.wait(&Impatient, Wait::Userfault, Sleep::Killable), Wake::Again);
    });
    assert_eq!(first_of(1), None);
}

#[test]
fn threads_in_line_are_all_woken() {
    let line = Line::new();
    let woken = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0..4 {
            let (line, woken) = (&line, &woken);
            scope.spawn(move || {
                line.join(number, |turn| turn.wait(&Spinning, Wait::Userfault, Sleep::Uninterruptible));
                woken.fetch_add(1, Ordering::Relaxed);
            });
        }
        while woken.load(Ordering::Relaxed) < 4 {
            line.wake(&Spinning, |number| *number != 3 || woken.load(Ordering::Relaxed) == 3);
            thread::yield_now();
        }
    });
}

/// Is always told to end.
struct Impatient;

impl Parker for Impatient {
    fn park(&self, _: Wait, _: Sleep, _: Place, _: u32, _: &dyn Fn() -> bool) -> Wake {
        Wake::Killed
    }

    fn unpark(&self, _: Place) {}
}
