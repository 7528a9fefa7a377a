//! Segments, the task state segment and the interrupt descriptor table.

use core::cell::UnsafeCell;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::{lidt, load_tss};
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};

use super::percpu::{self, MAX_CPUS, PerCpu};
use super::stack::CpuStack;
use super::{trap, user};

/// Kernel code segment.
pub(super) const KERNEL_CODE: u16 = 0x08;
/// Kernel stack segment. `sysretq` wants the two user segments 8 and 16 above it.
const KERNEL_DATA: u16 = 0x10;
/// Stack segment in ring 3.
pub(super) const USER_DATA: u16 = 0x1b;
/// Code segment in ring 3.
pub(super) const USER_CODE: u16 = 0x23;

/// An interrupt gate (Intel SDM volume 3, 6.14.1): interrupts are off in the handler.
#[derive(Clone, Copy)]
#[repr(C)]
struct Gate {
    low: u64,
    high: u64,
}

impl Gate {
    const NONE: Gate = Gate { low: 0, high: 0 };

    /// `ist`: 0 or the number of a stack; `privilege`: who may come here with an `int` instruction.
    fn new(handler: u64, ist: u64, privilege: u64) -> Gate {
        let low = handler & 0xffff
            | u64::from(KERNEL_CODE) << 16
            | ist << 32
            | 0x8e << 40
            | privilege << 45
            | (handler >> 16 & 0xffff) << 48;
        Gate { low, high: handler >> 32 }
    }
}

struct Table(UnsafeCell<[Gate; trap::VECTORS]>);

// SAFETY: written once by `init` on the boot CPU, read by the hardware afterwards.
unsafe impl Sync for Table {}

static INTERRUPTS: Table = Table(UnsafeCell::new([Gate::NONE; trap::VECTORS]));
/// Each CPU's own, because a task state segment is busy on one CPU.
static SEGMENTS: [Once<GlobalDescriptorTable>; MAX_CPUS] = [const { Once::new() }; MAX_CPUS];

/// Loads all of them on the running CPU, which has this number, and sets up `syscall`. The CPU's stacks are mapped.
pub(super) fn init(cpu: u32) {
    // SAFETY: an element of a static that only this CPU uses.
    let task_state = unsafe { (*percpu::area(cpu)).task_state.get() };
    for (index, stack) in IST_STACKS.into_iter().enumerate() {
        // The highest word of an IST stack tells the entry whose CPU this is; see `trap`.
        let top = stack.top(cpu) - 16;
        // SAFETY: the stack is mapped and unused; the segment is not loaded yet.
        unsafe {
            (top as *mut *const PerCpu).write(percpu::area(cpu));
            (*task_state).interrupt_stack_table[index] = VirtAddr::new(top);
        }
    }
    let segments = SEGMENTS[cpu as usize].call_once(|| {
        let mut segments = GlobalDescriptorTable::new();
        segments.append(Descriptor::kernel_code_segment());
        segments.append(Descriptor::kernel_data_segment());
        segments.append(Descriptor::user_data_segment());
        segments.append(Descriptor::user_code_segment());
        // SAFETY: it is there for ever.
        segments.append(unsafe { Descriptor::tss_segment_unchecked(task_state) });
        segments
    });
    segments.load();
    // SAFETY: the selectors are those of the table just loaded, in the order above. Loading GS clears its base,
    // so the per-CPU area is set up after this.
    unsafe {
        CS::set_reg(SegmentSelector(KERNEL_CODE));
        SS::set_reg(SegmentSelector(KERNEL_DATA));
        DS::set_reg(SegmentSelector(0));
        ES::set_reg(SegmentSelector(0));
        FS::set_reg(SegmentSelector(0));
        GS::set_reg(SegmentSelector(0));
        load_tss(SegmentSelector(0x28));
    }
    if cpu == 0 {
        fill_interrupts();
    }
    load_interrupts();
    init_syscall();
}

/// Order of the entries of the interrupt stack table, whose numbers start at 1.
const IST_STACKS: [CpuStack; 4] =
    [CpuStack::DoubleFault, CpuStack::NonMaskable, CpuStack::MachineCheck, CpuStack::Debug];

fn fill_interrupts() {
    // SAFETY: runs once, on the boot CPU, before the table is loaded anywhere.
    let gates = unsafe { &mut *INTERRUPTS.0.get() };
    for (vector, gate) in gates.iter_mut().enumerate() {
        let ist = match vector as u8 {
            trap::DOUBLE_FAULT => 1,
            trap::NON_MASKABLE => 2,
            trap::MACHINE_CHECK => 3,
            trap::DEBUG => 4,
            _ => 0,
        };
        let privilege = if vector as u8 == trap::BREAKPOINT { 3 } else { 0 };
        *gate = Gate::new(trap::stub(vector), ist, privilege);
    }
}

fn load_interrupts() {
    let pointer = DescriptorTablePointer {
        limit: (size_of::<Table>() - 1) as u16,
        base: VirtAddr::from_ptr(INTERRUPTS.0.get()),
    };
    // SAFETY: the table is static and complete: `fill_interrupts` has run.
    unsafe { lidt(&pointer) };
}

fn init_syscall() {
    // SAFETY: the selectors fit the segments above: syscall takes the first two, sysretq adds 8 and 16 to the
    // second. The entry is written for `syscall`.
    unsafe {
        Star::write_raw(KERNEL_DATA | 3, KERNEL_CODE);
        LStar::write(VirtAddr::new(user::syscall_entry as *const () as u64));
        SFMask::write(
            RFlags::INTERRUPT_FLAG
                | RFlags::DIRECTION_FLAG
                | RFlags::TRAP_FLAG
                | RFlags::ALIGNMENT_CHECK
                | RFlags::NESTED_TASK
                | RFlags::RESUME_FLAG,
        );
        Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS));
    }
}
