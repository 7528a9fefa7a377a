//! Running a function on other CPUs.
//!
//! A job lies on the stack of the one who wants it done; each CPU has a slot for a pointer to one. The idle loop of a CPU
//! ([`crate::sched::join`]) takes it out and does it with interrupts on, as ordinary kernel code; an interrupt gets the CPU
//! out of its sleep.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::percpu::MAX_CPUS;
use super::{apic, cpu_number, interrupts, smp, trampoline, trap};

/// Something to be done on several CPUs.
struct Job<'a> {
    /// Called with the number of the CPU.
    work: &'a (dyn Fn(u32) + Sync),
    /// The CPU that waits for it.
    asker: u32,
    /// The CPUs that have not done it yet.
    undone: AtomicU64,
}

/// What a CPU is to do next; in cache lines of its own, as others write it.
#[repr(align(128))]
struct Slot(AtomicPtr<Job<'static>>);

static SLOTS: [Slot; MAX_CPUS] = [const { Slot(AtomicPtr::new(ptr::null_mut())) }; MAX_CPUS];
/// Calls of [`on`] that have not returned.
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// Runs `work` on the CPUs of a set at the same time, and returns when all have done it. A CPU does it when it idles, this
/// one at once; each calls `work` with its number. All of them work, interrupts are on, and `work` does not get here again.
pub(crate) fn on(cpus: u64, work: &(dyn Fn(u32) + Sync)) {
    let asker = cpu_number();
    let own = 1u64 << asker;
    let job = Job { work, asker, undone: AtomicU64::new(cpus & !own) };
    UNDER_WAY.fetch_add(1, Ordering::Relaxed);
    for number in smp::numbers(cpus & !own) {
        let pointer = (&raw const job).cast_mut().cast();
        let slot = &SLOTS[number as usize].0;
        interrupts::wait_until(|| {
            slot.compare_exchange(ptr::null_mut(), pointer, Ordering::Release, Ordering::Relaxed).is_ok()
        });
        wake(number);
    }
    if cpus & own != 0 {
        work(asker);
    }
    // A panic does not get past here: see `is_under_way`.
    interrupts::wait_until(|| job.undone.load(Ordering::Acquire) == 0);
    UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
}

/// Whether some CPU may be using the stack of another one, so that this must not be given up.
#[cfg(feature = "test")]
pub(crate) fn is_under_way() -> bool {
    UNDER_WAY.load(Ordering::Relaxed) != 0
}

/// Ends a halt of a CPU, or makes a program on it enter the kernel.
pub(crate) fn wake(number: u32) {
    apic::send(trampoline::id_of(number), apic::Message::Interrupt(trap::WAKE));
}

/// Does what another CPU wants of this one, if anything; whether there was something. For idle loops, with interrupts on.
pub(crate) fn work() -> bool {
    let number = cpu_number();
    let job = SLOTS[number as usize].0.swap(ptr::null_mut(), Ordering::AcqRel);
    if job.is_null() {
        return false;
    }
    // SAFETY: `on` does not return before this CPU has taken itself off `undone`, which is its last use of the job. (And a
    // run that is given up is not given up meanwhile, see `is_under_way`.)
    unsafe {
        ((*job).work)(number);
        let asker = (*job).asker;
        if (*job).undone.fetch_and(!(1 << number), Ordering::Release) == 1 << number {
            wake(asker);
        }
    }
    true
}

/// Whether another CPU wants something of this one.
pub(crate) fn has_work() -> bool {
    !SLOTS[cpu_number() as usize].0.load(Ordering::Acquire).is_null()
}
