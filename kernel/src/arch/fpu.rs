//! Floating-point and vector registers of programs. The kernel itself never touches them.

use core::alloc::Layout;
use core::arch::asm;
use core::ptr::NonNull;

use raw_cpuid::CpuId;
use spin::Once;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

/// How the CPU saves the registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    /// `fxsave`: x87 and SSE.
    Fxsave,
    /// `xsave`.
    Xsave,
    /// `xsaveopt`: leaves out what did not change.
    Xsaveopt,
}

#[derive(Clone, Copy)]
struct Format {
    method: Method,
    size: usize,
}

static FORMAT: Once<Format> = Once::new();

const LEGACY_SIZE: usize = 512;
/// All state that the kernel enables.
const COMPONENTS: u32 = 7;
/// Value of the x87 control word and of MXCSR when a program starts (System V ABI, 3.4.1).
const INITIAL_CONTROL_WORD: u16 = 0x037f;
const INITIAL_MXCSR: u32 = 0x1f80;

/// Enables x87, SSE and, where present, AVX for programs.
pub(super) fn init() {
    let cpuid = CpuId::new();
    let has_xsave = cpuid.get_feature_info().is_some_and(|info| info.has_xsave());
    let format = if has_xsave {
        let state = cpuid.get_extended_state_info();
        let has_avx = cpuid.get_feature_info().is_some_and(|info| info.has_avx());
        let mut components = XCr0Flags::X87 | XCr0Flags::SSE;
        components.set(XCr0Flags::AVX, has_avx);
        // SAFETY: the CPU has XSAVE, and AVX where it is asked for.
        unsafe {
            Cr4::update(|cr4| cr4.insert(Cr4Flags::OSXSAVE));
            XCr0::write(components);
        }
        // The size depends on XCR0: ask again.
        let size = CpuId::new()
            .get_extended_state_info()
            .map_or(LEGACY_SIZE + 64 + 256, |info| info.xsave_area_size_enabled_features() as usize);
        let has_opt = state.is_some_and(|info| info.has_xsaveopt());
        Format { method: if has_opt { Method::Xsaveopt } else { Method::Xsave }, size }
    } else {
        Format { method: Method::Fxsave, size: LEGACY_SIZE }
    };
    FORMAT.call_once(|| format);
}

fn format() -> Format {
    *FORMAT.get().expect("the FPU is set up")
}

/// The registers of one program while it does not run. 64-byte aligned, as the CPU wants it.
pub(crate) struct State {
    area: NonNull<u8>,
}

// SAFETY: owns its area.
unsafe impl Send for State {}
// SAFETY: `&State` only reads the area.
unsafe impl Sync for State {}

/// There is no memory for another state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMemory;

impl State {
    fn layout() -> Layout {
        Layout::from_size_align(format().size, 64).expect("a small area")
    }

    /// The registers as a program finds them at its start.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn new() -> Result<Self, NoMemory> {
        // SAFETY: the size is not zero.
        let area = NonNull::new(unsafe { alloc::alloc::alloc_zeroed(State::layout()) }).ok_or(NoMemory)?;
        // A header of zeroes means "initial" for all components, but MXCSR is loaded even so (Intel SDM volume 1,
        // 13.8); `fxrstor` knows no header and needs the control word too.
        // SAFETY: the area has at least the 512 bytes of the legacy region: the control word is its first word,
        // MXCSR is at 24 (Intel SDM volume 1, table 10-2).
        unsafe {
            area.cast::<u16>().write(INITIAL_CONTROL_WORD);
            area.add(24).cast::<u32>().write(INITIAL_MXCSR);
        }
        Ok(State { area })
    }

    /// Puts the registers into the CPU: before the program runs.
    pub(crate) fn restore(&self) {
        let area = self.area.as_ptr();
        // SAFETY: the area is aligned and was filled by `new` or `save`, so its content is valid.
        unsafe {
            if format().method == Method::Fxsave {
                asm!("fxrstor64 [{}]", in(reg) area, options(nostack, preserves_flags, readonly));
            } else {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") COMPONENTS, in("edx") 0,
                    options(nostack, preserves_flags, readonly));
            }
        }
    }
}

/// What process switches and `fork` need.
#[cfg_attr(not(feature = "test"), expect(dead_code, reason = "tested, but there is only one process yet"))]
impl State {
    /// A copy, for a new process.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn try_clone(&self) -> Result<Self, NoMemory> {
        // SAFETY: the size is not zero.
        let area = NonNull::new(unsafe { alloc::alloc::alloc(State::layout()) }).ok_or(NoMemory)?;
        // SAFETY: two distinct areas of that size.
        unsafe { area.copy_from_nonoverlapping(self.area, format().size) };
        Ok(State { area })
    }

    /// Takes the registers from the CPU: before another program runs on it.
    pub(crate) fn save(&mut self) {
        let area = self.area.as_ptr();
        // SAFETY: the area is aligned and large enough for the enabled components.
        unsafe {
            match format().method {
                Method::Fxsave => asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)),
                Method::Xsave => {
                    asm!("xsave64 [{}]", in(reg) area, in("eax") COMPONENTS, in("edx") 0,
                        options(nostack, preserves_flags));
                }
                Method::Xsaveopt => {
                    asm!("xsaveopt64 [{}]", in(reg) area, in("eax") COMPONENTS, in("edx") 0,
                        options(nostack, preserves_flags));
                }
            }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { alloc::alloc::dealloc(self.area.as_ptr(), State::layout()) }
    }
}
