//! The local APIC: the timer and the end of interrupts.
//!
//! x2APIC (model-specific registers) where the CPU has it, else xAPIC (a page of registers). A few registers
//! are all the kernel uses, and end-of-interrupt is on a hot path, so this is not a driver crate.

use core::sync::atomic::{AtomicU64, Ordering};

use raw_cpuid::CpuId;
use spin::Once;
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags, Msr};
use x86_64::structures::paging::{FrameAllocator, Size4KiB};

use super::paging::{self, DIRECT_MAP, OutOfFrames};
use super::{port, trap};

/// Registers, by their offset in the xAPIC page; the x2APIC register is 0x800 + offset / 16.
#[derive(Clone, Copy)]
enum Register {
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    SpuriousVector = 0xf0,
    TimerVector = 0x320,
    Lint0 = 0x350,
    Lint1 = 0x360,
    ErrorVector = 0x370,
    TimerInitial = 0x380,
    TimerCurrent = 0x390,
    TimerDivide = 0x3e0,
}

const MASKED: u32 = 1 << 16;
const PERIODIC: u32 = 1 << 17;
const SOFTWARE_ENABLE: u32 = 1 << 8;
/// LINT1 carries non-maskable interrupts on a PC.
const DELIVER_NMI: u32 = 4 << 8;
/// Divide the bus clock by 16.
const DIVIDE_BY_16: u32 = 3;

/// Where the registers are.
#[derive(Clone, Copy)]
enum Access {
    X2Apic,
    /// The page is mapped at this address.
    XApic(u64),
}

static ACCESS: Once<Access> = Once::new();
/// Ticks of the timer in a second; set once by the calibration.
static FREQUENCY: AtomicU64 = AtomicU64::new(0);

fn read(register: Register) -> u32 {
    match *ACCESS.get().expect("the local APIC is set up") {
        // SAFETY: reading these registers has no side effects.
        Access::X2Apic => unsafe { Msr::new(0x800 + register as u32 / 16).read() as u32 },
        // SAFETY: as above; the page is mapped uncached.
        Access::XApic(base) => unsafe { ((base + register as u64) as *const u32).read_volatile() },
    }
}

fn write(register: Register, value: u32) {
    match ACCESS.get() {
        // SAFETY: this module writes only what the manual allows (Intel SDM volume 3, 11.5).
        Some(Access::X2Apic) => unsafe { Msr::new(0x800 + register as u32 / 16).write(value.into()) },
        // SAFETY: as above; the page is mapped uncached.
        Some(Access::XApic(base)) => unsafe { ((base + register as u64) as *mut u32).write_volatile(value) },
        None => {}
    }
}

/// Enables the local APIC with everything masked but non-maskable interrupts, and silences the legacy
/// interrupt controllers.
///
/// # Errors
/// When there is no frame for the page table of the registers.
pub(super) fn init(frames: &mut impl FrameAllocator<Size4KiB>) -> Result<(), OutOfFrames> {
    port::mask_legacy_interrupts();
    let (frame, flags) = ApicBase::read();
    let access = if CpuId::new().get_feature_info().is_some_and(|info| info.has_x2apic()) {
        // SAFETY: the CPU has x2APIC; nothing used the xAPIC registers yet.
        unsafe { ApicBase::write(frame, flags | ApicBaseFlags::LAPIC_ENABLE | ApicBaseFlags::X2APIC_ENABLE) };
        Access::X2Apic
    } else {
        let base = DIRECT_MAP + frame.start_address().as_u64();
        paging::map_device(base, frame.start_address().as_u64(), frames)?;
        // SAFETY: enables the APIC where it is.
        unsafe { ApicBase::write(frame, flags | ApicBaseFlags::LAPIC_ENABLE) };
        Access::XApic(base)
    };
    ACCESS.call_once(|| access);
    write(Register::TaskPriority, 0);
    write(Register::Lint0, MASKED);
    write(Register::Lint1, DELIVER_NMI);
    write(Register::ErrorVector, MASKED);
    write(Register::TimerVector, MASKED | u32::from(trap::TIMER));
    write(Register::TimerDivide, DIVIDE_BY_16);
    write(Register::SpuriousVector, SOFTWARE_ENABLE | u32::from(trap::SPURIOUS));
    Ok(())
}

/// Starts counting down from the top, without an interrupt, to find the frequency.
pub(super) fn start_counting() {
    write(Register::TimerInitial, u32::MAX);
}

/// Timer ticks since [`start_counting`].
pub(super) fn counted() -> u64 {
    u64::from(u32::MAX - read(Register::TimerCurrent))
}

/// Tells how many ticks the timer makes in a second.
pub(super) fn set_frequency(ticks_per_second: u64) {
    write(Register::TimerInitial, 0);
    FREQUENCY.store(ticks_per_second, Ordering::Relaxed);
}

/// Makes the timer interrupt `per_second` times a second.
pub(super) fn start_timer(per_second: u64) {
    let ticks = FREQUENCY.load(Ordering::Relaxed) / per_second;
    write(Register::TimerVector, PERIODIC | u32::from(trap::TIMER));
    write(Register::TimerInitial, u32::try_from(ticks).unwrap_or(u32::MAX).max(1));
}

/// Tells the local APIC that the interrupt in service has been handled.
#[inline]
pub(super) fn end_of_interrupt() {
    write(Register::EndOfInterrupt, 0);
}
