//! Instructions that have no Rust form: forbidden ones, and those that set and read registers.
//!
//! The target has no SSE for the compiler (soft float), so vector registers hold what was last put there.

use core::arch::x86_64::__cpuid;
use core::arch::{asm, naked_asm};

macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $(
            $(#[$doc])*
            pub fn $name() {
                // SAFETY: in ring 3 the instruction raises an exception and changes nothing.
                unsafe { asm!($text, out("rax") _, out("rcx") _, out("rdx") _) };
            }
        )*
    };
}

instructions! {
    /// Turns interrupts off.
    cli = "cli";
    /// Turns interrupts on.
    sti = "sti";
    /// Stops the processor.
    hlt = "hlt";
    /// Reads an I/O port.
    read_port = "in al, 0x80";
    /// Writes the port that ends the emulator, if the kernel lets it through.
    write_port = "mov edx, 0xf4\nmov eax, 0x10\nout dx, eax";
    /// Reads the page-table root.
    read_cr3 = "mov rax, cr3";
    /// Writes the page-table root.
    write_cr3 = "xor eax, eax\nmov cr3, rax";
    /// Turns write protection off.
    write_cr0 = "mov eax, 1\nmov cr0, rax";
    /// Reads the model-specific register EFER.
    read_msr = "mov ecx, 0xc0000080\nrdmsr";
    /// Writes the model-specific register LSTAR: where `syscall` enters the kernel.
    write_msr = "mov ecx, 0xc0000082\nxor eax, eax\nxor edx, edx\nwrmsr";
    /// Loads a descriptor table register from address 0.
    load_gdt = "xor eax, eax\nlgdt [rax]";
    /// Loads the interrupt table register from address 0.
    load_idt = "xor eax, eax\nlidt [rax]";
    /// Forgets one cached translation.
    invalidate_page = "xor eax, eax\ninvlpg [rax]";
    /// Exchanges the bases of GS.
    swap_gs = "swapgs";
    /// Writes a debug register.
    write_debug_register = "xor eax, eax\nmov dr7, rax";
    /// Raises the vector of the page fault by software.
    interrupt_14 = "int 14";
    /// An instruction that is none.
    undefined = "ud2";
    /// A breakpoint.
    breakpoint = "int3";
    /// Divides 1 by 0.
    divide_by_zero = "mov eax, 1\nxor edx, edx\nxor ecx, ecx\ndiv ecx";
    /// Divides the least `i64` by -1.
    divide_with_overflow = "mov edx, 1\nshl rdx, 63\nxor eax, eax\nmov rcx, -1\nidiv rcx";
    /// Sets the trap flag for the next instruction.
    single_step = "pushfq\nor qword ptr [rsp], 0x100\npopfq\nnop";
    /// Sets the trap flag right before a `getpid`.
    single_step_over_system_call = "mov eax, 39\npushfq\nor qword ptr [rsp], 0x100\npopfq\nsyscall\nnop";
}

/// The stack pointer.
pub fn stack_pointer() -> u64 {
    let value;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// The time-stamp counter.
pub fn time_stamp() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads a counter.
    unsafe { asm!("rdtsc", out("rax") low, out("rdx") high, options(nomem, nostack, preserves_flags)) };
    high << 32 | low
}

/// Makes a system call without arguments while the stack pointer has this value.
pub fn system_call_with_stack_pointer(number: u64, pointer: u64) -> u64 {
    let result;
    // SAFETY: nothing uses the stack until the stack pointer is back.
    unsafe {
        asm!(
            "xchg rsp, {0}", "syscall", "xchg rsp, {0}",
            inout(reg) pointer => _, inlateout("rax") number => result, out("rcx") _, out("r11") _,
        );
    }
    result
}

/// Reads the byte at `address` while the stack pointer has this value.
pub fn fault_with_stack_pointer(address: u64, pointer: u64) -> u8 {
    let result: u64;
    // SAFETY: as above; a read changes nothing.
    unsafe {
        asm!(
            "xchg rsp, {0}", "movzx eax, byte ptr [{1}]", "xchg rsp, {0}",
            inout(reg) pointer => _, in(reg) address, out("rax") result,
        );
    }
    result as u8
}

/// Loads the null selector into DS, ES, FS and GS.
pub fn clear_data_segments() {
    // SAFETY: in 64-bit mode DS and ES mean nothing, and nothing here relies on the bases of FS and GS.
    unsafe {
        asm!("mov ds, {0:e}", "mov es, {0:e}", "mov fs, {0:e}", "mov gs, {0:e}", in(reg) 0, options(nostack))
    };
}

/// The word at `offset` from the base of FS.
pub fn read_fs_word(offset: u64) -> u64 {
    let value;
    // SAFETY: a read changes nothing.
    unsafe {
        asm!("mov {}, qword ptr fs:[{}]", out(reg) value, in(reg) offset, options(nostack, preserves_flags))
    };
    value
}

/// The sixteen vector registers, each as four words; the upper two are 0 where the processor has no AVX.
pub type Vectors = [[u64; 4]; 16];

/// How many words of a vector register programs may use here: 4 with AVX, else 2.
pub fn vector_words() -> usize {
    const AVX_AND_OSXSAVE: u32 = 3 << 27;
    const SSE_AND_AVX: u32 = 6;
    if __cpuid(1).ecx & AVX_AND_OSXSAVE != AVX_AND_OSXSAVE {
        return 2;
    }
    let enabled: u32;
    // SAFETY: the system has switched XSAVE on, so the instruction exists; it reads a register.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nostack, nomem)) };
    if enabled & SSE_AND_AVX == SSE_AND_AVX { 4 } else { 2 }
}

/// Fills all vector registers.
pub fn set_vectors(vectors: &Vectors) {
    // SAFETY: the compiler does not use these registers on this target; AVX is there where it is used.
    unsafe {
        if vector_words() == 4 {
            asm!(
                ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "vmovdqu ymm\\n, [{0} + 32 * \\n]", ".endr",
                in(reg) vectors, options(nostack, preserves_flags),
            );
        } else {
            asm!(
                ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "movdqu xmm\\n, [{0} + 32 * \\n]", ".endr",
                in(reg) vectors, options(nostack, preserves_flags),
            );
        }
    }
}

/// Reads all vector registers.
pub fn vectors() -> Vectors {
    let mut vectors: Vectors = [[0; 4]; 16];
    // SAFETY: stores into a buffer of the right size; AVX is there where it is used.
    unsafe {
        if vector_words() == 4 {
            asm!(
                ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "vmovdqu [{0} + 32 * \\n], ymm\\n", ".endr",
                in(reg) &raw mut vectors, options(nostack, preserves_flags),
            );
        } else {
            asm!(
                ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "movdqu [{0} + 32 * \\n], xmm\\n", ".endr",
                in(reg) &raw mut vectors, options(nostack, preserves_flags),
            );
        }
    }
    vectors
}

/// Control and status of floating point: MXCSR and the x87 control word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatControl {
    /// SSE control and status.
    pub mxcsr: u32,
    /// x87 control word.
    pub x87: u16,
}

/// Sets the control registers of floating point.
pub fn set_float_control(control: FloatControl) {
    // SAFETY: the compiler does no floating point on this target.
    unsafe {
        asm!("ldmxcsr [{}]", "fldcw [{}]", in(reg) &control.mxcsr, in(reg) &control.x87, options(nostack))
    };
}

/// Reads the control registers of floating point.
pub fn float_control() -> FloatControl {
    let mut control = FloatControl { mxcsr: 0, x87: 0 };
    // SAFETY: stores into variables of the right size.
    unsafe {
        asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut control.mxcsr, in(reg) &raw mut control.x87,
            options(nostack));
    }
    control
}

/// The flags after `getpid`, called with these bits set besides those that are set anyway; the direction flag is
/// cleared afterwards.
pub fn flags_across_system_call(flags: u64) -> u64 {
    let after;
    // SAFETY: restores the direction flag and the alignment check before the compiler's code goes on.
    unsafe {
        asm!(
            "pushfq", "push {0}", "popfq", "mov eax, 39", "syscall", "pushfq", "pop {0}", "popfq", "cld",
            inlateout(reg) flags | FLAGS_ALWAYS => after,
            out("rax") _, out("rcx") _, out("r11") _,
        );
    }
    after
}

/// Reads the byte at `address` with these flags set, and returns the flags afterwards and the byte.
pub fn flags_across_fault(flags: u64, address: u64) -> (u64, u8) {
    let (after, value): (u64, u64);
    // SAFETY: restores the flags before the compiler's code goes on; a read changes nothing.
    unsafe {
        asm!(
            "pushfq", "push {0}", "popfq", "movzx eax, byte ptr [{1}]", "pushfq", "pop {0}", "popfq", "cld",
            inlateout(reg) flags | FLAGS_ALWAYS => after, in(reg) address,
            lateout("rax") value,
        );
    }
    (after, value as u8)
}

/// Flags that read as set in ring 3: the reserved bit 1 and the interrupt flag.
pub const FLAGS_ALWAYS: u64 = 0x202;
/// Carry flag.
pub const FLAG_CARRY: u64 = 1;
/// Zero flag.
pub const FLAG_ZERO: u64 = 1 << 6;
/// Sign flag.
pub const FLAG_SIGN: u64 = 1 << 7;
/// Direction flag.
pub const FLAG_DIRECTION: u64 = 1 << 10;
/// Overflow flag.
pub const FLAG_OVERFLOW: u64 = 1 << 11;
/// Alignment check.
pub const FLAG_ALIGNMENT: u64 = 1 << 18;

/// General registers, without rsp: rbx, rbp, r12, r13, r14, r15, rdi, rsi, rdx, r10, r8, r9, rcx, r11, rax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Registers {
    /// rbx, rbp, r12, r13, r14, r15: those that a called function keeps.
    pub kept: [u64; 6],
    /// rdi, rsi, rdx, r10, r8, r9: the arguments of a system call.
    pub arguments: [u64; 6],
    /// rcx and r11: `syscall` puts the return address and the flags there.
    pub scratch: [u64; 2],
    /// rax: number and result of a system call.
    pub rax: u64,
}

macro_rules! across {
    ($($(#[$doc:meta])* $name:ident = $instruction:literal;)*) => {
        $(
            $(#[$doc])*
            #[unsafe(naked)]
            pub extern "C" fn $name(before: &Registers, after: &mut Registers) {
                naked_asm!(
                    "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15", "push rsi",
                    "mov rax, rdi",
                    "mov rbx, [rax]", "mov rbp, [rax + 8]", "mov r12, [rax + 16]", "mov r13, [rax + 24]",
                    "mov r14, [rax + 32]", "mov r15, [rax + 40]", "mov rdi, [rax + 48]", "mov rsi, [rax + 56]",
                    "mov rdx, [rax + 64]", "mov r10, [rax + 72]", "mov r8, [rax + 80]", "mov r9, [rax + 88]",
                    "mov rcx, [rax + 96]", "mov r11, [rax + 104]", "mov rax, [rax + 112]",
                    $instruction,
                    "xchg rax, [rsp]",
                    "mov [rax], rbx", "mov [rax + 8], rbp", "mov [rax + 16], r12", "mov [rax + 24], r13",
                    "mov [rax + 32], r14", "mov [rax + 40], r15", "mov [rax + 48], rdi", "mov [rax + 56], rsi",
                    "mov [rax + 64], rdx", "mov [rax + 72], r10", "mov [rax + 80], r8", "mov [rax + 88], r9",
                    "mov [rax + 96], rcx", "mov [rax + 104], r11", "pop rcx", "mov [rax + 112], rcx",
                    "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx",
                    "ret",
                )
            }
        )*
    };
}

across! {
    /// Loads the registers, makes the system call in rax, and stores the registers.
    registers_across_system_call = "syscall";
    /// Loads the registers, writes a byte to the address in rax, and stores the registers.
    registers_across_write = "mov byte ptr [rax], 1";
}
