//! The first instructions of an application processor: from real mode to the kernel's address space.
//!
//! ```text
//! start_up + 0        the code below, its segments, the address of the root table
//!          + 1 page   root table: the kernel half, and for the user half
//!          + 2, 3, 4  three tables that map the page of the code where it is
//! ```
//!
//! The pages are written once, and all processors run through them at the same time: nothing in them is a processor's own.
//! Each finds out who it is by the identity of its local APIC.

use core::arch::{global_asm, naked_asm};
use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};

use mm::PAGE_SIZE;
use mm::pgtable::Pte;

use super::percpu::MAX_CPUS;
use super::stack::CpuStack;
use super::{direct_map, paging};

global_asm!(
    r#"
    .section .rodata.trampoline, "a"
    .balign 16
    .code16
    .global trampoline_start
    trampoline_start:
        cli
        cld
        movw %cs, %ax
        movw %ax, %ds
        lgdtl trampoline_segments_pointer - trampoline_start
        movl trampoline_root - trampoline_start, %eax
        movl %eax, %cr3
        movl $0x20, %eax            # PAE
        movl %eax, %cr4
        movl $0xc0000080, %ecx      # EFER: long mode, no-execute
        rdmsr
        orl $0x900, %eax
        wrmsr
        movl $0x80010031, %eax      # paging, write protection, protected mode; caches on
        movl %eax, %cr0
        ljmpl *(trampoline_target - trampoline_start)
    .code64
    trampoline_long_mode:
        movl $16, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        xorl %eax, %eax
        movl %eax, %fs
        movl %eax, %gs
        movabsq ${entry}, %rax
        jmpq *%rax
    .balign 8
    trampoline_segments:
        .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
    # The following three are completed by `write`.
    .global trampoline_segments_pointer
    trampoline_segments_pointer:
        .word 23
        .long trampoline_segments - trampoline_start
    .balign 4
    .global trampoline_target
    trampoline_target:
        .long trampoline_long_mode - trampoline_start
        .word 8
    .balign 4
    .global trampoline_root
    trampoline_root:
        .long 0
    .global trampoline_end
    trampoline_end:
    .text
    "#,
    entry = sym entry,
    options(att_syntax)
);

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_segments_pointer: u8;
    static trampoline_target: u8;
    static trampoline_root: u8;
    static trampoline_end: u8;
}

/// No processor.
const NOBODY: u32 = u32::MAX;
/// By CPU number: the identity of its local APIC.
static IDS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(NOBODY) }; MAX_CPUS];

/// Says that the processor whose local APIC has this identity is CPU `number`.
pub(super) fn set_id(number: u32, id: u32) {
    IDS[number as usize].store(id, Ordering::Release);
}

/// The identity of the local APIC of CPU `number`.
pub(super) fn id_of(number: u32) -> u32 {
    IDS[number as usize].load(Ordering::Relaxed)
}

/// Completes the five pages at the physical address `start_up` (below 1 MiB), which the caller gives away for good.
pub(super) fn write(start_up: u64) {
    let offset = |symbol: *const u8| symbol as usize - (&raw const trampoline_start) as usize;
    let page = direct_map::address(start_up);
    let root = start_up + PAGE_SIZE;
    // SAFETY: the code and its data, less than a page, which nobody else has; the words are where the assembler put them.
    unsafe {
        let code = slice::from_raw_parts(&raw const trampoline_start, offset(&raw const trampoline_end));
        page.copy_from_nonoverlapping(code.as_ptr(), code.len());
        let word = |symbol, after: usize| page.add(offset(symbol) + after).cast::<u32>();
        let relocate = |word: *mut u32| word.write_unaligned(word.read_unaligned() + start_up as u32);
        relocate(word(&raw const trampoline_segments_pointer, 2));
        relocate(word(&raw const trampoline_target, 0));
        word(&raw const trampoline_root, 0).write_unaligned(root as u32);
    }
    write_tables(start_up, root);
}

/// Present and writable, for table entries.
const TABLE: u64 = 3;
/// Present and executable, for the page itself. Not global.
const CODE: u64 = 1;

fn write_tables(code: u64, root: u64) {
    let tables = [root, root + PAGE_SIZE, root + 2 * PAGE_SIZE, root + 3 * PAGE_SIZE];
    tables.iter().for_each(|&table| direct_map::zero(table));
    for (index, &entry) in paging::kernel_half().iter().enumerate() {
        direct_map::table(root).set(256 + index, Pte::from_bits(entry));
    }
    for pair in tables.windows(2) {
        direct_map::table(pair[0]).set(0, Pte::from_bits(pair[1] | TABLE));
    }
    // Below 1 MiB, so that all other indices are 0.
    direct_map::table(tables[3]).set((code / PAGE_SIZE) as usize, Pte::from_bits(code | CODE));
}

/// Where processors leave the low page, with interrupts off, the segments of the trampoline, and no stack. Finds the number
/// of the CPU, takes its main stack, and calls [`start`](super::smp::start); a processor that has no number stops.
///
/// # Safety
/// For the trampoline only.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        // The identity: the extended one if there is one (Intel SDM volume 3, 9.4.5).
        "xor eax, eax",
        "cpuid",
        "cmp eax, 0xb",
        "jb 2f",
        "mov eax, 0xb",
        "xor ecx, ecx",
        "cpuid",
        "test ebx, ebx",
        "jnz 3f",
        "2:",
        "mov eax, 1",
        "cpuid",
        "shr ebx, 24",
        "mov edx, ebx",
        "3:",
        "lea rsi, [rip + {ids}]",
        "xor edi, edi",
        "4:",
        "cmp [rsi + rdi * 4], edx",
        "je 6f",
        "inc edi",
        "cmp edi, {count}",
        "jb 4b",
        "5:",
        "hlt",
        "jmp 5b",
        // The stacks of all CPUs are equally far from each other.
        "6:",
        "mov rax, {distance}",
        "imul rax, rdi",
        "movabs rsp, {stack}",
        "add rsp, rax",
        "xor ebp, ebp",
        "call {start}",
        "ud2",
        ids = sym IDS,
        count = const MAX_CPUS,
        distance = const CpuStack::DISTANCE,
        stack = const CpuStack::FIRST_MAIN_TOP,
        start = sym super::smp::start,
    )
}
