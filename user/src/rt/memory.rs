//! Single accesses to memory by address. Each is exactly one instruction, so a fault happens where it is meant to.

use core::arch::asm;

/// Reads the byte at `address`.
pub fn read_byte(address: u64) -> u8 {
    let value;
    // SAFETY: a read changes nothing; where nothing is mapped it faults and the program ends.
    unsafe {
        asm!("mov {}, byte ptr [{}]", out(reg_byte) value, in(reg) address, options(nostack, preserves_flags))
    };
    value
}

/// Writes the byte at `address`.
pub fn write_byte(address: u64, value: u8) {
    // SAFETY: the address belongs to no Rust object (module documentation of `rt`).
    unsafe {
        asm!("mov byte ptr [{}], {}", in(reg) address, in(reg_byte) value, options(nostack, preserves_flags))
    };
}

/// Reads the byte at `address` by an instruction of two bytes, over which a handler of the fault can step. 0 then.
pub fn try_read_byte(address: u64) -> u8 {
    let value;
    // SAFETY: as `read_byte`.
    unsafe {
        asm!("mov al, byte ptr [rdi]", in("rdi") address, inout("al") 0u8 => value, options(nostack, preserves_flags))
    };
    value
}

/// Writes the byte at `address` by an instruction of two bytes, over which a handler of the fault can step.
pub fn try_write_byte(address: u64, value: u8) {
    // SAFETY: as `write_byte`.
    unsafe {
        asm!("mov byte ptr [rdi], al", in("rdi") address, in("al") value, options(nostack, preserves_flags))
    };
}

/// Reads the 64-bit word at `address`, aligned or not.
pub fn read_word(address: u64) -> u64 {
    let value;
    // SAFETY: as `read_byte`.
    unsafe {
        asm!("mov {}, qword ptr [{}]", out(reg) value, in(reg) address, options(nostack, preserves_flags))
    };
    value
}

/// Writes the 64-bit word at `address`, aligned or not.
pub fn write_word(address: u64, value: u64) {
    // SAFETY: as `write_byte`.
    unsafe {
        asm!("mov qword ptr [{}], {}", in(reg) address, in(reg) value, options(nostack, preserves_flags))
    };
}

/// Copies the bytes to `address`.
pub fn write_bytes(address: u64, bytes: &[u8]) {
    for (offset, &byte) in (0..).zip(bytes) {
        write_byte(address + offset, byte);
    }
}

/// Calls the code at `address`, which takes nothing and returns a number in `eax`.
pub fn call(address: u64) -> u32 {
    let result;
    // SAFETY: the code follows the C calling convention, or the call faults and the program ends.
    unsafe {
        asm!("call {}", in(reg) address, lateout("eax") result, clobber_abi("C"));
    }
    result
}

/// The word at `address` (4-byte aligned, mapped, and used as an atomic only).
pub fn atomic_word(address: u64) -> &'static core::sync::atomic::AtomicU32 {
    // SAFETY: the callers hand in words of their own mappings that no Rust object contains (module documentation of `rt`).
    unsafe { core::sync::atomic::AtomicU32::from_ptr(address as *mut u32) }
}
