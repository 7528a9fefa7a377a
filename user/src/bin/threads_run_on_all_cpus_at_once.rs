//! A thread runs on the CPU it is bound to, while others run on theirs; threads that are not bound spread over all CPUs.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use user::prelude::*;
use user::threads::{Thread, allow_cpus, allowed_cpus, current_cpu, numbers, spin_until};

program!(main);

const MAX_CPUS: usize = 8;
const ROUNDS: u32 = 40;

static THREADS: AtomicU32 = AtomicU32::new(0);
static STARTED: AtomicU32 = AtomicU32::new(0);
static TURN: AtomicU32 = AtomicU32::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);

/// Hands a turn around, without the kernel, among threads that are each bound to a CPU.
extern "C" fn bound(cpu: u64) {
    allow_cpus(1 << cpu);
    check_eq!(allowed_cpus(), 1 << cpu);
    check_eq!(u64::from(current_cpu()), cpu);
    let place = STARTED.fetch_add(1, Ordering::SeqCst);
    let threads = THREADS.load(Ordering::SeqCst);
    for round in 0..ROUNDS {
        spin_until(&TURN, round * threads + place);
        TURN.fetch_add(1, Ordering::SeqCst);
    }
    check_eq!(u64::from(current_cpu()), cpu);
}

/// Spins until every CPU has been seen by some thread.
extern "C" fn free(cpus: u64) {
    while SEEN.fetch_or(1 << current_cpu(), Ordering::SeqCst) & cpus != cpus {
        for _ in 0..1000 {
            core::hint::spin_loop();
        }
    }
}

fn main() {
    let mut cpus = [0; MAX_CPUS];
    let count = numbers(allowed_cpus()).zip(&mut cpus).map(|(number, cpu)| *cpu = number).count();
    let cpus = &cpus[..count];
    THREADS.store(count as u32, Ordering::SeqCst);
    let start = |index: usize| cpus.get(index).map(|&cpu| Thread::start(bound, cpu.into()));
    let threads: [Option<Thread>; MAX_CPUS] = core::array::from_fn(start);
    threads.into_iter().flatten().for_each(Thread::join);
    check_eq!(TURN.load(Ordering::SeqCst), ROUNDS * count as u32);

    let all = cpus.iter().fold(0, |mask, cpu| mask | 1 << cpu);
    let threads: [Option<Thread>; MAX_CPUS] =
        core::array::from_fn(|index| (index < count).then(|| Thread::start(free, all)));
    threads.into_iter().flatten().for_each(Thread::join);
    check_eq!(SEEN.load(Ordering::SeqCst) & all, all);
}
