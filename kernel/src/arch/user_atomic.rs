//! Atomic access to a program's memory.

use core::arch::naked_asm;

use mm::USER_END;

use super::fixup::on_fault;
use super::trap::{clear_ac, set_ac};
use super::usercopy::Fault;

/// Stores `new` in the program's word at `address` (4-byte aligned) if it is `old`, in one step; returns what it was.
///
/// # Errors
/// When the word cannot be written.
pub(crate) fn compare_exchange_user(address: u64, old: u32, new: u32) -> Result<u32, Fault> {
    if !address.is_multiple_of(4) || address >= USER_END {
        return Err(Fault);
    }
    let mut found = 0;
    // SAFETY: `found` is writable; only user memory is accessed otherwise, and faults there are fixed up.
    if unsafe { compare_exchange_raw(address as *mut u32, old, new, &mut found) } == 0 {
        Ok(found)
    } else {
        Err(Fault)
    }
}

/// Returns 0, or 1 after a fault.
///
/// # Safety
/// `found` is writable, and the word is in the user half.
#[unsafe(naked)]
unsafe extern "C" fn compare_exchange_raw(word: *mut u32, old: u32, new: u32, found: *mut u32) -> u64 {
    naked_asm!(
        set_ac!(),
        "mov eax, esi",
        "2: lock cmpxchg [rdi], edx",
        "mov [rcx], eax",
        "xor eax, eax",
        "3:",
        clear_ac!(),
        "ret",
        "4: mov eax, 1",
        "jmp 3b",
        on_fault!("2b", "4b", "0"),
    )
}
