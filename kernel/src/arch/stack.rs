//! Kernel stacks: slots of a window of virtual addresses, each with unmapped pages below the stack.
//!
//! ```text
//!  slot n                                    slot n + 1
//!  ├── guard: never mapped ──┬── stack ──────┼── guard ...
//! ```

use core::ops::Range;

use super::paging::STACKS;
use super::percpu::MAX_CPUS;

/// Distance of two stacks in bytes.
const SLOT: u64 = 128 << 10;
/// Size of an ordinary stack in bytes.
pub(super) const STACK_SIZE: u64 = 64 << 10;
/// Size of the stacks that exceptions switch to, in bytes.
const EXCEPTION_STACK_SIZE: u64 = 16 << 10;
/// Slots that can be used; the first ones are the CPUs' own.
const SLOTS: u64 = 4096;
/// Slots of one CPU: enough for its [`CpuStack`]s.
const CPU_SLOTS: u64 = 8;
/// The first slot that is not a CPU's own.
const FIRST_FREE_SLOT: u64 = MAX_CPUS as u64 * CPU_SLOTS;
const _: () = assert!(FIRST_FREE_SLOT < SLOTS, "all CPUs have stacks");
/// Stacks that there can be.
pub(crate) const STACK_COUNT: u64 = SLOTS - FIRST_FREE_SLOT;

/// The pages of stack number `index` (below [`STACK_COUNT`]), in bytes. The page below is never mapped.
pub(crate) fn stack_pages(index: u64) -> Range<u64> {
    let top = slot_top(FIRST_FREE_SLOT + index);
    top - STACK_SIZE..top
}

/// The stacks that each CPU has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CpuStack {
    /// Where the kernel starts on the CPU, and idles.
    Main = 0,
    /// Double faults: the stack that was in use may be bad.
    DoubleFault = 1,
    /// Non-maskable interrupts: they may come at any instruction.
    NonMaskable = 2,
    /// Machine checks: as above.
    MachineCheck = 3,
    /// Debug exceptions: they may come at the first instruction of the system call entry.
    Debug = 4,
}

impl CpuStack {
    const ALL: [CpuStack; 5] = [
        CpuStack::Main,
        CpuStack::DoubleFault,
        CpuStack::NonMaskable,
        CpuStack::MachineCheck,
        CpuStack::Debug,
    ];

    /// One past the highest byte of the boot CPU's main stack; those of other CPUs follow at [`DISTANCE`](Self::DISTANCE).
    pub(super) const FIRST_MAIN_TOP: u64 = slot_top(CpuStack::Main as u64);
    /// From a stack of one CPU to that of the next, in bytes.
    pub(super) const DISTANCE: u64 = CPU_SLOTS * SLOT;

    /// The mapped pages of `cpu`'s, in bytes.
    fn range(self, cpu: u32) -> Range<u64> {
        let size = if self == CpuStack::Main { STACK_SIZE } else { EXCEPTION_STACK_SIZE };
        let top = slot_top(u64::from(cpu) * CPU_SLOTS + self as u64);
        top - size..top
    }

    /// One past the highest byte of `cpu`'s; 16-byte aligned.
    pub(super) fn top(self, cpu: u32) -> u64 {
        self.range(cpu).end
    }
}

/// One past the highest byte of a slot.
const fn slot_top(slot: u64) -> u64 {
    STACKS + (slot + 1) * SLOT
}

/// The ranges to map for the stacks of a CPU.
pub(super) fn of_cpu(cpu: u32) -> impl Iterator<Item = Range<u64>> {
    CpuStack::ALL.into_iter().map(move |stack| stack.range(cpu))
}

/// Whether an address is in the window of stacks: a fault there is a stack overflow.
pub(super) fn is_guard(address: u64) -> bool {
    (STACKS..STACKS + SLOTS * SLOT).contains(&address)
}
