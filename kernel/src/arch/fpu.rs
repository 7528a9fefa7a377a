//! Floating-point and vector registers of programs. The kernel itself touches them only in [`vector`](super::vector).

use core::alloc::Layout;
use core::arch::asm;
use core::ptr::NonNull;
use core::slice;

use alloc::vec::Vec;

use raw_cpuid::CpuId;
use spin::Once;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::shared::NoMemory;
use super::vector;

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

/// Size in bytes of what `fxsave` saves, with which every image begins.
pub(crate) const LEGACY_SIZE: usize = 512;
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
        // Where string instructions are fast, nothing is faster.
        if has_avx && !cpuid.get_extended_feature_info().is_some_and(|info| info.has_rep_movsb_stosb()) {
            vector::enable();
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

/// The x87 exceptions that are flagged and not masked, from bit 0 on: invalid, denormal, division, overflow, underflow, inexact.
pub(crate) fn x87_exceptions() -> u32 {
    let (mut control, mut status) = (0u16, 0u16);
    // SAFETY: stores two registers into variables of the right size.
    unsafe {
        asm!("fnstcw [{}]", "fnstsw [{}]", in(reg) &raw mut control, in(reg) &raw mut status,
            options(nostack, preserves_flags));
    }
    u32::from(status & !control & 0x3f)
}

/// As [`x87_exceptions`], of SSE.
pub(crate) fn sse_exceptions() -> u32 {
    let mut mxcsr = 0u32;
    // SAFETY: stores a register into a variable of the right size.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
    mxcsr & !(mxcsr >> 7) & 0x3f
}

/// The registers of one program while it does not run. 64-byte aligned, as the CPU wants it.
pub(crate) struct State {
    area: NonNull<u8>,
}

// SAFETY: owns its area.
unsafe impl Send for State {}
// SAFETY: `&State` only reads the area.
unsafe impl Sync for State {}

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

    /// The registers as they are in the CPU.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn of_cpu() -> Result<Self, NoMemory> {
        // SAFETY: the size is not zero.
        let area = NonNull::new(unsafe { alloc::alloc::alloc(State::layout()) }).ok_or(NoMemory)?;
        if format().method != Method::Fxsave {
            // Of the header, `xsave` writes the first word, and the rest has to be zero; besides, only what no instruction looks at is
            // left as it is.
            // SAFETY: the area has a header.
            unsafe { area.add(HEADER).cast::<[u64; 8]>().write([0; 8]) };
        }
        let mut state = State { area };
        state.save_whole();
        Ok(state)
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

/// What switches, new threads and signals need.
impl State {
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

    /// As [`save`](Self::save), where the area may never have been restored from: an `xsaveopt` could take it for the one that
    /// lay at the same address before, and leave out what has not changed since.
    pub(crate) fn save_whole(&mut self) {
        let area = self.area.as_ptr();
        // SAFETY: as in `save`.
        unsafe {
            if format().method == Method::Fxsave {
                asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags));
            } else {
                asm!("xsave64 [{}]", in(reg) area, in("eax") COMPONENTS, in("edx") 0,
                    options(nostack, preserves_flags));
            }
        }
    }
}

/// Marks of extended state in a signal frame, in front and behind (`asm/sigcontext.h`).
const MAGIC_FRONT: u32 = 0x4650_5853;
const MAGIC_BEHIND: u32 = 0x4650_5845;
const MAGIC_SIZE: usize = 4;
/// Where the legacy area says what follows it: front mark, size with the mark behind, components, size.
const SOFTWARE: usize = 464;
/// The header of extended state: components, and 56 bytes that are zero.
const HEADER: usize = LEGACY_SIZE;
const HEADER_END: usize = HEADER + 64;
const MXCSR: usize = 24;
/// Bits that may be set in MXCSR on every CPU.
const MXCSR_MASK: u32 = 0xffbf;

/// The registers as a signal frame has them.
pub(crate) struct Image(Vec<u8>);

impl Image {
    /// Its size in bytes.
    pub(crate) fn size() -> usize {
        format().size + if Image::has_extended() { MAGIC_SIZE } else { 0 }
    }

    fn has_extended() -> bool {
        format().method != Method::Fxsave
    }

    fn components() -> u64 {
        XCr0::read().bits() & u64::from(COMPONENTS)
    }

    /// What is in the CPU now.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn take() -> Result<Image, NoMemory> {
        let mut state = State::new()?;
        state.save_whole();
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(Image::size()).map_err(|_| NoMemory)?;
        // SAFETY: the area has this size and was filled by `new` and `save_whole`.
        bytes.extend_from_slice(unsafe { slice::from_raw_parts(state.area.as_ptr(), format().size) });
        let mut image = Image(bytes);
        if Image::has_extended() {
            image.0.extend_from_slice(&MAGIC_BEHIND.to_le_bytes());
            let sizes = [MAGIC_FRONT, Image::size() as u32].map(u32::to_le_bytes);
            image.put_bytes(SOFTWARE, sizes.as_flattened());
            image.put_bytes(SOFTWARE + 8, &Image::components().to_le_bytes());
            image.put_bytes(SOFTWARE + 16, &(format().size as u32).to_le_bytes());
        }
        Ok(image)
    }

    /// A state from `bytes` ([`Image::size`] of them), which a program may have filled with anything.
    ///
    /// # Errors
    /// When the kernel heap is exhausted.
    pub(crate) fn from_user(bytes: &[u8]) -> Result<State, NoMemory> {
        let state = State::new()?;
        let mut image = Image(Vec::new());
        image.0.try_reserve_exact(bytes.len()).map_err(|_| NoMemory)?;
        image.0.extend_from_slice(bytes);
        let mxcsr = image.word(MXCSR) & MXCSR_MASK;
        image.put_bytes(MXCSR, &mxcsr.to_le_bytes());
        if Image::has_extended() {
            let whole = image.word(SOFTWARE) == MAGIC_FRONT
                && image.word(SOFTWARE + 16) as usize == format().size
                && image.word(format().size) == MAGIC_BEHIND;
            let said = u64::from(image.word(HEADER));
            let components = if whole {
                said & Image::components()
            } else {
                XCr0Flags::X87.bits() | XCr0Flags::SSE.bits()
            };
            image.put_bytes(HEADER, &components.to_le_bytes());
            image.0[HEADER + 8..HEADER_END].fill(0);
        }
        // SAFETY: the area has this size. The content is valid: no reserved bit of MXCSR or of the header is set (Intel SDM
        // volume 1, 13.8).
        unsafe { state.area.as_ptr().copy_from_nonoverlapping(image.0.as_ptr(), format().size) };
        Ok(state)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has more than the legacy area.
    pub(crate) fn is_extended(&self) -> bool {
        Image::has_extended()
    }

    fn put_bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn word(&self, at: usize) -> u32 {
        self.0[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { alloc::alloc::dealloc(self.area.as_ptr(), State::layout()) }
    }
}
