//! Port I/O and the few devices that are nothing but ports.

use x86_64::instructions::port::Port;

/// Writes a byte to a port.
///
/// # Safety
/// Device registers can do anything; the caller knows what this one does.
pub(super) unsafe fn write(port: u16, value: u8) {
    // SAFETY: the caller's contract.
    unsafe { Port::new(port).write(value) }
}

/// Reads a byte from a port.
///
/// # Safety
/// As for [`write`]: reading may have effects.
pub(super) unsafe fn read(port: u16) -> u8 {
    // SAFETY: the caller's contract.
    unsafe { Port::new(port).read() }
}

/// How the machine ended, for whoever started it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// An orderly end.
    Done = 0x10,
    /// The kernel panicked.
    Panic = 0x11,
}

/// Ends the machine through `isa-debug-exit`; where that device does not exist, halts for good.
pub(crate) fn exit(how: Exit) -> ! {
    const ISA_DEBUG_EXIT: u16 = 0xf4;
    // SAFETY: the port belongs to isa-debug-exit or to nobody.
    unsafe { Port::new(ISA_DEBUG_EXIT).write(how as u32) };
    x86_64::instructions::interrupts::disable();
    loop {
        x86_64::instructions::hlt();
    }
}

/// Masks every line of the two legacy interrupt controllers: interrupts come from the local APIC only.
pub(super) fn mask_legacy_interrupts() {
    // SAFETY: the data ports of the two 8259s; writing them sets the masks and nothing else.
    unsafe {
        write(0x21, 0xff);
        write(0xa1, 0xff);
    }
}
