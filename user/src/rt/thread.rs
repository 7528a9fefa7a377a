//! A new thread, and a child that shares the memory: both start on a stack of their own.

use core::arch::naked_asm;

/// `clone` with a stack at whose top lie the address of a function `extern "C" fn(u64)` and its argument; the child calls it and
/// ends. The result is that of the call.
#[unsafe(naked)]
pub(super) extern "C" fn clone_raw(flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64) -> u64 {
    naked_asm!(
        "mov r10, rcx",
        "mov eax, 56",
        "syscall",
        "test rax, rax",
        "jnz 2f",
        "xor ebp, ebp",
        "pop rax",
        "pop rdi",
        "call rax",
        "mov eax, 60",
        "xor edi, edi",
        "syscall",
        "ud2",
        "2: ret",
    )
}

/// What a handler returns to.
#[unsafe(naked)]
pub(super) extern "C" fn restorer() {
    naked_asm!("mov eax, 15", "syscall", "ud2")
}

/// Starts a child by `clone` with these flags, on the stack that ends at `top` (16-byte aligned, unused).
pub fn start(flags: u64, top: u64, child_tid: u64, function: extern "C" fn(u64), argument: u64) -> u64 {
    super::memory::write_word(top - 16, function as *const () as u64);
    super::memory::write_word(top - 8, argument);
    clone_raw(flags, top - 16, child_tid, child_tid, 0)
}

/// The address of the function that a handler returns to.
pub fn restorer_address() -> u64 {
    restorer as *const () as u64
}
