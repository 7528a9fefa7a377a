//! What the CPU can do, and switching it on.

use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};

use super::{direct_map, paging};

unsafe extern "C" {
    static __smap_sites_start: u64;
    static __smap_sites_end: u64;
}

/// Whether pages of 1 GiB exist.
pub(super) fn has_giant_pages() -> bool {
    CpuId::new().get_extended_processor_and_feature_identifiers().is_some_and(|info| info.has_1gib_pages())
}

/// Whether an access to user memory faults in the kernel outside the copy routines.
pub(crate) fn has_smap() -> bool {
    CpuId::new().get_extended_feature_info().is_some_and(|info| info.has_smap())
}

/// Whether an instruction fetch from user memory faults in the kernel.
pub(crate) fn has_smep() -> bool {
    CpuId::new().get_extended_feature_info().is_some_and(|info| info.has_smep())
}

/// Turns `stac` and `clac` into no-ops when the CPU does not have them. While the boot tables are loaded: they
/// let the direct map write to the kernel's text.
pub(super) fn patch_smap_sites() {
    const NOP3: [u8; 3] = [0x0f, 0x1f, 0x00];
    if has_smap() {
        return;
    }
    let start = &raw const __smap_sites_start;
    let count = ((&raw const __smap_sites_end) as usize - start as usize) / size_of::<u64>();
    for index in 0..count {
        // SAFETY: the linker script puts `count` addresses of three-byte instructions there.
        let site = unsafe { start.add(index).read() };
        let physical = paging::translate(site).expect("the kernel image is mapped");
        // SAFETY: one of those instructions, which nobody executes now.
        unsafe { direct_map::address(physical).cast::<[u8; 3]>().write_unaligned(NOP3) };
    }
}

/// Switches on what protects the kernel and what programs may use. The kernel's own page tables need the
/// no-execute bit, so this comes before they are loaded.
pub(super) fn enable_features() {
    let features = CpuId::new().get_extended_feature_info();
    let has = |test: fn(&raw_cpuid::ExtendedFeatures) -> bool| features.as_ref().is_some_and(test);
    let mut cr4 = Cr4::read() | Cr4Flags::PAGE_GLOBAL | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    // PCIDs stay off: every load of CR3 flushes all but global translations.
    cr4.remove(Cr4Flags::PCID);
    cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, has_smep());
    cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, has_smap());
    cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, has(|f| f.has_umip()));
    let machine_check = CpuId::new().get_feature_info().is_some_and(|info| info.has_mce());
    cr4.set(Cr4Flags::MACHINE_CHECK_EXCEPTION, machine_check);
    cr4.set(Cr4Flags::FSGSBASE, has(|f| f.has_fsgsbase()));
    // SAFETY: each bit is set only where the CPU has the feature; the kernel touches no user memory outside
    // the copy routines and executes none.
    unsafe {
        Cr0::update(|cr0| {
            cr0.insert(Cr0Flags::WRITE_PROTECT | Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR);
            cr0.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
        });
        Efer::update(|efer| efer.insert(EferFlags::NO_EXECUTE_ENABLE));
        Cr4::write(cr4);
    }
}
