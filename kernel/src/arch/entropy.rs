//! Random numbers from the CPU.

use raw_cpuid::CpuId;

/// Attempts at one number before giving up, as the manual advises (Intel SDM volume 1, 7.3.17).
const ATTEMPTS: u32 = 10;

/// A random number from the CPU's generator; `None` when it has none or is exhausted.
pub(crate) fn hardware() -> Option<u64> {
    let cpuid = CpuId::new();
    if cpuid.get_extended_feature_info().is_some_and(|info| info.has_rdseed()) {
        let seed = attempt(rdseed);
        if seed.is_some() {
            return seed;
        }
    }
    if cpuid.get_feature_info().is_some_and(|info| info.has_rdrand()) { attempt(rdrand) } else { None }
}

fn attempt(instruction: fn() -> Option<u64>) -> Option<u64> {
    (0..ATTEMPTS).find_map(|_| instruction())
}

fn rdseed() -> Option<u64> {
    let (value, success): (u64, u8);
    // SAFETY: only called when the CPU has the instruction.
    unsafe {
        core::arch::asm!("rdseed {}", "setc {}", out(reg) value, out(reg_byte) success, options(nomem, nostack))
    };
    (success != 0).then_some(value)
}

fn rdrand() -> Option<u64> {
    let (value, success): (u64, u8);
    // SAFETY: only called when the CPU has the instruction.
    unsafe {
        core::arch::asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) success, options(nomem, nostack))
    };
    (success != 0).then_some(value)
}
