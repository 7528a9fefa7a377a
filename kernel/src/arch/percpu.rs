//! The area that belongs to one CPU, found through GS.
//!
//! In the kernel the GS base is the address of the CPU's [`PerCpu`]; in ring 3 it is the program's, with the
//! kernel's in `IA32_KERNEL_GS_BASE`. `swapgs` at the border exchanges them. What other CPUs write (mailboxes, jobs) is
//! elsewhere, so that nobody else writes these cache lines.

use core::arch::asm;
use core::cell::{Cell, OnceCell, UnsafeCell};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use mm::event::Event;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::structures::tss::TaskStateSegment;

use super::user::FaultHandler;

/// CPUs that the kernel can have.
pub(crate) const MAX_CPUS: usize = 16;

/// One CPU's area. Its fields are used by that CPU only; those that interrupt handlers use too say so. No two areas share
/// a cache line, or a pair of lines that is fetched together.
#[repr(C, align(128))]
pub(super) struct PerCpu {
    /// This area's own address, so that GS-relative code can get a pointer.
    this: Cell<*const PerCpu>,
    /// Stack pointer to return to from ring 3. Written and read with interrupts off.
    pub(super) kernel_rsp: Cell<u64>,
    /// Scratch of the system call entry. Interrupts are off while it means something.
    pub(super) user_rsp: Cell<u64>,
    /// Which context's FS and GS bases are loaded: the generation that the context carries.
    pub(super) bases: Cell<u64>,
    /// Who resolves faults of the user copy routines.
    pub(super) fault_handler: Cell<Option<FaultHandler>>,
    /// Where an abandoned run on another stack goes back to: a stack pointer, or 0.
    pub(super) recovery: Cell<u64>,
    /// Number of the last flush of the address space that is loaded that an empty TLB has made unnecessary. Used with
    /// interrupts off.
    pub(super) flushed: Cell<u64>,
    /// The number of this CPU. Never changes once the CPU runs.
    pub(super) number: Cell<u32>,
    /// Its task state segment. The stack for entries from ring 3 is the end of the frame in the context of the program in
    /// ring 3, or of the last one; written and read with interrupts off.
    pub(super) task_state: UnsafeCell<TaskStateSegment>,
    /// What has happened on this CPU, by event. Written by this CPU, read by all.
    events: [AtomicU64; Event::ALL.len()],
}

/// Offsets for the assembler.
pub(super) mod offset {
    use super::{PerCpu, TaskStateSegment};
    use core::mem::offset_of;

    pub(in crate::arch) const ENTRY_RSP: usize =
        offset_of!(PerCpu, task_state) + offset_of!(TaskStateSegment, privilege_stack_table);
    const _: () = assert!(ENTRY_RSP.is_multiple_of(8));
    pub(in crate::arch) const KERNEL_RSP: usize = offset_of!(PerCpu, kernel_rsp);
    pub(in crate::arch) const USER_RSP: usize = offset_of!(PerCpu, user_rsp);
    pub(in crate::arch) const BASES: usize = offset_of!(PerCpu, bases);
    pub(super) const NUMBER: usize = offset_of!(PerCpu, number);
    pub(super) const EVENTS: usize = offset_of!(PerCpu, events);
}

struct Areas([PerCpu; MAX_CPUS]);

// SAFETY: each element is used by its own CPU only: `current` is the only way to one, but for the counters, which are
// atomics.
unsafe impl Sync for Areas {}

static AREAS: Areas = Areas(
    [const {
        PerCpu {
            this: Cell::new(ptr::null()),
            kernel_rsp: Cell::new(0),
            user_rsp: Cell::new(0),
            bases: Cell::new(0),
            fault_handler: Cell::new(None),
            recovery: Cell::new(0),
            flushed: Cell::new(0),
            number: Cell::new(0),
            task_state: UnsafeCell::new(TaskStateSegment::new()),
            events: [const { AtomicU64::new(0) }; Event::ALL.len()],
        }
    }; MAX_CPUS],
);

/// The area of a CPU below [`MAX_CPUS`].
pub(super) fn area(number: u32) -> *const PerCpu {
    &raw const AREAS.0[number as usize]
}

/// Gives the running CPU the area of this number. Before this, [`current`] must not be called.
pub(super) fn init(number: u32) {
    assert!((number as usize) < MAX_CPUS, "CPU {number} has an area");
    let area = area(number);
    // SAFETY: an element of the static, and this CPU's own.
    unsafe {
        (*area).this.set(area);
        (*area).number.set(number);
    }
    GsBase::write(VirtAddr::from_ptr(area));
    KernelGsBase::write(VirtAddr::zero());
}

/// The running CPU's area. The kernel does not move between CPUs while it holds the reference.
#[inline]
pub(super) fn current() -> &'static PerCpu {
    let area: *const PerCpu;
    // SAFETY: `this` is at offset 0 of the area that GS points to since `init`.
    unsafe { asm!("mov {}, gs:[0]", out(reg) area, options(nostack, preserves_flags, readonly)) };
    // SAFETY: set by `init` to an element of a static.
    unsafe { &*area }
}

/// Generation of the loaded FS and GS bases (see [`PerCpu::bases`]).
#[inline]
pub(super) fn bases() -> u64 {
    let generation: u64;
    // SAFETY: reads a field of this CPU's area.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) generation, const offset::BASES,
            options(nostack, preserves_flags, readonly));
    }
    generation
}

/// The number of the running CPU, from 0.
#[inline]
pub(crate) fn cpu_number() -> u32 {
    let number: u32;
    // SAFETY: reads a field of this CPU's area.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) number, const offset::NUMBER,
            options(nostack, preserves_flags, readonly));
    }
    // SAFETY: `init` gives no other numbers. Lookups by number need no check of their own.
    unsafe { core::hint::assert_unchecked((number as usize) < MAX_CPUS) };
    number
}

/// Counts `event` on the running CPU, in one instruction, so that it does not matter where an interrupt comes.
#[inline]
pub(crate) fn count(event: Event) {
    // SAFETY: an element of a field of this CPU's area, an atomic that only this CPU writes, in this way only; so that a
    // reader on another CPU finds the old number or the new one.
    unsafe {
        asm!("inc qword ptr gs:[{} * 8 + {}]", in(reg) event as usize, const offset::EVENTS, options(nostack));
    }
}

/// How often `event` has happened, on all CPUs together; a sum over counters that may move meanwhile.
pub(crate) fn counted(event: Event) -> u64 {
    AREAS.0.iter().map(|area| area.events[event as usize].load(Ordering::Relaxed)).sum()
}

/// A value of each CPU's own, made when that CPU first uses it.
pub(crate) struct Local<T>([OnceCell<T>; MAX_CPUS]);

// SAFETY: each element is made and used by its own CPU only: `with` is the only way to one.
unsafe impl<T: Send> Sync for Local<T> {}

impl<T> Local<T> {
    /// No CPU has a value yet.
    pub(crate) const fn new() -> Self {
        Local([const { OnceCell::new() }; MAX_CPUS])
    }

    /// Runs `user` with the running CPU's value; `make` makes it for the CPU with this number. No interrupt handler uses
    /// the same value, and the kernel does not move between CPUs meanwhile.
    #[inline]
    pub(crate) fn with<R>(&self, make: impl FnOnce(u32) -> T, user: impl FnOnce(&T) -> R) -> R {
        let cpu = cpu_number();
        user(self.0[cpu as usize].get_or_init(|| make(cpu)))
    }
}
