//! Ring 3 as a function: [`enter_unless`] runs a program until it wants something and returns what.
//!
//! ```text
//!  enter ── note the stack pointer ── registers from the Context ── swapgs ── sysretq / iretq ──► ring 3
//!    ▲                                                                                             │
//!    └── ret ◄── the noted stack pointer ◄── registers into the Context ◄── swapgs ◄── syscall, exception, interrupt
//! ```
//!
//! Rules of the border (Intel SDM volume 3, 5.8.8 and 6.14):
//! - Interrupts are off from before the kernel's last use of GS until ring 3, and from the entry until GS is the
//!   kernel's again. Only a non-maskable interrupt, a machine check or a debug exception can come in between;
//!   those have stacks and an entry of their own that does not rely on GS (see [`super::trap`]).
//! - `sysretq` is used only after `syscall`, with the address that the CPU itself reported: it is never
//!   non-canonical, because the last page below the hole is never mapped ([`USER_END`]). An address that the
//!   kernel set goes through `iretq` and is checked before.
//! - What the program had in FS and GS base stays in the CPU until another context is entered.

mod entry;

use core::mem::offset_of;
use core::ptr::NonNull;

use mm::USER_END;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{FsBase, KernelGsBase};
use x86_64::registers::rflags::RFlags;

pub(crate) use super::trap::TIMER;
use super::{descriptors, paging, percpu, trap};
use entry::cross;
pub(super) use entry::{syscall_entry, trap_entry, trap_entry_ist};

pub(crate) use super::usercopy::{Fault, copy_from_user, copy_to_user, strncpy_from_user};

/// Interrupts are on in ring 3; bit 1 is always set.
const FIXED_FLAGS: u64 = RFlags::INTERRUPT_FLAG.bits() | 2;

/// In a page-fault error code: a reserved bit of a page-table entry is set.
const RESERVED_BIT: u64 = 8;

/// Values of [`Context::cause`] beside those that the stubs push (from [`trap::CAUSE`] on, below this): a system call, which
/// `sysretq` goes back from.
const BY_SYSCALL: u64 = 0;
/// To be looked at before it can be entered, by `iretq`.
const UNPREPARED: u64 = 2 * trap::CAUSE;

/// The registers of a program in ring 3.
///
/// The general registers are public: a system call finds its number in `rax`, its arguments in `rdi`, `rsi`,
/// `rdx`, `r10`, `r8`, `r9`, and takes its result in `rax`. The rest has rules and goes through methods.
/// The layout up to `ss` is what [`entry`] and the CPU push, from the last to the first; the CPU wants its end aligned to
/// 16 bytes.
#[repr(C, align(16))]
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub(crate) struct Context {
    pub(crate) r15: u64,
    pub(crate) r14: u64,
    pub(crate) r13: u64,
    pub(crate) r12: u64,
    /// As `rcx`.
    pub(crate) r11: u64,
    pub(crate) r10: u64,
    pub(crate) r9: u64,
    pub(crate) r8: u64,
    pub(crate) rbp: u64,
    pub(crate) rdi: u64,
    pub(crate) rsi: u64,
    pub(crate) rdx: u64,
    /// After a system call only once the context was [settled](Context::settle).
    pub(crate) rcx: u64,
    pub(crate) rbx: u64,
    pub(crate) rax: u64,
    /// Why the program came back, and how it is entered again: [`BY_SYSCALL`], what the stub pushed, [`UNPREPARED`].
    cause: u64,
    /// The error code of the last exception or interrupt, or 0.
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    /// Stack pointer.
    pub(crate) rsp: u64,
    ss: u64,
    /// CR2 at the last exception or interrupt.
    fault_address: u64,
    /// Equal to the CPU's while FS and GS base of this context are in the CPU; never 0 then.
    bases: u64,
    /// Valid while not in the CPU.
    fs_base: u64,
    /// Valid while not in the CPU.
    gs_base: u64,
}

/// Size of what is pushed, in bytes.
const FRAME_SIZE: usize = offset_of!(Context, fault_address);
const _: () = assert!(FRAME_SIZE.is_multiple_of(16) && FRAME_SIZE == size_of::<trap::TrapFrame>());

/// A system call as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    /// What was in `rax`.
    pub(crate) number: u64,
    /// What was in `rdi`, `rsi`, `rdx`, `r10`, `r8` and `r9`.
    pub(crate) arguments: [u64; 6],
}

/// Why a program came back from ring 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// It made a system call.
    Syscall(Call),
    /// It touched a page that is not there or forbids it.
    PageFault(PageFault),
    /// Any other exception.
    Exception {
        /// The number of the exception (Intel SDM volume 3, table 6-1).
        vector: u8,
        /// The error code, or 0 for exceptions that have none.
        error: u64,
    },
    /// An interrupt came, and has been handled.
    Interrupt(u8),
    /// It was not entered, but will be the next time: see [`enter_unless`].
    NotEntered,
}

/// A page fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageFault {
    /// The address that was touched, in bytes.
    pub(crate) address: u64,
    /// What for.
    pub(crate) access: UserAccess,
    /// Whether a page was there and its protection forbade the access.
    pub(crate) present: bool,
}

/// How a program touches memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UserAccess {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

impl PageFault {
    /// Decodes a page-fault error code (Intel SDM volume 3, 4.7).
    #[inline]
    pub(super) fn new(address: u64, error: u64) -> Self {
        let access = match error {
            _ if error & 0x10 != 0 => UserAccess::Execute,
            _ if error & 2 != 0 => UserAccess::Write,
            _ => UserAccess::Read,
        };
        PageFault { address, access, present: error & 1 != 0 }
    }
}

/// What became of a fault in a user copy routine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resolution {
    /// The page is there now: try again.
    Resolved,
    /// The program may not touch this address: the copy fails.
    Failed,
}

/// A pointer to a fault handler that [`with_fault_handler`] keeps alive.
pub(super) type FaultHandler = NonNull<dyn Fn(PageFault) -> Resolution>;

/// Runs `body`; meanwhile `handler` is asked about page faults of the user copy routines on this CPU. It runs
/// with interrupts as they were at the fault, and may be called wherever the copy routines are.
pub(crate) fn with_fault_handler<R>(
    handler: &dyn Fn(PageFault) -> Resolution,
    body: impl FnOnce() -> R,
) -> R {
    // SAFETY: only forgets the lifetime; the pointer is gone again before `handler` is, below. Panics do not
    // unwind in the kernel, and an abandoned run resets the field (`stack::run_on`).
    let pointer: FaultHandler = unsafe { core::mem::transmute(NonNull::from(handler)) };
    let cpu = percpu::current();
    let outer = cpu.fault_handler.replace(Some(pointer));
    let result = body();
    cpu.fault_handler.set(outer);
    result
}

/// Asks the current handler about a fault of a user copy routine.
pub(super) fn resolve(fault: PageFault) -> Resolution {
    match percpu::current().fault_handler.get() {
        // SAFETY: `with_fault_handler` has not returned, so the handler is alive.
        Some(handler) => unsafe { handler.as_ref()(fault) },
        None => Resolution::Failed,
    }
}

impl Context {
    /// A program about to start at `rip` with the stack pointer `rsp` and everything else zero.
    pub(crate) const fn new(rip: u64, rsp: u64) -> Self {
        Context {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rbp: 0,
            rdi: 0,
            rsi: 0,
            rdx: 0,
            rcx: 0,
            rbx: 0,
            rax: 0,
            cause: UNPREPARED,
            error: 0,
            rip,
            cs: descriptors::USER_CODE as u64,
            rflags: FIXED_FLAGS,
            rsp,
            ss: descriptors::USER_DATA as u64,
            fault_address: 0,
            bases: 0,
            fs_base: 0,
            gs_base: 0,
        }
    }

    /// Address of the next instruction.
    pub(crate) fn rip(&self) -> u64 {
        self.rip
    }

    /// Base address of the FS segment.
    pub(crate) fn fs_base(&self) -> u64 {
        if self.in_cpu() { FsBase::read().as_u64() } else { self.fs_base }
    }

    /// Sets the base address of the FS segment.
    ///
    /// # Errors
    /// When the address is outside the user half; nothing is changed then.
    pub(crate) fn set_fs_base(&mut self, base: u64) -> Result<(), Fault> {
        user_address(base)?;
        self.fs_base = base;
        if self.in_cpu() {
            FsBase::write(VirtAddr::new(base));
        }
        Ok(())
    }

    /// Base address of the GS segment.
    pub(crate) fn gs_base(&self) -> u64 {
        if self.in_cpu() { KernelGsBase::read().as_u64() } else { self.gs_base }
    }

    /// Sets the base address of the GS segment.
    ///
    /// # Errors
    /// When the address is outside the user half; nothing is changed then.
    pub(crate) fn set_gs_base(&mut self, base: u64) -> Result<(), Fault> {
        user_address(base)?;
        self.gs_base = base;
        if self.in_cpu() {
            KernelGsBase::write(VirtAddr::new(base));
        }
        Ok(())
    }

    #[inline]
    fn in_cpu(&self) -> bool {
        self.bases != 0 && self.bases == percpu::bases()
    }

    /// Whether it can be entered, which an address outside the user half prevents. Loads FS and GS base where that is due.
    #[cold]
    fn prepare(&mut self) -> bool {
        if self.rip >= USER_END {
            return false;
        }
        if !self.in_cpu() {
            self.bases = next_generation();
            percpu::current().bases.set(self.bases);
            FsBase::write(VirtAddr::new_truncate(self.fs_base));
            KernelGsBase::write(VirtAddr::new_truncate(self.gs_base));
        }
        self.cause = trap::CAUSE;
        true
    }

    #[inline]
    fn event(&mut self) -> Event {
        if self.cause as u8 == trap::PAGE_FAULT && self.error & RESERVED_BIT == 0 {
            return Event::PageFault(PageFault::new(self.fault_address, self.error));
        }
        if self.cause == UNPREPARED {
            let general_protection = Event::Exception { vector: trap::GENERAL_PROTECTION, error: 0 };
            return if self.prepare() { Event::NotEntered } else { general_protection };
        }
        let vector = self.cause as u8;
        if self.is_interrupt() {
            Event::Interrupt(vector)
        } else {
            Event::Exception { vector, error: self.error }
        }
    }

    /// Whether it was an interrupt that made the program come back, which is handled then.
    #[cold]
    fn is_interrupt(&self) -> bool {
        let vector = self.cause as u8;
        match vector {
            trap::PAGE_FAULT => panic!("a page-table entry for {:#x} is corrupt", self.fault_address),
            trap::DOUBLE_FAULT | trap::MACHINE_CHECK => panic!("{} in ring 3", trap::name(vector)),
            0..32 if vector != trap::NON_MASKABLE => false,
            _ => {
                trap::interrupt(vector);
                true
            }
        }
    }
}

/// A copy has its own FS and GS base, as they are now, and can be entered like any other.
impl Clone for Context {
    fn clone(&self) -> Self {
        let mut copy = Context { bases: 0, fs_base: self.fs_base(), gs_base: self.gs_base(), ..*self };
        copy.settle();
        copy
    }
}

/// What signals and `fork` need of a context.
impl Context {
    /// Continues elsewhere. An address outside the user half makes the next [`enter`] report a general
    /// protection exception, as the CPU would.
    pub(crate) fn set_rip(&mut self, rip: u64) {
        self.settle();
        self.rip = rip;
    }

    /// Gives `rcx` and `r11` what they are after a system call, from where on they are like the other registers.
    pub(crate) fn settle(&mut self) {
        if self.cause == BY_SYSCALL {
            self.rcx = self.rip;
            self.r11 = self.rflags;
        }
        self.cause = UNPREPARED;
    }

    /// The flags.
    pub(crate) fn rflags(&self) -> u64 {
        self.rflags
    }

    /// Sets the flags that a program may set; the others stay as they must be.
    pub(crate) fn set_rflags(&mut self, rflags: u64) {
        const USER_FLAGS: u64 = RFlags::CARRY_FLAG.bits()
            | RFlags::PARITY_FLAG.bits()
            | RFlags::AUXILIARY_CARRY_FLAG.bits()
            | RFlags::ZERO_FLAG.bits()
            | RFlags::SIGN_FLAG.bits()
            | RFlags::TRAP_FLAG.bits()
            | RFlags::DIRECTION_FLAG.bits()
            | RFlags::OVERFLOW_FLAG.bits()
            | RFlags::ALIGNMENT_CHECK.bits()
            | RFlags::ID.bits();
        self.settle();
        self.rflags = rflags & USER_FLAGS | FIXED_FLAGS;
    }

    /// Takes from the CPU what the program left there (FS and GS base, which programs can change by themselves).
    /// To be called before another context is entered on this CPU, unless the switch of tasks keeps them.
    #[cfg(feature = "test")]
    pub(crate) fn save(&mut self) {
        if self.in_cpu() {
            self.fs_base = FsBase::read().as_u64();
            self.gs_base = KernelGsBase::read().as_u64();
            self.bases = 0;
            self.settle();
            percpu::current().bases.set(next_generation());
        }
    }
}

/// A number that no context of this CPU had before.
fn next_generation() -> u64 {
    percpu::current().bases.get() + 1
}

fn user_address(address: u64) -> Result<(), Fault> {
    if address < USER_END { Ok(()) } else { Err(Fault) }
}

/// Runs the program with these registers in ring 3, in the address space that is loaded, until something
/// happens. Interrupts are on when it returns.
#[cfg(feature = "test")]
pub(crate) fn enter(context: &mut Context) -> Event {
    loop {
        match enter_unless(context, || false) {
            Event::NotEntered => {}
            event => return event,
        }
    }
}

/// As [`enter`], unless `is_wanted` in the kernel: that is asked with interrupts off, so that an interrupt which tells of a
/// change after the look makes the program come back. A context that has to be prepared first is not entered the first
/// time.
#[inline(always)] // there is one loop that calls it: what it returns is taken apart at once
pub(crate) fn enter_unless(context: &mut Context, is_wanted: impl FnOnce() -> bool) -> Event {
    x86_64::instructions::interrupts::disable();
    if is_wanted() {
        x86_64::instructions::interrupts::enable();
        return Event::NotEntered;
    }
    // SAFETY: the context's flags were checked when they were set, its address by `prepare`; the kernel half is mapped
    // wherever we are, so leaving and coming back is possible with any user half.
    let call = unsafe { cross(context) };
    if context.cause == BY_SYSCALL { Event::Syscall(call) } else { context.event() }
}

/// Loads the address space whose root table is at the physical address `root`; flushes the TLB.
///
/// The table must stay valid while it is loaded, and have the kernel half of [`super::kernel_half`].
pub(crate) fn load_root(root: u64) {
    // SAFETY: the memory manager keeps the root table of the running address space alive.
    unsafe { paging::load_root(root) }
}

/// Leaves any address space for the kernel's own tables, whose user half is empty.
pub(crate) fn load_kernel_root() {
    load_root(paging::kernel_root());
}
