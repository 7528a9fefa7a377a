//! The border itself: the routines that leave the kernel for ring 3 and come back.
//!
//! ```text
//!  Context:  r15 ... rax │ cause │ error │ rip │ cs │ rflags │ rsp │ ss │ the rest
//!             the entry  │   the stub    │      the CPU pushes this     ▲
//!                                                        stack for entries from ring 3
//! ```
//!
//! The frame of the CPU is part of the context: the task state segment has its end as the stack for entries from ring 3, so
//! what the CPU, the stub and the entry push lies where it belongs, and `iretq` takes it from there. Nothing else uses that
//! stack: it is left before the first call, and what can come earlier has a stack of its own.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use super::{Call, Context, FRAME_SIZE, UNPREPARED};
use crate::arch::{percpu, trap};

/// Runs the program in ring 3 until it comes back, if its context is prepared, and turns interrupts on. What is returned
/// means something if it made a system call.
///
/// # Safety
/// Interrupts are off, and the context can be resumed as its `cause` says.
#[inline(always)] // the registers of the call go where they are wanted
pub(super) unsafe fn cross(context: &mut Context) -> Call {
    let frame_end = (&raw mut *context).wrapping_byte_add(FRAME_SIZE);
    let number: u64;
    let (first, second, third, fourth, fifth, sixth): (u64, u64, u64, u64, u64, u64);
    // SAFETY: the caller's contract. Of what the compiler relies on, the routines change no more than what stands here: the
    // direction flag is clear in the kernel.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "call {enter}",
            "sti",
            "pop rbp",
            "pop rbx",
            enter = sym enter,
            inlateout("rdi") frame_end => first,
            lateout("rax") number,
            lateout("rsi") second,
            lateout("rdx") third,
            lateout("r10") fourth,
            lateout("r8") fifth,
            lateout("r9") sixth,
            lateout("rcx") _, lateout("r11") _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
        );
    }
    Call { number, arguments: [first, second, third, fourth, fifth, sixth] }
}

/// Goes to ring 3, with the end of the context's frame in rdi, and returns with interrupts off; rbx, rbp and r12 to r15 are lost.
/// Returns at once when the context is not prepared.
///
/// # Safety
/// For [`cross`] only.
#[unsafe(naked)]
unsafe extern "C" fn enter() {
    naked_asm!(
        "mov gs:[{entry_rsp}], rdi",
        "mov gs:[{kernel_rsp}], rsp",
        "cmp dword ptr [rdi + {cause} - {frame}], 0",
        "jne 2f",
        // After `syscall`: rcx and r11 carry the address and the flags.
        "mov rcx, [rdi + {rip} - {frame}]",
        "mov r11, [rdi + {rflags} - {frame}]",
        "mov rax, [rdi + {rax} - {frame}]",
        "mov rbx, [rdi + {rbx} - {frame}]",
        "mov rdx, [rdi + {rdx} - {frame}]",
        "mov rsi, [rdi + {rsi} - {frame}]",
        "mov rbp, [rdi + {rbp} - {frame}]",
        "mov r8, [rdi + {r8} - {frame}]",
        "mov r9, [rdi + {r9} - {frame}]",
        "mov r10, [rdi + {r10} - {frame}]",
        "mov r12, [rdi + {r12} - {frame}]",
        "mov r13, [rdi + {r13} - {frame}]",
        "mov r14, [rdi + {r14} - {frame}]",
        "mov r15, [rdi + {r15} - {frame}]",
        "mov rsp, [rdi + {rsp} - {frame}]",
        "mov rdi, [rdi + {rdi} - {frame}]",
        "swapgs",
        "sysretq",
        // Anything else. `cause` is cleared because the system call entry leaves it alone.
        "2:",
        "cmp dword ptr [rdi + {cause} - {frame}], {unprepared}",
        "jae 3f",
        "mov qword ptr [rdi + {cause} - {frame}], 0",
        "lea rsp, [rdi - {frame}]",
        trap::pop_registers!(),
        "swapgs",
        "iretq",
        "3: ret",
        unprepared = const UNPREPARED,
        entry_rsp = const percpu::offset::ENTRY_RSP,
        kernel_rsp = const percpu::offset::KERNEL_RSP,
        frame = const FRAME_SIZE,
        cause = const offset_of!(Context, cause),
        rip = const offset_of!(Context, rip),
        rflags = const offset_of!(Context, rflags),
        rax = const offset_of!(Context, rax),
        rbx = const offset_of!(Context, rbx),
        rdx = const offset_of!(Context, rdx),
        rsi = const offset_of!(Context, rsi),
        rdi = const offset_of!(Context, rdi),
        rbp = const offset_of!(Context, rbp),
        rsp = const offset_of!(Context, rsp),
        r8 = const offset_of!(Context, r8),
        r9 = const offset_of!(Context, r9),
        r10 = const offset_of!(Context, r10),
        r12 = const offset_of!(Context, r12),
        r13 = const offset_of!(Context, r13),
        r14 = const offset_of!(Context, r14),
        r15 = const offset_of!(Context, r15),
    )
}

/// Where `syscall` goes. The CPU put the return address in rcx and the flags in r11, cleared the flags of
/// `SFMASK` (so interrupts are off) and changed neither stack nor GS. Leaves rax and the registers of arguments alone.
///
/// # Safety
/// For the CPU only.
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn syscall_entry() {
    naked_asm!(
        "swapgs",
        "mov gs:[{user_rsp}], rsp",
        "mov rsp, gs:[{entry_rsp}]",
        "mov [rsp + {rax} - {frame}], rax",
        "mov [rsp + {rbx} - {frame}], rbx",
        "mov [rsp + {rip} - {frame}], rcx",
        "mov [rsp + {rdx} - {frame}], rdx",
        "mov [rsp + {rsi} - {frame}], rsi",
        "mov [rsp + {rdi} - {frame}], rdi",
        "mov [rsp + {rbp} - {frame}], rbp",
        "mov [rsp + {r8} - {frame}], r8",
        "mov [rsp + {r9} - {frame}], r9",
        "mov [rsp + {r10} - {frame}], r10",
        "mov [rsp + {rflags} - {frame}], r11",
        "mov [rsp + {r12} - {frame}], r12",
        "mov [rsp + {r13} - {frame}], r13",
        "mov [rsp + {r14} - {frame}], r14",
        "mov [rsp + {r15} - {frame}], r15",
        "mov rcx, gs:[{user_rsp}]",
        "mov [rsp + {rsp} - {frame}], rcx",
        "mov rsp, gs:[{kernel_rsp}]",
        "ret",
        entry_rsp = const percpu::offset::ENTRY_RSP,
        kernel_rsp = const percpu::offset::KERNEL_RSP,
        user_rsp = const percpu::offset::USER_RSP,
        frame = const FRAME_SIZE,
        rip = const offset_of!(Context, rip),
        rflags = const offset_of!(Context, rflags),
        rax = const offset_of!(Context, rax),
        rbx = const offset_of!(Context, rbx),
        rdx = const offset_of!(Context, rdx),
        rsi = const offset_of!(Context, rsi),
        rdi = const offset_of!(Context, rdi),
        rbp = const offset_of!(Context, rbp),
        rsp = const offset_of!(Context, rsp),
        r8 = const offset_of!(Context, r8),
        r9 = const offset_of!(Context, r9),
        r10 = const offset_of!(Context, r10),
        r12 = const offset_of!(Context, r12),
        r13 = const offset_of!(Context, r13),
        r14 = const offset_of!(Context, r14),
        r15 = const offset_of!(Context, r15),
    )
}

/// Where exceptions and interrupts from ring 3 go after the stubs of [`crate::arch::trap`], which have pushed the cause. On the
/// context. Interrupts are off.
///
/// # Safety
/// For those stubs only.
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "swapgs",
        "cld",
        trap::clear_ac!(),
        trap::push_registers!(),
        "mov rax, cr2",
        "mov [rsp + {fault_address}], rax",
        "mov rsp, gs:[{kernel_rsp}]",
        "ret",
        kernel_rsp = const percpu::offset::KERNEL_RSP,
        fault_address = const offset_of!(Context, fault_address),
    )
}

/// As [`trap_entry`], on an IST stack: moves what is there to the context.
///
/// # Safety
/// For those stubs only.
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn trap_entry_ist() {
    naked_asm!(
        "swapgs",
        "cld",
        trap::clear_ac!(),
        "push rcx",
        "mov rcx, rsp",
        "mov rsp, gs:[{entry_rsp}]",
        // ss, rsp, rflags, cs, rip, error and cause lie above rcx.
        "push qword ptr [rcx + 56]",
        "push qword ptr [rcx + 48]",
        "push qword ptr [rcx + 40]",
        "push qword ptr [rcx + 32]",
        "push qword ptr [rcx + 24]",
        "push qword ptr [rcx + 16]",
        "push qword ptr [rcx + 8]",
        "mov rcx, [rcx]",
        trap::push_registers!(),
        "mov rax, cr2",
        "mov [rsp + {fault_address}], rax",
        "mov rsp, gs:[{kernel_rsp}]",
        "ret",
        entry_rsp = const percpu::offset::ENTRY_RSP,
        kernel_rsp = const percpu::offset::KERNEL_RSP,
        fault_address = const offset_of!(Context, fault_address),
    )
}
