//! Signals that were sent and not yet delivered.

use alloc::vec::Vec;

use abi::signal::{SI_USER, SIGRTMIN};

use super::info::{Detail, SigInfo};
use super::{Number, SYNCHRONOUS, Set, bit};

/// Most real-time signals that wait at once.
const QUEUE_MAX: usize = 1024;

/// Pending signals, of a thread or of a process.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    set: Set,
    /// In the order in which they came; a standard signal is in at most once.
    infos: Vec<SigInfo>,
}

impl Pending {
    /// None.
    pub(crate) const fn new() -> Pending {
        Pending { set: 0, infos: Vec::new() }
    }

    /// Which ones there are.
    pub(crate) fn set(&self) -> Set {
        self.set
    }

    /// Adds a signal; a standard one that is there already counts once. Without memory nothing is known but its number.
    pub(crate) fn add(&mut self, info: SigInfo) {
        let known = self.set & bit(info.number) != 0;
        self.set |= bit(info.number);
        let queues = info.number >= SIGRTMIN && self.infos.len() < QUEUE_MAX;
        if (!known || queues) && self.infos.try_reserve(1).is_ok() {
            self.infos.push(info);
        }
    }

    /// Takes one of those in `wanted`: what an instruction caused first, then the lowest number.
    pub(crate) fn take(&mut self, wanted: Set) -> Option<SigInfo> {
        let there = self.set & wanted;
        let first = if there & SYNCHRONOUS != 0 { there & SYNCHRONOUS } else { there };
        if first == 0 {
            return None;
        }
        let number = first.trailing_zeros() as Number + 1;
        let at = self.infos.iter().position(|info| info.number == number);
        let info = at.map(|at| self.infos.remove(at));
        if !self.infos.iter().any(|info| info.number == number) {
            self.set &= !bit(number);
        }
        if self.infos.is_empty() {
            self.infos = Vec::new();
        }
        Some(info.unwrap_or(SigInfo { number, code: SI_USER, detail: Detail::None }))
    }

    /// Forgets those in `set`.
    pub(crate) fn forget(&mut self, set: Set) {
        self.set &= !set;
        self.infos.retain(|info| bit(info.number) & set == 0);
    }
}
