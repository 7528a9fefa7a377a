//! Pages filled and copied with a vector register, where the CPU has no fast string instructions.
//!
//! The registers are the program's, also while the kernel runs: each routine puts the one it uses on the stack and gives it back,
//! all 256 bits. Nobody can see what it holds in between:
//! - The kernel is not preempted, and no page fault can come: both pages are in the direct map. So nothing saves or loads the
//!   program's registers meanwhile.
//! - An interrupt or an NMI in the middle touches no vector register, or does so through these routines, which leave it as they
//!   found it.
//! - For `xsaveopt` the register has been written since it was loaded: it is saved, with the value that the program knows.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicBool, Ordering};

/// Set once, on the boot CPU, when AVX is switched on there. The others zero and copy nothing before they have it on, too.
static WANTED: AtomicBool = AtomicBool::new(false);

/// AVX is switched on, and to be used from now on.
pub(super) fn enable() {
    WANTED.store(true, Ordering::Relaxed);
}

/// Whether pages are to be filled and copied by this module.
#[inline]
pub(super) fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Fills the page at `page` with zeroes.
///
/// # Safety
/// The page is mapped and the caller's to write; AVX is switched on.
#[inline]
pub(super) unsafe fn zero(page: *mut u8) {
    // SAFETY: the routine changes rcx and the flags only, and the page.
    unsafe { asm!("call {}", sym zero_raw, in("rdi") page, out("rcx") _) };
}

/// Copies the page at `from` to the page at `to`, which is another.
///
/// # Safety
/// Both are mapped, and `to` is the caller's to write; AVX is switched on.
#[inline]
pub(super) unsafe fn copy(from: *const u8, to: *mut u8) {
    // SAFETY: the routine changes rcx and the flags only, and the page.
    unsafe { asm!("call {}", sym copy_raw, in("rsi") from, in("rdi") to, out("rcx") _) };
}

/// Repeats `$text` for 1 KiB, where `\at` is the distance of each 32 bytes.
macro_rules! for_a_kibibyte {
    ($text:literal) => {
        concat!(
            ".irp at,0,32,64,96,128,160,192,224,256,288,320,352,384,416,448,480,512,544,576,608,640,672,704,736,768,800,832,",
            "864,896,928,960,992\n",
            $text,
            "\n.endr"
        )
    };
}

/// # Safety
/// As for [`zero`]; called with the page in rdi, changes rcx and the flags.
#[unsafe(naked)]
unsafe extern "C" fn zero_raw() {
    naked_asm!(
        "sub rsp, 32",
        "vmovdqu [rsp], ymm0",
        "vpxor xmm0, xmm0, xmm0", // the upper half, too
        "mov rcx, -4096",
        "2:",
        for_a_kibibyte!("vmovdqa [rdi + rcx + 4096 + \\at], ymm0"),
        "add rcx, 1024",
        "jnz 2b",
        "vmovdqu ymm0, [rsp]",
        "add rsp, 32",
        "ret",
    )
}

/// # Safety
/// As for [`copy`]; called with the pages in rsi and rdi, changes rcx and the flags.
#[unsafe(naked)]
unsafe extern "C" fn copy_raw() {
    naked_asm!(
        "sub rsp, 32",
        "vmovdqu [rsp], ymm0",
        "mov rcx, -4096",
        "2:",
        for_a_kibibyte!("vmovdqa ymm0, [rsi + rcx + 4096 + \\at]\nvmovdqa [rdi + rcx + 4096 + \\at], ymm0"),
        "add rcx, 1024",
        "jnz 2b",
        "vmovdqu ymm0, [rsp]",
        "add rsp, 32",
        "ret",
    )
}
