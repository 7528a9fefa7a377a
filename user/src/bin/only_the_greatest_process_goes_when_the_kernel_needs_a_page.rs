//! What the kernel stores on its own account waits for a page like the program itself: the frame of a handler, the mark in a robust
//! futex whose owner ends, the zero that tells of the end of a thread. Only on our kernel: Linux populates at the cost of others.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use abi::Signal;
use abi::mman::{MADV_DONTNEED, MADV_POPULATE_WRITE};
use user::prelude::*;
use user::processes::{fork, kill, wait};
use user::rt::memory::{atomic_word, write_word};
use user::rt::syscall::{syscall0, syscall1, syscall2, syscall3};
use user::signals::{Context, Info, SA_ONSTACK, handle};
use user::sys::{getpid, madvise};
use user::threads::{Thread, yield_while};

program!(main);

/// More pages than there is memory.
const EVERYTHING: u64 = 1 << 20;
/// More pages than are left when one more is not to be had.
const REST: u64 = 256;
/// An address where nothing is mapped.
const HOLE: u64 = 1 << 20;
const SIGKILL: u32 = 9;
const OWNER_DIED: u32 = 1 << 30;

static HANDLED: AtomicU32 = AtomicU32::new(0);

/// Runs `act(2)` while there is no frame, for which the child has to go that has all the others. Before, `act(1)` runs, so that
/// all code has its pages, and whatever this process writes to is its own and not shared with the child.
fn without_memory(act: impl Fn(u32)) {
    let base = mmap(0, PAGE, Prot::READ_WRITE, Map::SHARED).unwrap();
    let [take, taken] = [0, 4].map(|offset| atomic_word(base + offset));
    take.store(0, Ordering::SeqCst);
    let greatest = fork(|| take_everything(take, taken));
    // Its page tables are there.
    let rest = map(REST);
    for (step, all) in [(1, Ok(0)), (2, Err(Errno::ENOMEM))] {
        take.store(step, Ordering::SeqCst);
        yield_while(taken, step - 1);
        check_eq!(madvise(HOLE, PAGE, MADV_POPULATE_WRITE), Err(Errno::ENOMEM));
        check_eq!(madvise(rest, REST * PAGE, MADV_POPULATE_WRITE), all);
        act(step);
        check_eq!(madvise(rest, REST * PAGE, MADV_DONTNEED), Ok(0));
    }
    // It would end now, if nobody had needed what it has.
    take.store(3, Ordering::SeqCst);
    check_eq!(wait(greatest), SIGKILL);
    check_eq!(munmap(rest, REST * PAGE), Ok(0));
    check_eq!(munmap(base, PAGE), Ok(0));
}

/// Waits for each step, takes what it can get of nothing in the first one and of everything in the second, and says so. Ends in
/// the third.
fn take_everything(take: &AtomicU32, taken: &AtomicU32) -> i32 {
    let everything = mmap(0, EVERYTHING * PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::NORESERVE).unwrap();
    for (step, start) in [(1, HOLE), (2, everything), (3, HOLE)] {
        yield_while(take, step - 1);
        check_eq!(madvise(start, EVERYTHING * PAGE, MADV_POPULATE_WRITE), Err(Errno::ENOMEM));
        taken.store(step, Ordering::SeqCst);
    }
    1
}

extern "C" fn note(_: u64, _: Info, _: Context) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

fn a_frame_gets_its_page() {
    let stack = map(4);
    let description = [stack, 0, 4 * PAGE];
    check_eq!(syscall2(nr::SIGALTSTACK, description.as_ptr() as u64, 0), Ok(0));
    handle(Signal::SIGUSR1, note, SA_ONSTACK);
    let pid = getpid().unwrap();
    without_memory(|_| {
        check_eq!(kill(pid, Signal::SIGUSR1.number()), Ok(0));
        check_eq!(madvise(stack, 4 * PAGE, MADV_DONTNEED), Ok(0));
    });
    check_eq!(HANDLED.load(Ordering::SeqCst), 2);
}

/// Words for a thread that is to end: what its process wants, and how far it is.
const WANTED: u64 = 0;
const DONE: u64 = 4;
/// On the next page.
const WORD: u64 = PAGE;
/// Robust list, on the first page: head, entry, and how far from that the word is.
const HEAD: u64 = 64;
const ENTRY: u64 = 128;

fn current_thread() -> u32 {
    syscall0(nr::GETTID).expect("gettid") as u32
}

extern "C" fn end_with_a_word_to_clear(base: u64) {
    check!(syscall1(nr::SET_TID_ADDRESS, base + WORD).is_ok());
    wait_to_end(base);
}

extern "C" fn end_with_a_robust_futex(base: u64) {
    write_word(base + HEAD, base + ENTRY);
    write_word(base + HEAD + 8, WORD - ENTRY);
    write_word(base + HEAD + 16, 0);
    write_word(base + ENTRY, base + HEAD);
    check_eq!(syscall2(nr::SET_ROBUST_LIST, base + HEAD, 24), Ok(0));
    check!(syscall1(nr::SET_TID_ADDRESS, 0).is_ok());
    wait_to_end(base);
}

fn wait_to_end(base: u64) {
    atomic_word(base + WORD).store(current_thread(), Ordering::SeqCst);
    for step in 1..=2 {
        atomic_word(base + DONE).store(step, Ordering::SeqCst);
        yield_while(atomic_word(base + WANTED), step - 1);
    }
}

/// What is in the word of a thread that ends without memory.
fn word_after(function: extern "C" fn(u64)) -> u32 {
    let base = map(2);
    let thread = Thread::start(function, base);
    let [wanted, done] = [WANTED, DONE].map(|offset| atomic_word(base + offset));
    yield_while(done, 0);
    let pid = getpid().unwrap();
    let is_there = || syscall3(nr::TGKILL, pid, thread.tid, 0).is_ok();
    // In the first step both write to the first page, and the thread to its stack. The second page stays shared with the child.
    without_memory(|step| {
        wanted.store(step, Ordering::SeqCst);
        while is_there() && done.load(Ordering::SeqCst) == step {
            check!(syscall0(nr::SCHED_YIELD).is_ok());
        }
    });
    atomic_word(base + WORD).load(Ordering::SeqCst)
}

fn main() {
    a_frame_gets_its_page();
    check_eq!(word_after(end_with_a_word_to_clear), 0);
    check_eq!(word_after(end_with_a_robust_futex), OWNER_DIED);
}
