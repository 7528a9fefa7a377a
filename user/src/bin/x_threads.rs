//! What memory calls cost threads that have nothing to do with each other, for `sugarbush bench`: prints lines of a name and a number.
//!
//! `x_threads instructions`, on a machine whose time-stamp counter counts instructions: for each number of threads up to that of
//! the CPUs, each bound to one, the instructions of all CPUs together per fault, and per pair of mmap and munmap.
//!
//! `x_threads time`: how long one thread, and two threads at the same time, take for a loop that needs nothing but its CPU, and for
//! faults, in rounds. Then, how many faults there were and how many of them ran under the VMA lock alone.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use user::pages::reserve;
use user::prelude::*;
use user::rt::cpu::time_stamp;
use user::rt::memory::write_byte;
use user::rt::start::argument;
use user::threads::{
    FUTEX_PRIVATE, FUTEX_WAIT, FUTEX_WAKE, Thread, allow_cpus, allowed_cpus, futex, numbers, spin_until,
};
use user::vmstat;

program!(main);

const MAX_THREADS: usize = 8;
/// Pages that a thread touches.
const PAGES: u64 = 4096;
/// Pairs of mmap and munmap of a thread.
const PAIRS: u64 = 3000;
/// Pages of a mapping that comes and goes.
const MAPPED: u64 = 16;
/// Places for the memory of threads, of which those in front are used.
const PLACES: u64 = 3 * MAX_THREADS as u64;
/// Turns of the loop that needs nothing but its CPU.
const TURNS: u64 = 3_000_000;
const ROUNDS: u64 = 15;
/// Rounds in which instructions are counted.
const COUNTED_ROUNDS: u64 = 5;

/// What a thread does, in memory of its own that begins here.
type Work = fn(u64);

/// The CPUs, by thread.
static CPUS: [AtomicU32; MAX_THREADS] = [const { AtomicU32::new(0) }; MAX_THREADS];
/// Where the memory of each begins.
static MEMORY: [AtomicU64; MAX_THREADS] = [const { AtomicU64::new(0) }; MAX_THREADS];
static WORK: AtomicU64 = AtomicU64::new(0);
/// Threads that are ready, the word they sleep for, and when the first began and the last ended.
static READY: AtomicU32 = AtomicU32::new(0);
static GO: AtomicU32 = AtomicU32::new(0);
static BEGAN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

const WORKS: [Work; 3] = [take_turns, touch, map_and_unmap];

fn take_turns(_: u64) {
    let mut value = 1u64;
    (0..TURNS).for_each(|_| value = black_box(value ^ value << 7));
}

fn touch(memory: u64) {
    (0..PAGES).for_each(|page| write_byte(memory + page * PAGE, 1));
}

fn map_and_unmap(memory: u64) {
    for _ in 0..PAIRS {
        map_at(memory, MAPPED, Prot::READ_WRITE);
        check_eq!(munmap(memory, MAPPED * PAGE), Ok(0));
    }
}

fn work(number: usize) {
    WORKS[WORK.load(Ordering::SeqCst) as usize](MEMORY[number].load(Ordering::SeqCst));
}

fn bind(number: usize) {
    allow_cpus(1 << CPUS[number].load(Ordering::SeqCst));
}

/// Sleeps until all go, so that nobody's waiting is counted.
extern "C" fn sleep_and_work(number: u64) {
    bind(number as usize);
    READY.fetch_add(1, Ordering::SeqCst);
    while GO.load(Ordering::SeqCst) == 0 {
        let _ = futex(FUTEX_WAIT | FUTEX_PRIVATE, &GO, 0, None);
    }
    work(number as usize);
}

/// Spins until all go, so that they begin at the same time.
extern "C" fn spin_and_work(number: u64) {
    bind(number as usize);
    READY.fetch_add(1, Ordering::SeqCst);
    spin_until(&GO, 1);
    BEGAN.fetch_min(time_stamp(), Ordering::SeqCst);
    work(number as usize);
    ENDED.fetch_max(time_stamp(), Ordering::SeqCst);
}

/// Lets so many threads do a work, each in memory that has been mapped if `is_mapped`, and gives what `go` does once all are ready. The
/// first is number `first`, the others follow.
fn run(
    first: usize,
    threads: usize,
    kind: usize,
    body: extern "C" fn(u64),
    is_mapped: bool,
    go: fn(),
) -> u64 {
    READY.store(0, Ordering::SeqCst);
    GO.store(0, Ordering::SeqCst);
    BEGAN.store(u64::MAX, Ordering::SeqCst);
    ENDED.store(0, Ordering::SeqCst);
    WORK.store(kind as u64, Ordering::SeqCst);
    let numbers = first..first + threads;
    let start = |number: usize| numbers.contains(&number).then(|| Thread::start(body, number as u64));
    let running: [Option<Thread>; MAX_THREADS] = core::array::from_fn(start);
    // A page of no rights lies between them, so that nothing merges. There is room for three times as many threads as there can be:
    // a tree that is deeper with more threads would be taken for what they cost each other.
    let memory = reserve((PAGES + 1) * PLACES);
    let places = (memory..).step_by(((PAGES + 1) * PAGE) as usize).take(PLACES as usize);
    places.clone().for_each(|own| map_at(own + PAGES * PAGE, 1, Prot::NONE));
    for (own, place) in places.zip(&MEMORY) {
        place.store(own, Ordering::SeqCst);
        if is_mapped {
            map_at(own, PAGES, Prot::READ_WRITE);
            // The first fault gives the mapping its identity.
            write_byte(own, 0);
        }
    }
    while READY.load(Ordering::SeqCst) < threads as u32 {
        let _ = user::threads::sleep(1);
    }
    let start = time_stamp();
    go();
    running.into_iter().flatten().for_each(Thread::join);
    let took = time_stamp() - start;
    check_eq!(munmap(memory, (PAGES + 1) * PLACES * PAGE), Ok(0));
    took
}

fn wake_all() {
    GO.store(1, Ordering::SeqCst);
    futex(FUTEX_WAKE | FUTEX_PRIVATE, &GO, i32::MAX as u32, None).expect("wake");
}

fn let_go() {
    GO.store(1, Ordering::SeqCst);
}

fn count_instructions(cpus: usize) {
    for threads in 1..=cpus {
        for (name, kind, count, is_mapped) in [("fault", 1, PAGES, true), ("mmap+munmap", 2, PAIRS, false)] {
            let counted = |first| {
                let run = || run(first, threads, kind, sleep_and_work, is_mapped, wake_all);
                // The first time everybody's memory is found.
                run();
                // The lowest: an emulator that counts instructions runs one CPU until the next tick, so a CPU that spins for a lock
                // whose holder's turn was over is charged for all of that time.
                (0..COUNTED_ROUNDS).map(|_| run()).min().unwrap_or(0)
            };
            // One thread, too, is counted in all places: where in its leaf of the tree a mapping is makes a difference.
            let firsts = if threads == 1 { cpus } else { 1 };
            let took = (0..firsts).map(counted).sum::<u64>() / firsts as u64;
            println!("{name} {threads} {}", took / (count * threads as u64));
        }
    }
}

fn measure_time() {
    for round in 0..ROUNDS {
        for (name, kind) in [("loop", 0), ("fault", 1)] {
            for threads in [1, 2] {
                run(0, threads, kind, spin_and_work, true, let_go);
                let took = ENDED.load(Ordering::SeqCst) - BEGAN.load(Ordering::SeqCst);
                println!("{name} {threads} {took} {round}");
            }
        }
    }
    let counted = ["vma_lock_success", "vma_lock_abort", "vma_lock_retry", "pgfault"];
    for (name, value) in counted.into_iter().zip(vmstat::values(counted)) {
        println!("{name} 0 {value}");
    }
}

fn main() {
    let mut cpus = 0;
    for (cpu, place) in numbers(allowed_cpus()).zip(&CPUS) {
        place.store(cpu, Ordering::SeqCst);
        cpus += 1;
    }
    match argument(1) {
        Some(mode) if mode == c"instructions" => count_instructions(cpus),
        _ => measure_time(),
    }
    println!("done 0 0");
}
