//! The serial ports of a PC.
//!
//! What a terminal or a pipe sent before the kernel runs is input for the first program. The driver crate throws
//! away what has arrived when it sets a port up, so it works on [`Registers`] that keep it.

use uart_16550::backend::Backend;
use uart_16550::spec::FIFO_SIZE;
use uart_16550::spec::registers::{FCR, LSR, offsets};
use uart_16550::{BaudRate, Config, Uart16550};

use super::port;

/// The serial ports, by their traditional I/O addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Port {
    /// Standard input and output of user programs.
    Com1 = 0x3f8,
    /// The kernel log.
    Com2 = 0x2f8,
    /// Messages for the host tool.
    Com3 = 0x3e8,
}

/// A serial port, ready for use.
pub(crate) struct Uart {
    uart: Uart16550<Registers>,
}

impl Uart {
    /// Opens a port; `None` when the machine does not have it.
    pub(crate) fn open(port: Port) -> Option<Self> {
        let registers = Registers { base: port as u16, keep: Keep::Input, kept: [0; KEPT], len: 0 };
        // SAFETY: these port ranges belong to a 16550 or to nobody. The console module keeps each in a lock; only
        // a panic opens one a second time, when nobody else runs any more.
        let mut uart = unsafe { Uart16550::new_with_backend(registers) };
        uart.init(Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT }).ok()?;
        uart.backend_mut().keep = Keep::Nothing;
        Some(Uart { uart })
    }

    /// Sends as many of `bytes` as the port takes at once; returns how many.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        self.uart.send_bytes(bytes)
    }

    /// Whether the port would take bytes.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.uart.ready_to_send().is_ok()
    }

    /// Reads what has arrived; returns how many bytes.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let kept = self.uart.backend_mut().take_kept(buffer);
        kept + self.uart.receive_bytes(&mut buffer[kept..])
    }
}

/// What the port and its FIFO can hold while they are set up.
const KEPT: usize = 2 * FIFO_SIZE;

/// The registers of a port. While it is set up, what is read or would be cleared is kept.
struct Registers {
    base: u16,
    keep: Keep,
    kept: [u8; KEPT],
    len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keep {
    Input,
    Nothing,
}

impl Registers {
    fn register(&self, offset: u8) -> u16 {
        self.base + u16::from(offset)
    }

    fn keep(&mut self, byte: u8) {
        if self.len < KEPT {
            self.kept[self.len] = byte;
            self.len += 1;
        }
    }

    /// Moves kept bytes into `buffer`; returns how many.
    fn take_kept(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.len.min(buffer.len());
        buffer[..count].copy_from_slice(&self.kept[..count]);
        self.kept.copy_within(count..self.len, 0);
        self.len -= count;
        count
    }
}

impl Backend for Registers {
    unsafe fn read(&mut self, offset: u8) -> u8 {
        // SAFETY: a register of this port; the driver knows what it reads.
        let value = unsafe { port::read(self.register(offset)) };
        if self.keep == Keep::Input && usize::from(offset) == offsets::DATA {
            self.keep(value);
        }
        value
    }

    unsafe fn write(&mut self, offset: u8, value: u8) {
        let mut value = value;
        if self.keep == Keep::Input && usize::from(offset) == offsets::FCR {
            // Turning the FIFO on clears the one byte that may be there; resetting it clears all.
            value &= !FCR::RX_FIFO_RESET.bits();
            // SAFETY: reading these registers takes a byte that has arrived.
            unsafe {
                let status = LSR::from_bits_retain(port::read(self.register(offsets::LSR as u8)));
                if status.contains(LSR::DATA_READY) {
                    let byte = port::read(self.register(offsets::DATA as u8));
                    self.keep(byte);
                }
            }
        }
        // SAFETY: a register of this port; the driver knows what it writes.
        unsafe { port::write(self.register(offset), value) }
    }
}
