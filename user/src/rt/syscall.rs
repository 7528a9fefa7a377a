//! The `syscall` instruction.

use abi::Errno;
use core::arch::asm;

/// A system call with up to six arguments, as the processor has it: the returned value is `rax`.
pub fn raw(number: u64, arguments: [u64; 6]) -> u64 {
    let [a, b, c, d, e, f] = arguments;
    let rax;
    // SAFETY: `syscall` changes rax, rcx and r11, all declared. What the kernel does to memory is covered by the
    // default clobber; callers keep Rust objects out of reach (module documentation of `rt`).
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => rax,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    rax
}

/// System call without arguments.
pub fn syscall0(number: u64) -> Result<u64, Errno> {
    syscall6(number, 0, 0, 0, 0, 0, 0)
}

/// System call with one argument.
pub fn syscall1(number: u64, a: u64) -> Result<u64, Errno> {
    syscall6(number, a, 0, 0, 0, 0, 0)
}

/// System call with two arguments.
pub fn syscall2(number: u64, a: u64, b: u64) -> Result<u64, Errno> {
    syscall6(number, a, b, 0, 0, 0, 0)
}

/// System call with three arguments.
pub fn syscall3(number: u64, a: u64, b: u64, c: u64) -> Result<u64, Errno> {
    syscall6(number, a, b, c, 0, 0, 0)
}

/// System call with four arguments.
pub fn syscall4(number: u64, a: u64, b: u64, c: u64, d: u64) -> Result<u64, Errno> {
    syscall6(number, a, b, c, d, 0, 0)
}

/// System call with five arguments.
pub fn syscall5(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64) -> Result<u64, Errno> {
    syscall6(number, a, b, c, d, e, 0)
}

/// System call with six arguments.
pub fn syscall6(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Result<u64, Errno> {
    Errno::from_return_value(raw(number, [a, b, c, d, e, f]))
}
