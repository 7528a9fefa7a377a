//! Forgetting translations, on every CPU that may have them: TLB shootdown.
//!
//! ```text
//!  flusher                                          target
//!  request (on its stack) ──push──► mailbox ──IPI──► takes all requests, forgets, answers each
//!  forgets by itself                                  ▲
//!  waits until all have answered ◄── clears its bit ──┘
//! ```
//!
//! - **Who.** The CPUs in [`TlbState::cpus`], and no others. The kernel is eager: a CPU that leaves an address space loads
//!   another root, which empties its TLB (no PCIDs), and takes itself off. So idle CPUs hold nothing, and need not be asked
//!   when tables are freed.
//! - **No deadlock.** Whoever waits answers others, by interrupt where interrupts are on, and by looking into its own mailbox
//!   in any case. No request waits for anything but the CPU it went to.
//! - **Batches.** A mailbox is a stack of requests that is taken as a whole; only the first of them sends an interrupt. A CPU
//!   that empties its TLB notes the number of flushes of the address space that it has seen by then
//!   ([`TlbState::generation`]), and has nothing to do for a request with a number that is not greater. One that loads the
//!   address space later begins with the number at that time.
//! - **Sleep.** A flusher that has waited for long halts, and the last one to answer wakes it up.
//! - **Lifetime.** A request lies on the flusher's stack until all have answered, and holds the `TlbState` for as long.
//!   Nobody keeps a pointer to one: whether an address space is loaded, it tells itself.

use core::hint;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use mm::tlb::{Flush, FlushScope, TlbState};
use mm::{Cpu, PAGE_SIZE, PageRange, PageSize};
use x86_64::VirtAddr;

use super::apic::{self, Message};
use super::percpu::{self, MAX_CPUS};
use super::{cpu_number, interrupts, smp, trampoline, trap, user};

/// What to forget.
enum Subject<'a> {
    /// Translations of an address space, of its flush number `generation` or an earlier one.
    User { tlb: &'a TlbState, generation: u64, scope: FlushScope },
    /// Translations of the kernel half, in bytes.
    Kernel(Range<u64>),
}

/// A flush that other CPUs take part in.
struct Request<'a> {
    subject: Subject<'a>,
    /// Bit n: CPU n has not forgotten yet; and [`ASLEEP`].
    unanswered: AtomicU64,
    /// The CPU to wake up.
    flusher: AtomicU32,
    /// By CPU: the next request in its mailbox.
    next: [AtomicPtr<Request<'static>>; MAX_CPUS],
}

/// The flusher halts until an interrupt.
const ASLEEP: u64 = 1 << 63;
const _: () = assert!(MAX_CPUS < 63);
/// Looks at the answers before the flusher halts: a fraction of a millisecond, as the CPU that is asked may need this one's
/// place on the host.
const LOOKS_AWAKE: u32 = 300;

/// Requests to a CPU; in cache lines of its own, as others write it.
#[repr(align(128))]
struct Mailbox {
    /// The newest, or null.
    requests: AtomicPtr<Request<'static>>,
    /// Requests answered so far. Written by the CPU.
    #[cfg(feature = "test")]
    answered: AtomicU64,
}

static MAILBOXES: [Mailbox; MAX_CPUS] = [const {
    Mailbox {
        requests: AtomicPtr::new(ptr::null_mut()),
        #[cfg(feature = "test")]
        answered: AtomicU64::new(0),
    }
}; MAX_CPUS];

/// Requests that a CPU has answered so far.
#[cfg(feature = "test")]
pub(crate) fn answered(cpu: u32) -> u64 {
    MAILBOXES[cpu as usize].answered.load(Ordering::Relaxed)
}

/// Makes every CPU that may cache translations of the address space behind `tlb` forget those of `flush`; returns when all
/// have. What was cleared in its tables before the number of its flushes went up last is in memory.
#[inline]
pub(crate) fn flush(tlb: &TlbState, flush: Flush) {
    let subject = Subject::User { tlb, generation: tlb.generation(), scope: flush.scope };
    carry_out(subject, || tlb.cpus());
}

/// Makes every CPU forget its translations of `pages` of the kernel half, which have been unmapped (bytes, page aligned).
/// Returns when all have.
pub(super) fn flush_kernel(pages: Range<u64>) {
    carry_out(Subject::Kernel(pages), smp::working);
}

#[inline]
fn carry_out(subject: Subject<'_>, cpus: impl Fn() -> u64) {
    let own = |cpu: u32| 1u64 << cpu;
    // Interrupts are off from the look at the CPUs until this one has forgotten: it stays the one that it is.
    let others = interrupts::without(|| {
        let (cpus, own) = (cpus(), own(cpu_number()));
        if cpus & !own == 0 && cpus & own != 0 {
            subject.forget();
        }
        cpus & !own
    });
    if others != 0 {
        with_others(subject, cpus);
    }
}

#[cold]
fn with_others(subject: Subject<'_>, cpus: impl Fn() -> u64) {
    let request = Request {
        subject,
        unanswered: AtomicU64::new(0),
        flusher: AtomicU32::new(0),
        next: [const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS],
    };
    interrupts::without(|| {
        let (cpus, own) = (cpus(), 1u64 << cpu_number());
        request.unanswered.store(cpus & !own, Ordering::Relaxed);
        smp::numbers(cpus & !own).for_each(|cpu| request.send_to(cpu));
        if cpus & own != 0 {
            request.subject.forget();
        }
    });
    request.wait();
}

impl Request<'_> {
    /// Waits until all have answered.
    fn wait(&self) {
        let may_halt = x86_64::instructions::interrupts::are_enabled();
        let mut looks = 0;
        while self.unanswered.load(Ordering::Acquire) & !ASLEEP != 0 {
            answer();
            hint::spin_loop();
            looks += 1;
            if may_halt && looks % LOOKS_AWAKE == 0 {
                self.halt();
            }
        }
    }

    /// Halts until the last one has answered, or any other interrupt.
    fn halt(&self) {
        // With interrupts off, so that the wake-up comes after the halt has begun.
        x86_64::instructions::interrupts::disable();
        self.flusher.store(cpu_number(), Ordering::Relaxed);
        if self.unanswered.fetch_or(ASLEEP, Ordering::AcqRel) & !ASLEEP != 0 {
            interrupts::wait();
        } else {
            interrupts::enable();
        }
        self.unanswered.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    /// CPU `cpu`, which runs this, has forgotten. The request may be gone afterwards.
    fn answered_by(&self, cpu: u32) {
        let mut before = self.unanswered.load(Ordering::Acquire);
        loop {
            // Read after a look that tells that the flusher sleeps. (If it has slept elsewhere before, a timer wakes it.)
            let flusher = self.flusher.load(Ordering::Relaxed);
            let after = before & !(1 << cpu);
            match self.unanswered.compare_exchange_weak(before, after, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if after == ASLEEP => {
                    return apic::send(trampoline::id_of(flusher), Message::Interrupt(trap::WAKE));
                }
                Ok(_) => return,
                Err(now) => before = now,
            }
        }
    }

    /// Puts the request into the mailbox of `cpu`, which is one of `unanswered`. The caller waits for the answer.
    fn send_to(&self, cpu: u32) {
        let mailbox = &MAILBOXES[cpu as usize].requests;
        let own = ptr::from_ref(self).cast_mut().cast();
        let mut newest = mailbox.load(Ordering::Relaxed);
        loop {
            self.next[cpu as usize].store(newest, Ordering::Relaxed);
            match mailbox.compare_exchange_weak(newest, own, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => newest = now,
            }
        }
        // Else an interrupt is on its way, and the CPU will take this one with the others.
        if newest.is_null() {
            apic::send(trampoline::id_of(cpu), Message::Interrupt(trap::FLUSH));
        }
    }
}

impl Subject<'_> {
    /// Forgets on this CPU. Interrupts are off.
    #[inline]
    fn forget(&self) {
        match self {
            Subject::User { tlb, generation, scope } => forget_user(tlb, *generation, *scope),
            Subject::Kernel(pages) => pages.clone().step_by(4096).for_each(flush_page),
        }
    }
}

#[inline]
fn forget_user(tlb: &TlbState, generation: u64, scope: FlushScope) {
    let cpu = percpu::current();
    // It has loaded another root since, or emptied its TLB after the entries were cleared. (Its bit changes only on this CPU.)
    if !tlb.is_loaded_on(Cpu(cpu.number.get())) || cpu.flushed.get() >= generation {
        return;
    }
    match scope {
        FlushScope::Range(range) => range.iter().for_each(|page| flush_page(page.address())),
        // Any page of a huge translation will do.
        FlushScope::Huge(range) => {
            let first = PageRange::around(range.start(), PageSize::Huge).start().number();
            let pages = (first..range.end().number()).step_by(PageSize::Huge.pages() as usize);
            pages.for_each(|page| flush_page(page * PAGE_SIZE));
        }
        FlushScope::All => {
            let generation = tlb.generation();
            flush_user();
            cpu.flushed.set(generation);
        }
    }
}

/// Answers what is in the mailbox of this CPU. By the interrupt, and by everybody who waits with interrupts off for
/// something that a flusher may hold.
pub(super) fn answer() {
    interrupts::without(|| {
        let cpu = cpu_number();
        let mailbox = &MAILBOXES[cpu as usize];
        if mailbox.requests.load(Ordering::Relaxed).is_null() {
            return;
        }
        let mut pointer = mailbox.requests.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: a request that is in the mailbox is alive until this CPU has cleared its bit, which it does last.
        while let Some(request) = unsafe { pointer.as_ref() } {
            pointer = request.next[cpu as usize].load(Ordering::Relaxed);
            request.subject.forget();
            #[cfg(feature = "test")]
            mailbox.answered.fetch_add(1, Ordering::Relaxed);
            request.answered_by(cpu);
        }
    });
}

/// Loads the address space with the root table at the physical address `root` on this CPU. Its TLB state is `tlb`. Both stay
/// alive until this CPU [leaves](leave) it. No other address space is loaded afterwards.
pub(crate) fn load(root: u64, tlb: &TlbState) {
    interrupts::without(|| {
        let cpu = percpu::current();
        tlb.load(Cpu(cpu.number.get()));
        // The number before the load, so that it is not too great.
        let generation = tlb.generation();
        user::load_root(root);
        cpu.flushed.set(generation);
    });
}

/// [Leaves](leave) the address space behind `from` for the one behind `tlb`, as [`load`] does, with one load of the root table.
pub(crate) fn switch(root: u64, tlb: &TlbState, from: &TlbState) {
    interrupts::without(|| {
        load(root, tlb);
        from.unload(Cpu(cpu_number()));
    });
}

/// Leaves the loaded address space, whose TLB state is `tlb`, for the kernel's own tables.
pub(crate) fn leave(tlb: &TlbState) {
    interrupts::without(|| {
        user::load_kernel_root();
        tlb.unload(Cpu(cpu_number()));
    });
}

/// Forgets the translation of one page, and all that this CPU caches of the tables above any page.
#[inline]
fn flush_page(address: u64) {
    x86_64::instructions::tlb::flush(VirtAddr::new_truncate(address));
}

/// Forgets all translations of the user half, on this CPU.
#[inline]
fn flush_user() {
    // A load of CR3 keeps only global translations, which are the kernel's.
    x86_64::instructions::tlb::flush_all();
}
