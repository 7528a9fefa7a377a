//! Kernel stacks: slots of a window of virtual addresses, each with unmapped pages below the stack.
//!
//! ```text
//!  slot n                                    slot n + 1
//!  ├── guard: never mapped ──┬── stack ──────┼── guard ...
//! ```

use core::ops::Range;

use super::paging::STACKS;

/// Distance of two stacks in bytes.
const SLOT: u64 = 128 << 10;
/// Size of an ordinary stack in bytes.
pub(super) const STACK_SIZE: u64 = 64 << 10;
/// Size of the stacks that exceptions switch to, in bytes.
const EXCEPTION_STACK_SIZE: u64 = 16 << 10;
/// Slots that can be used; the first ones are the boot CPU's.
const SLOTS: u64 = 4096;

/// The stacks that the task state segment names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CpuStack {
    /// Where the kernel starts.
    Main = 0,
    /// Interrupts and exceptions from ring 3, for a few instructions.
    Entry = 1,
    /// Double faults: the stack that was in use may be bad.
    DoubleFault = 2,
    /// Non-maskable interrupts: they may come at any instruction.
    NonMaskable = 3,
    /// Machine checks: as above.
    MachineCheck = 4,
    /// Debug exceptions: they may come at the first instruction of the system call entry.
    Debug = 5,
}

impl CpuStack {
    const ALL: [CpuStack; 6] = [
        CpuStack::Main,
        CpuStack::Entry,
        CpuStack::DoubleFault,
        CpuStack::NonMaskable,
        CpuStack::MachineCheck,
        CpuStack::Debug,
    ];

    /// The mapped pages, in bytes.
    fn range(self) -> Range<u64> {
        let size = if self == CpuStack::Main { STACK_SIZE } else { EXCEPTION_STACK_SIZE };
        let top = slot_top(self as u64);
        top - size..top
    }

    /// One past its highest byte; 16-byte aligned.
    pub(super) fn top(self) -> u64 {
        self.range().end
    }
}

/// One past the highest byte of a slot.
pub(super) fn slot_top(slot: u64) -> u64 {
    STACKS + (slot + 1) * SLOT
}

/// The ranges to map for the boot CPU's stacks.
pub(super) fn boot_stacks() -> impl Iterator<Item = Range<u64>> {
    CpuStack::ALL.into_iter().map(CpuStack::range)
}

/// Where the boot CPU's main stack starts.
pub(super) fn boot_stack_top() -> u64 {
    CpuStack::Main.top()
}

/// Whether an address is in the window of stacks: a fault there is a stack overflow.
pub(super) fn is_guard(address: u64) -> bool {
    (STACKS..STACKS + SLOTS * SLOT).contains(&address)
}
