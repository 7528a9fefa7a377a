//! Copies between the kernel and a program's memory.
//!
//! The address range is checked to be in the user half, then the bytes are moved with SMAP lifted. A page fault
//! on the way goes to the handler of [`with_fault_handler`](super::user::with_fault_handler); when that cannot
//! resolve it, the copy fails. Bytes before the fault may have been copied.
//!
//! `rep movsq`: no vector registers in the kernel, and the emulator counts one instruction for eight bytes.

use core::arch::naked_asm;
use core::mem::MaybeUninit;

use mm::{PAGE_SIZE, USER_END};

use super::fixup::on_fault;
use super::trap::{clear_ac, set_ac};

/// A program's address cannot be read or written (`EFAULT`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault;

impl From<Fault> for abi::Errno {
    fn from(_: Fault) -> Self {
        abi::Errno::EFAULT
    }
}

fn check(address: u64, len: usize) -> Result<(), Fault> {
    match address.checked_add(len as u64) {
        Some(end) if end <= USER_END => Ok(()),
        _ => Err(Fault),
    }
}

/// Copies `to.len()` bytes from the program's `address`.
///
/// # Errors
/// When some of the bytes cannot be read; the content of `to` is undefined then.
#[inline]
pub(crate) fn copy_from_user(to: &mut [u8], address: u64) -> Result<(), Fault> {
    check(address, to.len())?;
    // SAFETY: writes `to.len()` bytes to `to`; reads of user memory that fault are fixed up.
    unsafe { copy_raw(to.as_mut_ptr(), address as *const u8, to.len()) }
}

/// Copies all of `from` to the program's `address`.
///
/// # Errors
/// When some of the bytes cannot be written.
#[inline]
pub(crate) fn copy_to_user(address: u64, from: &[u8]) -> Result<(), Fault> {
    check(address, from.len())?;
    // SAFETY: reads `from`; only user memory is written, and faults there are fixed up.
    unsafe { copy_raw(address as *mut u8, from.as_ptr(), from.len()) }
}

/// Copies a string that ends with a NUL byte from the program's `address` and returns it without the NUL;
/// `None` when there is no NUL in the first `to.len()` bytes.
///
/// # Errors
/// When the string cannot be read up to its NUL or `to.len()` bytes.
pub(crate) fn strncpy_from_user(to: &mut [u8], address: u64) -> Result<Option<&[u8]>, Fault> {
    let mut done = 0;
    while done < to.len() {
        // Never reads a page that the string does not reach.
        let at = address.checked_add(done as u64).ok_or(Fault)?;
        let rest_of_page = (PAGE_SIZE - at % PAGE_SIZE) as usize;
        let part = rest_of_page.min(to.len() - done).min(256);
        copy_from_user(&mut to[done..done + part], at)?;
        if let Some(end) = to[done..done + part].iter().position(|&byte| byte == 0) {
            return Ok(Some(&to[..done + end]));
        }
        done += part;
    }
    Ok(None)
}

/// Reads a word of kernel memory that may not be mapped, for backtraces.
pub(super) fn probe(address: u64) -> Option<u64> {
    let mut value = MaybeUninit::uninit();
    // SAFETY: writes `value` when it returns 0; a fault of the read is fixed up.
    if unsafe { probe_raw(value.as_mut_ptr(), address as *const u64) } == 0 {
        // SAFETY: written.
        Some(unsafe { value.assume_init() })
    } else {
        None
    }
}

/// # Safety
/// The side in the kernel is valid for `len` bytes; the other is in the user half.
#[inline]
unsafe fn copy_raw(to: *mut u8, from: *const u8, len: usize) -> Result<(), Fault> {
    // SAFETY: the caller's contract.
    if unsafe { move_bytes(to, from, len) } == 0 { Ok(()) } else { Err(Fault) }
}

/// Returns 0, or 1 after a fault.
///
/// # Safety
/// As for [`copy_raw`].
#[unsafe(naked)]
unsafe extern "C" fn move_bytes(to: *mut u8, from: *const u8, len: usize) -> u64 {
    naked_asm!(
        set_ac!(),
        "mov rcx, rdx",
        "shr rcx, 3",
        "2: rep movsq",
        "mov ecx, edx",
        "and ecx, 7",
        "3: rep movsb",
        "xor eax, eax",
        "4:",
        clear_ac!(),
        "ret",
        "5: mov eax, 1",
        "jmp 4b",
        on_fault!("2b", "5b", "0"),
        on_fault!("3b", "5b", "0"),
    )
}

/// Returns 0, or 1 after a fault.
///
/// # Safety
/// `to` is writable.
#[unsafe(naked)]
unsafe extern "C" fn probe_raw(to: *mut u64, from: *const u64) -> u64 {
    naked_asm!(
        "2: mov rax, [rsi]",
        "mov [rdi], rax",
        "xor eax, eax",
        "ret",
        "3: mov eax, 1",
        "ret",
        on_fault!("2b", "3b", "1"),
    )
}
