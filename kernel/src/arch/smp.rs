//! Other CPUs than the one that booted: started, counted, idle.
//!
//! ```text
//! boot CPU:  number, stacks ─► STARTING ─► INIT, STARTUP ─► waits ─► too long: LEFT_OUT
//! other CPU:                                  trampoline ─► sets itself up ─► ONLINE ─► idle
//! ```
//!
//! Both last steps are a compare-and-exchange of the CPU's state, so a CPU that comes too late finds itself left out, and
//! stops. All CPUs start at the same time; the numbers of those that work need not be without gaps.

use core::hint;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use spin::Once;

use super::apic::{self, Message};
use super::percpu::MAX_CPUS;
use super::{
    clock, cpu, cpu_number, init_this_cpu, interrupts, parallel, processors, stack, stop, trampoline, user,
};
use crate::{memory, time};

/// A CPU that nobody has started.
const ABSENT: u8 = 0;
/// It has been sent for.
const STARTING: u8 = 1;
/// It works.
const ONLINE: u8 = 2;
/// It has not come, and must not come any more.
const LEFT_OUT: u8 = 3;

/// By CPU number. The boot CPU's is not used.
static STATES: [AtomicU8; MAX_CPUS] = [const { AtomicU8::new(ABSENT) }; MAX_CPUS];
/// Bit n: CPU n works. Only grows.
static WORKING: AtomicU64 = AtomicU64::new(1);
/// What CPUs do that have nothing to do.
static IDLE: Once<fn() -> !> = Once::new();

/// Looks at the states before a CPU is left out: several seconds, as it may not be the only one that this host emulates.
const MAX_POLLS: u32 = 20_000_000;
/// Looks between two messages that start a CPU.
const POLLS_BETWEEN: u32 = 200;

/// The CPUs that work, bit n for CPU n; this never loses one.
#[inline]
pub(crate) fn working() -> u64 {
    WORKING.load(Ordering::Acquire)
}

/// How many CPUs work.
pub(crate) fn count() -> u32 {
    working().count_ones()
}

/// The numbers in a set of CPUs.
pub(crate) fn numbers(mut cpus: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let first = cpus.trailing_zeros();
        cpus &= cpus.wrapping_sub(1);
        (first < u64::BITS).then_some(first)
    })
}

/// Starts all CPUs that the firmware knows of, and has each continue in `idle` on its main stack, with interrupts on and
/// its timer running. Returns when they work; one that does not is reported. On the boot CPU, with interrupts on and the
/// clocks set up.
pub(crate) fn start_others(idle: fn() -> !) {
    let Some(processors) = processors::get() else { return };
    if let Some(error) = &processors.error {
        log::warn!("the firmware's list of processors cannot be read: {error:?}");
    }
    if processors.ignored > 0 {
        log::warn!("{} processors are left out: there is room for {MAX_CPUS}", processors.ignored);
    }
    if processors.ids().len() < 2 {
        return;
    }
    let Some(start_up) = memory::start_up_pages() else {
        log::warn!("no memory below 1 MiB: other processors cannot be started");
        return;
    };
    IDLE.call_once(|| idle);
    trampoline::write(start_up);
    trampoline::set_id(0, apic::id());
    let cpus = prepare(processors.ids());
    let left_out = cpus & !send_for(cpus, start_up, MAX_POLLS);
    for number in numbers(left_out) {
        log::warn!("CPU {number} (local APIC {}) does not start: left out", trampoline::id_of(number));
    }
    check_clocks();
    log::info!("{} CPUs", count());
}

/// Gives each processor but this one a number and stacks; the set of the numbers.
fn prepare(ids: &[u32]) -> u64 {
    let mut cpus = 0;
    for (number, &id) in (1..).zip(ids.iter().filter(|&&id| id != trampoline::id_of(0))) {
        if stack::of_cpu(number).any(|pages| memory::map_kernel_pages(pages).is_err()) {
            log::warn!("no memory for the stacks of CPU {number}: left out, and all after it");
            break;
        }
        trampoline::set_id(number, id);
        cpus |= 1 << number;
    }
    cpus
}

/// Sends for `cpus`, whose start-up code is at `start_up`, and waits for at most so many looks; those that work then.
fn send_for(cpus: u64, start_up: u64, polls: u32) -> u64 {
    let is_working = |cpus: u64| working() & cpus == cpus;
    let send =
        |cpus: u64, message| numbers(cpus).for_each(|number| apic::send(trampoline::id_of(number), message));
    numbers(cpus).for_each(|number| STATES[number as usize].store(STARTING, Ordering::Release));
    // Intel SDM volume 3, 9.4.4: the second STARTUP is for processors that missed the first.
    send(cpus, Message::Init);
    poll(POLLS_BETWEEN, || false);
    send(cpus, Message::StartUp((start_up >> 12) as u8));
    if !poll(POLLS_BETWEEN, || is_working(cpus)) {
        send(cpus & !working(), Message::StartUp((start_up >> 12) as u8));
        poll(polls, || is_working(cpus));
    }
    for number in numbers(cpus & !working()) {
        // One that is just coming wins, or stops.
        let state = &STATES[number as usize];
        if state.compare_exchange(STARTING, LEFT_OUT, Ordering::AcqRel, Ordering::Acquire).is_err() {
            while working() & 1 << number == 0 {
                hint::spin_loop();
            }
        }
    }
    working() & cpus
}

/// Looks up to so many times whether `is_over`.
fn poll(polls: u32, is_over: impl Fn() -> bool) -> bool {
    (0..polls).any(|_| {
        hint::spin_loop();
        is_over()
    })
}

/// Where a CPU comes from the trampoline, on its main stack and with its number. Interrupts are off.
pub(super) extern "C" fn start(number: u32) -> ! {
    cpu::enable_features();
    init_this_cpu(number);
    user::load_kernel_root();
    apic::init_this_cpu();
    let state = &STATES[number as usize];
    if state.compare_exchange(STARTING, ONLINE, Ordering::AcqRel, Ordering::Acquire).is_err() {
        stop::halt();
    }
    WORKING.fetch_or(1 << number, Ordering::AcqRel);
    apic::start_timer(time::TICKS_PER_SECOND);
    interrupts::enable();
    IDLE.get().expect("set before any CPU is started")()
}

/// Compares the time-stamp counters of all CPUs with this one's: each must lie between two readings here.
fn check_clocks() {
    for number in numbers(working() & !(1 << cpu_number())) {
        let other = AtomicU64::new(0);
        let before = clock::ticks();
        parallel::on(1 << number, &|_| other.store(clock::ticks(), Ordering::Relaxed));
        let after = clock::ticks();
        let other = other.into_inner();
        if !(before..=after).contains(&other) {
            log::warn!(
                "the time-stamp counter of CPU {number} is off: {other} is not between {before} and {after}"
            );
        }
    }
}
