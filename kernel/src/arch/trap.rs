//! Exceptions and interrupts.
//!
//! Every vector has a stub that pushes its number (and a 0 where the CPU pushes no error code). From ring 3 the
//! stubs go on to [`user::trap_entry`], and what they push lies in the [`user::Context`]; in the kernel they save all
//! registers and call [`kernel_trap`].
//!
//! Debug exceptions, NMIs, machine checks and double faults can come while GS is still or already the program's
//! (right after `syscall`, right before `sysretq`). They run on IST stacks, whose highest word is the address of
//! the per-CPU area, and set GS by that, putting back what was there at the end. A program cannot fool them: what
//! it did to GS is not looked at.

use core::arch::global_asm;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use mm::USER_END;
use x86_64::registers::control::Cr2;

use super::user::{PageFault, Resolution};
use super::{apic, fixup, interrupts, stack, stop, tlb, user};

pub(super) const DEBUG: u8 = 1;
pub(super) const NON_MASKABLE: u8 = 2;
pub(super) const BREAKPOINT: u8 = 3;
pub(super) const DOUBLE_FAULT: u8 = 8;
/// General protection: number 13.
pub(super) const GENERAL_PROTECTION: u8 = 13;
/// Page fault: number 14.
pub(super) const PAGE_FAULT: u8 = 14;
pub(super) const MACHINE_CHECK: u8 = 18;
/// The timer of the local APIC.
pub(crate) const TIMER: u8 = 0x20;
/// Another CPU wants this one to leave its sleep, or its program.
pub(super) const WAKE: u8 = 0x21;
/// Another CPU wants this one to forget translations.
pub(super) const FLUSH: u8 = 0x22;
/// What the local APIC sends when an interrupt vanished; takes no end-of-interrupt.
pub(super) const SPURIOUS: u8 = 0x2f;
/// Vectors that have stubs.
pub(super) const VECTORS: usize = 0x30;
/// What the stubs push is this and the vector.
pub(super) const CAUSE: u64 = 0x100;
/// Distance of two stubs in bytes.
const STUB: u64 = 32;

/// Non-maskable interrupts so far.
static NON_MASKABLE_COUNT: AtomicU64 = AtomicU64::new(0);

/// Non-maskable interrupts so far. The kernel sends them only when it stops other CPUs for good, and does not count these; so
/// one is a sign of failing hardware.
pub(crate) fn non_maskable_interrupts() -> u64 {
    NON_MASKABLE_COUNT.load(Ordering::Relaxed)
}

/// `clac` where the CPU has SMAP: the sites are made no-ops at boot where it has not (see [`super::cpu`]).
macro_rules! clear_ac {
    () => {
        "771: .byte 0x0f, 0x01, 0xca\n.pushsection .smap_sites, \"a\"\n.quad 771b\n.popsection"
    };
}
/// `stac`, in the same way.
macro_rules! set_ac {
    () => {
        "772: .byte 0x0f, 0x01, 0xcb\n.pushsection .smap_sites, \"a\"\n.quad 772b\n.popsection"
    };
}

/// All general registers, from rax to r15, behind the cause.
macro_rules! push_registers {
    () => {
        "push rax\npush rbx\npush rcx\npush rdx\npush rsi\npush rdi\npush rbp\npush r8\npush r9\npush r10\n\
         push r11\npush r12\npush r13\npush r14\npush r15"
    };
}
/// The same backwards; takes the cause and the error code away, too.
macro_rules! pop_registers {
    () => {
        "pop r15\npop r14\npop r13\npop r12\npop r11\npop r10\npop r9\npop r8\npop rbp\npop rdi\npop rsi\n\
         pop rdx\npop rcx\npop rbx\npop rax\nadd rsp, 16"
    };
}
pub(super) use {clear_ac, pop_registers, push_registers, set_ac};

global_asm!(
    ".text",
    ".balign 32",
    ".global trap_stubs",
    "trap_stubs:",
    ".set trap_vector, 0",
    ".rept {vectors}",
    ".balign 32",
    // Vectors 8, 10 to 14, 17, 21, 29 and 30 have an error code.
    ".if ((0x60227d00 >> trap_vector) & 1) == 0 || trap_vector >= 32",
    "push 0",
    ".endif",
    "push trap_vector + {cause}",
    "test byte ptr [rsp + 24], 3",
    ".if trap_vector == 1 || trap_vector == 2 || trap_vector == 8 || trap_vector == 18",
    "jnz {user_ist}",
    "jmp trap_ist",
    ".else",
    "jnz {user}",
    "jmp trap_common",
    ".endif",
    ".set trap_vector, trap_vector + 1",
    ".endr",
    "trap_common:",
    push_registers!(),
    clear_ac!(),
    "mov rdi, rsp",
    "call {kernel}",
    pop_registers!(),
    "iretq",
    "trap_ist:",
    push_registers!(),
    clear_ac!(),
    "mov ecx, 0xc0000101", // the GS base
    "rdmsr",
    "mov ebx, eax",
    "mov r12d, edx",
    "mov rax, [rsp + {frame}]",
    "mov rdx, rax",
    "shr rdx, 32",
    "wrmsr",
    "mov rdi, rsp",
    "call {kernel}",
    "mov ecx, 0xc0000101",
    "mov eax, ebx",
    "mov edx, r12d",
    "wrmsr",
    pop_registers!(),
    "iretq",
    vectors = const VECTORS,
    cause = const CAUSE,
    user = sym user::trap_entry,
    user_ist = sym user::trap_entry_ist,
    kernel = sym kernel_trap,
    frame = const size_of::<TrapFrame>(),
);

unsafe extern "C" {
    static trap_stubs: u8;
}

/// Address of the stub of a vector below [`VECTORS`].
pub(super) fn stub(vector: usize) -> u64 {
    (&raw const trap_stubs) as u64 + vector as u64 * STUB
}

/// What the stubs save of interrupted kernel code.
#[repr(C)]
pub(super) struct TrapFrame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rbp: u64,
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rcx: u64,
    rbx: u64,
    rax: u64,
    cause: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rip {:#018x}  rflags {:#x}  error {:#x}", self.rip, self.rflags, self.error)?;
        writeln!(f, "rax {:#018x}  rbx {:#018x}  rcx {:#018x}", self.rax, self.rbx, self.rcx)?;
        writeln!(f, "rdx {:#018x}  rsi {:#018x}  rdi {:#018x}", self.rdx, self.rsi, self.rdi)?;
        writeln!(f, "rbp {:#018x}  rsp {:#018x}  r8  {:#018x}", self.rbp, self.rsp, self.r8)?;
        writeln!(f, "r9  {:#018x}  r10 {:#018x}  r11 {:#018x}", self.r9, self.r10, self.r11)?;
        writeln!(f, "r12 {:#018x}  r13 {:#018x}  r14 {:#018x}", self.r12, self.r13, self.r14)?;
        write!(f, "r15 {:#018x}", self.r15)
    }
}

/// Name of an exception.
pub(super) fn name(vector: u8) -> &'static str {
    match vector {
        0 => "divide error",
        DEBUG => "debug exception",
        NON_MASKABLE => "non-maskable interrupt",
        BREAKPOINT => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        DOUBLE_FAULT => "double fault",
        10 => "invalid task state segment",
        11 => "segment not present",
        12 => "stack fault",
        GENERAL_PROTECTION => "general protection fault",
        PAGE_FAULT => "page fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        MACHINE_CHECK => "machine check",
        19 => "SIMD floating-point error",
        20 => "virtualization exception",
        21 => "control protection exception",
        32.. => "interrupt",
        _ => "reserved exception",
    }
}

/// An exception or interrupt came while the kernel ran.
extern "C" fn kernel_trap(frame: &mut TrapFrame) {
    match frame.cause as u8 {
        PAGE_FAULT => page_fault(frame),
        // Traps: the kernel uses neither, but a debugger may.
        DEBUG | BREAKPOINT => {}
        // It may have come anywhere, so it takes no locks.
        NON_MASKABLE => non_maskable(frame.rip, frame.rbp),
        DOUBLE_FAULT if stack::is_guard(Cr2::read_raw()) => {
            panic!("kernel stack overflow: {:#x} is in a guard page\n{frame}", Cr2::read_raw())
        }
        vector @ 0..32 => match fixup::find(frame.rip) {
            Some(fixup) if fixup.covers_all() => frame.rip = fixup.target(),
            _ => panic!("{} in the kernel\n{frame}", name(vector)),
        },
        vector => interrupt(vector),
    }
}

/// A non-maskable interrupt came at `rip`, with the frame pointer `rbp`; 0 for ring 3.
fn non_maskable(rip: u64, rbp: u64) {
    stop::stop_if_wanted(rip, rbp);
    NON_MASKABLE_COUNT.fetch_add(1, Ordering::Relaxed);
}

fn page_fault(frame: &mut TrapFrame) {
    let address = Cr2::read_raw();
    match fixup::find(frame.rip) {
        Some(fixup) if fixup.covers_all() => frame.rip = fixup.target(),
        Some(fixup) if address < USER_END => {
            let fault = PageFault::new(address, frame.error);
            let resolution = if frame.rflags & (1 << 9) != 0 {
                interrupts::with(|| user::resolve(fault))
            } else {
                user::resolve(fault)
            };
            if resolution == Resolution::Failed {
                frame.rip = fixup.target();
            }
        }
        _ => {
            let fault = PageFault::new(address, frame.error);
            let what = if stack::is_guard(address) { " (the guard page of a stack)" } else { "" };
            panic!("page fault in the kernel: {:?} of {address:#x}{what}\n{frame}", fault.access)
        }
    }
}

/// Handles an interrupt, whether it came in ring 3 or in the kernel. Interrupts are off, or the interrupt came
/// in ring 3.
pub(super) fn interrupt(vector: u8) {
    match vector {
        TIMER => {
            apic::end_of_interrupt();
            crate::time::tick();
        }
        WAKE => apic::end_of_interrupt(),
        FLUSH => {
            apic::end_of_interrupt();
            tlb::answer();
        }
        SPURIOUS => {}
        NON_MASKABLE => non_maskable(0, 0),
        _ => {
            apic::end_of_interrupt();
            log::warn!("unexpected interrupt {vector:#x}");
        }
    }
}
