//! Switching the CPU from one kernel stack to another.
//!
//! ```text
//!  suspended stack:  ... caller's frames │ return address │ rbp rbx r12 r13 r14 r15 ◄─ stored stack pointer
//! ```
//!
//! A stack pointer is taken out when its stack is entered, and stored when it is left, as the last use of that stack. So the
//! CPU that claims a stack which another CPU is just leaving waits until that is over.

use core::arch::naked_asm;
use core::cell::RefCell;
use core::hint;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{FsBase, KernelGsBase};

use super::shared::{NoMemory, Shared};
use super::{fpu, percpu};

/// Registers that functions keep, and the return address.
const FRAME_WORDS: u64 = 7;

/// The stack pointer of a kernel stack that no CPU is on; 0 while one is.
#[derive(Debug)]
pub(crate) struct KernelContext(AtomicU64);

/// The right to go on with a suspended stack, once.
#[must_use]
#[derive(Debug)]
pub(crate) struct Claimed(u64);

impl KernelContext {
    /// The stack that the CPU is on.
    pub(crate) const fn running() -> Self {
        KernelContext(AtomicU64::new(0))
    }

    /// Prepares the stack whose highest byte is below `top` (mapped, unused, 16-byte aligned) to run `entry`.
    pub(crate) fn starting(top: u64, entry: extern "C" fn() -> !) -> Self {
        // Behind the return address lies the 0 that ends the chain of callers; the function finds the stack as after a call.
        let bottom = top - 8 * (FRAME_WORDS + 1);
        let frame = [0, 0, 0, 0, 0, 0, entry as *const () as u64, 0];
        // SAFETY: the caller gives a mapped, unused stack.
        unsafe { (bottom as *mut [u64; 8]).write(frame) };
        KernelContext(AtomicU64::new(bottom))
    }

    /// Whether no CPU is on the stack.
    pub(crate) fn is_suspended(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Takes the stack pointer out; waits while another CPU is still on the stack.
    pub(crate) fn claim(&self) -> Claimed {
        loop {
            // Acquire: sees all that was done on the stack before it was left.
            match self.0.swap(0, Ordering::Acquire) {
                0 => hint::spin_loop(),
                pointer => return Claimed(pointer),
            }
        }
    }

    /// The CPU is on this stack again without a switch: its run there was given up and begins anew.
    #[cfg(feature = "test")]
    pub(crate) fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Leaves the stack whose context is in `from`, which the CPU is on, for another one. Returns when somebody switches back. The
/// ownership of `from` goes to `left`, for whoever runs next: the one who leaves may never come back to drop it.
pub(crate) fn switch<T>(
    from: Shared<T>,
    context: impl FnOnce(&T) -> &KernelContext,
    left: &RefCell<Option<Shared<T>>>,
    to: Claimed,
) {
    let save = context(&from).0.as_ptr();
    *left.borrow_mut() = Some(from);
    // SAFETY: `to` was stored by this function or prepared by `starting`, and claimed once; `left` keeps `save` alive until
    // the other stack runs.
    unsafe { switch_raw(save, to.0) };
}

/// # Safety
/// `save` is writable, and `to` is the stack pointer of a suspended stack.
#[unsafe(naked)]
unsafe extern "C" fn switch_raw(save: *mut u64, to: u64) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        // On x86 this store comes after all those on the stack.
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// What of a program is in the CPU while its thread is in the kernel, too: vector registers, bases of FS and GS.
pub(crate) struct UserRegisters {
    fpu: fpu::State,
    fs_base: u64,
    gs_base: u64,
    /// Which [`Context`](super::user::Context) the bases are of; see [`percpu::PerCpu::bases`].
    bases: u64,
}

impl UserRegisters {
    /// Those that a program starts with.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn new() -> Result<Self, NoMemory> {
        Ok(UserRegisters { fpu: fpu::State::new()?, fs_base: 0, gs_base: 0, bases: 0 })
    }

    /// Those that are in the CPU now, for a thread or a process that begins as a copy. The bases come from its context.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn copy_of_current() -> Result<Self, NoMemory> {
        Ok(UserRegisters { fpu: fpu::State::of_cpu()?, fs_base: 0, gs_base: 0, bases: 0 })
    }

    /// Takes them from the CPU.
    pub(crate) fn save(&mut self) {
        self.fpu.save();
        self.fs_base = FsBase::read().as_u64();
        self.gs_base = KernelGsBase::read().as_u64();
        self.bases = percpu::bases();
    }

    /// Puts them into the CPU.
    pub(crate) fn restore(&self) {
        self.fpu.restore();
        FsBase::write(VirtAddr::new_truncate(self.fs_base));
        KernelGsBase::write(VirtAddr::new_truncate(self.gs_base));
        percpu::current().bases.set(self.bases);
    }
}
