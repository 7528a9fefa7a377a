//! `siginfo_t` (`sigaction(2)`): what is told about a signal.

use abi::Signal;
use abi::signal::{SI_KERNEL, SI_USER};

use super::Number;

/// Size of `siginfo_t` in bytes.
pub(crate) const INFO_SIZE: usize = 128;
/// Any signal: sent by `tkill`.
const SI_TKILL: i32 = -6;

/// About one signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SigInfo {
    /// Which.
    pub(crate) number: Number,
    /// `si_code`.
    pub(crate) code: i32,
    /// What else there is to say.
    pub(crate) detail: Detail,
}

/// The part of `siginfo_t` that depends on the signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// Nothing.
    None,
    /// Who sent it; everybody is user 0.
    Sender(i32),
    /// The address that a fault is about.
    Fault(u64),
    /// A child and its status, as far as `si_code` does not say it.
    Child(i32, i32),
    /// What the sender says, byte 12 and on of `siginfo_t`.
    Raw([u8; INFO_SIZE - 12]),
}

impl SigInfo {
    /// Sent by the kernel.
    pub(crate) fn kernel(signal: Signal) -> SigInfo {
        SigInfo { number: signal.number(), code: SI_KERNEL, detail: Detail::None }
    }

    /// Sent by `kill` of process `pid`.
    pub(crate) fn user(number: Number, pid: i32) -> SigInfo {
        SigInfo { number, code: SI_USER, detail: Detail::Sender(pid) }
    }

    /// Sent by `tkill` or `tgkill` of process `pid`.
    pub(crate) fn thread(number: Number, pid: i32) -> SigInfo {
        SigInfo { number, code: SI_TKILL, detail: Detail::Sender(pid) }
    }

    /// Caused by an instruction at or touching `address`.
    pub(crate) fn fault(signal: Signal, code: i32, address: u64) -> SigInfo {
        SigInfo { number: signal.number(), code, detail: Detail::Fault(address) }
    }

    /// As the program has it.
    pub(crate) fn encode(&self) -> [u8; INFO_SIZE] {
        let mut bytes = [0; INFO_SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &i32::from(self.number).to_le_bytes());
        put(8, &self.code.to_le_bytes());
        match self.detail {
            Detail::None => {}
            Detail::Sender(pid) => put(16, &pid.to_le_bytes()),
            Detail::Fault(address) => put(16, &address.to_le_bytes()),
            Detail::Child(pid, status) => {
                put(16, &pid.to_le_bytes());
                put(24, &status.to_le_bytes());
            }
            Detail::Raw(rest) => put(12, &rest),
        }
        bytes
    }

    /// What a program gives to `rt_sigqueueinfo`.
    pub(crate) fn decode(number: Number, bytes: &[u8; INFO_SIZE]) -> SigInfo {
        let mut code = [0; 4];
        code.copy_from_slice(&bytes[8..12]);
        let mut rest = [0; INFO_SIZE - 12];
        rest.copy_from_slice(&bytes[12..]);
        SigInfo { number, code: i32::from_le_bytes(code), detail: Detail::Raw(rest) }
    }
}
