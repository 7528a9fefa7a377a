//! The local APIC: the timer, the end of interrupts, and interrupts for other CPUs.
//!
//! x2APIC (model-specific registers) where the CPU has it, else xAPIC (a page of registers). A few registers
//! are all the kernel uses, and end-of-interrupt is on a hot path, so this is not a driver crate.

use core::arch::asm;
use core::hint;
use core::sync::atomic::{AtomicU64, Ordering};

use raw_cpuid::CpuId;
use spin::Once;
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags, Msr};
use x86_64::structures::paging::{FrameAllocator, Size4KiB};

use super::paging::{self, DIRECT_MAP, OutOfFrames};
use super::{interrupts, port, trap};

/// Registers, by their offset in the xAPIC page; the x2APIC register is 0x800 + offset / 16.
#[derive(Clone, Copy)]
enum Register {
    Id = 0x20,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    SpuriousVector = 0xf0,
    /// In the xAPIC the low half of the command; its write sends.
    Command = 0x300,
    /// In the xAPIC the high half; x2APIC has one register for both.
    CommandHigh = 0x310,
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

/// In the low half of the command: the level of the interrupt is "assert", as it is for all but one obsolete use.
const ASSERT: u32 = 1 << 14;
/// In the low half of the command: the last one is still on its way (xAPIC).
const SEND_PENDING: u32 = 1 << 12;
/// The last command is gone after so many looks, or never.
const MAX_SEND_POLLS: u32 = 1_000_000;

/// What to send to another CPU (Intel SDM volume 3, 11.6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Message {
    /// An interrupt of this vector.
    Interrupt(u8),
    /// A non-maskable interrupt.
    NonMaskable,
    /// Reset, and wait for `StartUp`.
    Init,
    /// Start in real mode at this page below 1 MiB; the number of the page.
    StartUp(u8),
}

impl Message {
    fn command(self) -> u32 {
        ASSERT
            | match self {
                Message::Interrupt(vector) => u32::from(vector),
                Message::NonMaskable => 4 << 8,
                Message::Init => 5 << 8,
                Message::StartUp(page) => 6 << 8 | u32::from(page),
            }
    }
}

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

/// Finds the registers of the local APICs, sets up the running CPU's, and silences the legacy interrupt controllers.
///
/// # Errors
/// When there is no frame for the page table of the registers.
pub(super) fn init(frames: &mut impl FrameAllocator<Size4KiB>) -> Result<(), OutOfFrames> {
    port::mask_legacy_interrupts();
    let access = if CpuId::new().get_feature_info().is_some_and(|info| info.has_x2apic()) {
        Access::X2Apic
    } else {
        let physical = ApicBase::read().0.start_address().as_u64();
        let base = DIRECT_MAP + physical;
        paging::map_device(base, physical, frames)?;
        Access::XApic(base)
    };
    ACCESS.call_once(|| access);
    init_this_cpu();
    Ok(())
}

/// Enables the running CPU's local APIC with everything masked but non-maskable interrupts. All CPUs have theirs at the
/// same address.
pub(super) fn init_this_cpu() {
    let (frame, flags) = ApicBase::read();
    let mode = match ACCESS.get() {
        Some(Access::X2Apic) => ApicBaseFlags::LAPIC_ENABLE | ApicBaseFlags::X2APIC_ENABLE,
        _ => ApicBaseFlags::LAPIC_ENABLE,
    };
    // SAFETY: enables the APIC where it is; x2APIC only where the CPU has it.
    unsafe { ApicBase::write(frame, flags | mode) };
    write(Register::TaskPriority, 0);
    write(Register::Lint0, MASKED);
    write(Register::Lint1, DELIVER_NMI);
    write(Register::ErrorVector, MASKED);
    write(Register::TimerVector, MASKED | u32::from(trap::TIMER));
    write(Register::TimerDivide, DIVIDE_BY_16);
    write(Register::SpuriousVector, SOFTWARE_ENABLE | u32::from(trap::SPURIOUS));
}

/// What the running CPU is called by the other local APICs.
pub(super) fn id() -> u32 {
    let id = read(Register::Id);
    match ACCESS.get() {
        Some(Access::XApic(_)) => id >> 24,
        _ => id,
    }
}

/// Sends a message to the CPU whose local APIC has this identity. What this CPU has written before is seen by the CPU
/// that gets it.
pub(super) fn send(id: u32, message: Message) {
    let command = message.command();
    match ACCESS.get() {
        Some(Access::X2Apic) => {
            // A write to this register is no barrier (Intel SDM volume 3, 11.12.3).
            // SAFETY: fences have no preconditions, and the command is a valid one.
            unsafe {
                asm!("mfence", "lfence", options(nostack, preserves_flags));
                let register = 0x800 + Register::Command as u32 / 16;
                Msr::new(register).write(u64::from(id) << 32 | u64::from(command));
            }
        }
        // Two writes that belong together.
        Some(Access::XApic(_)) => interrupts::without(|| {
            let is_pending = || read(Register::Command) & SEND_PENDING != 0;
            (0..MAX_SEND_POLLS).take_while(|_| is_pending()).for_each(|_| hint::spin_loop());
            write(Register::CommandHigh, id << 24);
            write(Register::Command, command);
        }),
        None => {}
    }
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
