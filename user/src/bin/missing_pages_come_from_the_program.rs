//! A thread that touches a missing page of a registered range waits until another one has resolved that, by a copy, a page of
//! zeroes, or otherwise.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::fs::O_NONBLOCK;
use abi::userfaultfd::*;
use user::pages::stamp;
use user::prelude::*;
use user::rt::memory::{read_word, write_word};
use user::rt::syscall::{syscall0, syscall3};
use user::sys::{close, pipe, read};
use user::threads::Thread;
use user::userfaults::*;

program!(main);

const MISSING: u64 = UFFDIO_REGISTER_MODE_MISSING;

/// What a thread has read.
static FOUND: AtomicU64 = AtomicU64::new(0);
static NUMBER: AtomicU32 = AtomicU32::new(0);
static PIPE: AtomicU32 = AtomicU32::new(0);

extern "C" fn load(address: u64) {
    NUMBER.store(syscall0(nr::GETTID).expect("gettid") as u32, Ordering::SeqCst);
    FOUND.store(read_word(address), Ordering::SeqCst);
}

extern "C" fn store(address: u64) {
    write_word(address, 0x77);
    FOUND.store(read_word(address & !(PAGE - 1)), Ordering::SeqCst);
}

/// Writes a word that is not there to a pipe.
extern "C" fn write_to_pipe(address: u64) {
    let written = syscall3(nr::WRITE, PIPE.load(Ordering::SeqCst).into(), address, 8);
    FOUND.store(written.unwrap_or(1 << 32 | 1), Ordering::SeqCst);
}

fn found() -> u64 {
    FOUND.swap(0, Ordering::SeqCst)
}

fn main() {
    let fd = agreed(0, 0);
    let base = reserve(16);
    map_at(base, 16, Prot::READ_WRITE);
    let source = reserve(2);
    map_at(source, 2, Prot::READ_WRITE);
    stamp(source, 2);
    write_word(source, 0x1234);
    check!(register(fd, base, 16, MISSING).is_ok());

    // Resolved beforehand, nobody waits.
    check_eq!(copy(fd, base, source, 1, 0), (Ok(0), PAGE as i64));
    check_eq!(read_word(base), 0x1234);
    resolved_by_copies(fd, base, source);
    resolved_otherwise(fd, base);
    in_a_system_call(fd, base, source);
    several_at_once(base);
    check_eq!(close(fd), Ok(0));
    // Registered with nobody.
    write_word(base + 15 * PAGE, 1);
}

fn resolved_by_copies(fd: i32, base: u64, source: u64) {
    let reader = Thread::start(load, base + PAGE + 0x238);
    check_eq!(message(fd), (0, base + PAGE));
    check_eq!(copy(fd, base + PAGE, source, 1, 0), (Ok(0), PAGE as i64));
    reader.join();
    check_eq!(found(), read_word(source + 0x238));

    // Half of them at once; the second is not there any more when the range is copied as a whole.
    let writer = Thread::start(store, base + 2 * PAGE + 8);
    check_eq!(message(fd), (UFFD_PAGEFAULT_FLAG_WRITE, base + 2 * PAGE));
    check_eq!(copy(fd, base + 2 * PAGE, source, 1, UFFDIO_COPY_MODE_DONTWAKE), (Ok(0), PAGE as i64));
    check_eq!(FOUND.load(Ordering::SeqCst), 0);
    check_eq!(wake(fd, base + 3 * PAGE, 1), Ok(0));
    check_eq!(wake(fd, base + 2 * PAGE, 1), Ok(0));
    writer.join();
    check_eq!((found(), read_word(base + 2 * PAGE + 8)), (0x1234, 0x77));
}

fn resolved_otherwise(fd: i32, base: u64) {
    let reader = Thread::start(load, base + 3 * PAGE);
    check_eq!(message(fd), (0, base + 3 * PAGE));
    check_eq!(zero(fd, base + 3 * PAGE, 1, 0), (Ok(0), PAGE as i64));
    reader.join();
    // It is a page of zeroes, which can be written to.
    write_word(base + 3 * PAGE, 5);
    check_eq!(read_word(base + 3 * PAGE), 5);

    // What was discarded is missing again.
    check_eq!(user::sys::madvise(base + 3 * PAGE, PAGE, abi::mman::MADV_DONTNEED), Ok(0));
    let reader = Thread::start(load, base + 3 * PAGE);
    check_eq!(message(fd), (0, base + 3 * PAGE));
    // Woken for nothing, it asks again.
    check_eq!(wake(fd, base + 3 * PAGE, 1), Ok(0));
    check_eq!(message(fd), (0, base + 3 * PAGE));
    check_eq!(unregister(fd, base + 3 * PAGE, 1), Ok(0));
    reader.join();
    check_eq!(found(), 0);
    check_eq!([2, 3, 4].map(|page| registered(base + page * PAGE)), [MISSING, 0, MISSING]);

    // A descriptor that is closed resolves everything.
    let own = agreed(0, 0);
    let page = base + 3 * PAGE;
    check_eq!(user::sys::madvise(page, PAGE, abi::mman::MADV_DONTNEED), Ok(0));
    check!(register(own, page, 1, MISSING).is_ok());
    let writer = Thread::start(store, page);
    check_eq!(message(own), (UFFD_PAGEFAULT_FLAG_WRITE, page));
    check_eq!(close(own), Ok(0));
    writer.join();
    check_eq!((found(), registered(page)), (0x77, 0));
}

/// A copy by the kernel waits, unless only faults in user mode are handled.
fn in_a_system_call(fd: i32, base: u64, source: u64) {
    let ends = pipe().expect("pipe");
    PIPE.store(ends.writer as u32, Ordering::SeqCst);
    let writer = Thread::start(write_to_pipe, base + 4 * PAGE);
    check_eq!(message(fd), (0, base + 4 * PAGE));
    check_eq!(copy(fd, base + 4 * PAGE, source, 1, 0), (Ok(0), PAGE as i64));
    writer.join();
    let mut word = [0; 8];
    check_eq!(read(ends.reader, &mut word), Ok(8));
    check_eq!((found(), u64::from_le_bytes(word)), (8, 0x1234));

    let own = agreed(UFFD_USER_MODE_ONLY, 0);
    check_eq!(unregister(fd, base + 5 * PAGE, 1), Ok(0));
    check!(register(own, base + 5 * PAGE, 1, MISSING).is_ok());
    write_to_pipe(base + 5 * PAGE);
    check_eq!(found(), 1 << 32 | 1);
    let reader = Thread::start(load, base + 5 * PAGE);
    check_eq!(message(own), (0, base + 5 * PAGE));
    check_eq!(zero(own, base + 5 * PAGE, 1, 0), (Ok(0), PAGE as i64));
    reader.join();
    check_eq!(close(own), Ok(0));
    check!(close(ends.reader).is_ok() && close(ends.writer).is_ok());
}

/// One read tells of several threads, exactly, with their numbers.
fn several_at_once(base: u64) {
    let fd = agreed(O_NONBLOCK, UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_THREAD_ID);
    let first = reserve(3);
    map_at(first, 3, Prot::READ_WRITE);
    check!(first != base && register(fd, first, 3, MISSING).is_ok());
    let threads = [8, PAGE + 16, 2 * PAGE + 24].map(|offset| {
        let thread = Thread::start(load, first + offset);
        while poll(fd) != 1 {
            let _ = syscall0(nr::SCHED_YIELD);
        }
        // Read, but not resolved.
        let mut told = [UffdMessage::default()];
        check_eq!(messages(fd, &mut told), Ok(1));
        check_eq!((told[0].address, u64::from(told[0].ptid)), (first + offset, thread.tid));
        check_eq!((poll(fd), messages(fd, &mut told)), (0, Err(Errno::EAGAIN)));
        thread
    });
    // All ask again.
    check_eq!(wake(fd, first, 3), Ok(0));
    let mut told = [UffdMessage::default(); 4];
    let mut pages = 0;
    while pages != 0b111 {
        let count = messages(fd, &mut told).unwrap_or(0);
        told[..count].iter().for_each(|message| pages |= 1 << ((message.address - first) / PAGE));
        let _ = syscall0(nr::SCHED_YIELD);
    }
    check_eq!(zero(fd, first, 3, 0), (Ok(0), 3 * PAGE as i64));
    threads.into_iter().for_each(Thread::join);
    check_eq!(messages(fd, &mut told), Err(Errno::EAGAIN));
    check_eq!(close(fd), Ok(0));
}
