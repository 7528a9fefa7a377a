//! The machine: everything that needs `unsafe`, privileged instructions or assembler.
//!
//! | module | what |
//! | --- | --- |
//! | [`pvh`], [`uefi`] | the two entries of the kernel |
//! | [`paging`], [`direct_map`], [`vector`], [`image`] | the kernel's page tables; memory by physical address |
//! | [`descriptors`], [`trap`], [`fixup`] | segments, exceptions, interrupts |
//! | [`percpu`], [`cpu`], [`stack`] | what belongs to a CPU |
//! | [`processors`], [`trampoline`], [`smp`] | finding and starting other CPUs |
//! | [`parallel`], [`tlb`], [`stop`] | work for other CPUs, translations that they must forget, their end |
//! | [`user`], [`usercopy`], [`user_atomic`], [`fpu`] | ring 3 |
//! | [`apic`], [`clock`], [`port`], [`serial`], [`entropy`] | devices |
//! | [`heap`], [`shared`] | the allocator behind `alloc`; values with several owners |
//! | [`switch`] | switching kernel stacks |
//! | `registry`, `trial`, `fiber` | for the in-kernel tests |
#![allow(unsafe_code)] // this is where it belongs; each block says why it is sound

mod apic;
pub(crate) mod backtrace;
pub(crate) mod clock;
pub(crate) mod cpu;
mod descriptors;
pub(crate) mod direct_map;
pub(crate) mod entropy;
#[cfg(feature = "test")]
mod fiber;
mod fixup;
pub(crate) mod fpu;
pub(crate) mod heap;
pub(crate) mod image;
pub(crate) mod interrupts;
pub(crate) mod machine;
pub(crate) mod paging;
pub(crate) mod parallel;
mod percpu;
pub(crate) mod port;
mod processors;
mod pvh;
#[cfg(feature = "test")]
pub(crate) mod registry;
pub(crate) mod serial;
pub(crate) mod shared;
pub(crate) mod smp;
pub(crate) mod stack;
pub(crate) mod stop;
pub(crate) mod switch;
#[cfg(feature = "test")]
mod tests;
pub(crate) mod tlb;
mod trampoline;
mod trap;
#[cfg(feature = "test")]
pub(crate) mod trial;
mod uefi;
pub(crate) mod user;
mod user_atomic;
mod usercopy;
mod vector;

pub(crate) use percpu::{Local, MAX_CPUS, count, counted, cpu_number};
pub(crate) use trap::non_maskable_interrupts;
pub(crate) use user_atomic::compare_exchange_user;

use crate::memory::map::MemoryMap;
use x86_64::structures::paging::{FrameAllocator, Size4KiB};

/// Switches the CPU's features on and builds the kernel's own page tables; see [`paging::KernelTables`].
pub(crate) fn build_tables(map: &mut MemoryMap) -> paging::KernelTables {
    cpu::enable_features();
    cpu::patch_smap_sites();
    paging::KernelTables::new(map)
}

/// Sets up segments, exceptions, the per-CPU area and `syscall` of the boot CPU. The first thing on the kernel's own stack.
pub(crate) fn init_cpu() {
    init_this_cpu(0);
}

/// The same for the running CPU, which has this number.
fn init_this_cpu(number: u32) {
    descriptors::init(number);
    percpu::init(number);
    fpu::init();
}

/// Sets up the local APIC and measures the clocks; returns the ticks of the time-stamp counter in a second.
/// Frames for page tables come from `frames`.
pub(crate) fn init_clocks(frames: &mut impl FrameAllocator<Size4KiB>) -> Option<u64> {
    apic::init(frames).expect("a frame for the page table of the local APIC");
    clock::calibrate()
}

/// Starts the timer of the local APIC.
pub(crate) fn start_timer(per_second: u64) {
    apic::start_timer(per_second);
}

/// Gives this CPU its area, so that [`cpu_number`] works. The first thing of all.
pub(crate) fn early() {
    percpu::init(0);
}
