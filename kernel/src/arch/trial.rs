//! Running a function on a stack of its own, so that a panic or a fault in it can be survived.

use core::arch::naked_asm;
use core::slice;
use core::sync::atomic::AtomicU64;

use super::{interrupts, parallel, percpu, user};
use crate::memory::KernelStack;
use crate::sched;

/// The run on the other stack was given up by [`abandon`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Abandoned;

/// Calls `f` on the stack whose highest byte is below `top` (mapped, unused) and returns when it returns, or
/// when [`abandon`] gives it up. Runs do not nest.
///
/// # Errors
/// When the run was abandoned. Nothing that `f` owned was dropped, and locks that it held stay locked.
pub(crate) fn run_on(top: u64, f: extern "C" fn()) -> Result<(), Abandoned> {
    let cpu = percpu::current();
    assert!(cpu.recovery.get() == 0, "runs on another stack do not nest");
    let handler = cpu.fault_handler.get();
    // SAFETY: the caller gives a mapped, unused stack; `recovery` is of this CPU and outlives the call.
    let abandoned = unsafe { run_raw(top, f, cpu.recovery.as_ptr()) } != 0;
    cpu.recovery.set(0);
    if abandoned {
        cpu.fault_handler.set(handler);
        interrupts::enable();
        return Err(Abandoned);
    }
    Ok(())
}

/// Gives up the run on another stack, from wherever it is: [`run_on`] returns with [`Abandoned`]. Returns when
/// there is no such run, or it [cannot be given up](can_abandon).
pub(crate) fn abandon() {
    if !hold() {
        return;
    }
    let cpu = percpu::current();
    let stack_pointer = cpu.recovery.replace(0);
    user::load_kernel_root();
    // SAFETY: `run_raw` stored it, and its frame is alive because it has not returned.
    unsafe { abandon_raw(stack_pointer) }
}

/// Whether a run on another stack could be abandoned: not while other CPUs work with what is on that stack.
pub(crate) fn can_abandon() -> bool {
    percpu::current().recovery.get() != 0 && !parallel::is_under_way()
}

/// Whether the run is about to be [given up](abandon): it can be, and no other CPU runs a task, nor will.
pub(crate) fn hold() -> bool {
    can_abandon() && sched::hold()
}

/// # Safety
/// `top` ends a mapped, unused stack, and `save` is writable.
#[unsafe(naked)]
unsafe extern "C" fn run_raw(top: u64, f: extern "C" fn(), save: *mut u64) -> u64 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdx], rsp",
        "mov rbx, rsp",
        "mov rsp, rdi",
        "call rsi",
        "mov rsp, rbx",
        "xor eax, eax",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// # Safety
/// `stack_pointer` was stored by `run_raw`, which has not returned.
#[unsafe(naked)]
unsafe extern "C" fn abandon_raw(stack_pointer: u64) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "mov eax, 1",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// The words of a stack that nobody runs on.
pub(crate) fn words(stack: &KernelStack) -> &[AtomicU64] {
    let pages = stack.bottom()..stack.top();
    // SAFETY: mapped as long as the stack is borrowed; nobody runs on it, and words may be anything.
    unsafe { slice::from_raw_parts(pages.start as *const AtomicU64, (pages.end - pages.start) as usize / 8) }
}
