//! Faults that a program resolves itself (`userfaultfd(2)`): what a VMA says of them, and what is told.
//!
//! ```text
//!  register ─► VMA: modes, handling, context      part of its flags: decides merges and splits
//!                    │
//!  fault: page missing, or write-protected ─► line up ─► look again ─► sleep            thread
//!                                                │            ▲          ▲
//!                                                ▼ message    │ page     │ wake         monitor
//!                                              read ─► copy, zeropage, writeprotect ────┘
//! ```
//!
//! A *context* is what a file of `userfaultfd` stands for. It belongs to one address space, where it is a number. No thread waits
//! with a lock in its hands. It looks again after it has lined up, so whoever resolves the fault before is seen, and whoever does so
//! afterwards finds it in line: no wake is lost.

use core::cell::Cell;
use core::num::NonZeroU32;

use crate::range::Page;
use crate::vma::{Access, VmaFlags};

/// The number of a context in its address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context(pub NonZeroU32);

/// Why a fault is the program's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// There is no page (`UFFDIO_REGISTER_MODE_MISSING`).
    Missing,
    /// It was to be written to, and is write-protected by `UFFDIO_WRITEPROTECT`.
    WriteProtected,
}

/// What becomes of a thread that faults. Fixed for a context before it registers anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handling {
    /// It waits.
    Wait,
    /// It waits, but not in a system call, which fails (`UFFD_USER_MODE_ONLY`).
    WaitInPrograms,
    /// It gets a SIGBUS (`UFFD_FEATURE_SIGBUS`).
    Signal,
}

/// A fault that the program resolves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Userfault {
    /// The context that hears of it.
    pub context: Context,
    /// Why.
    pub reason: Reason,
    /// What becomes of the thread.
    pub handling: Handling,
}

/// What a range is registered for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registration {
    /// With which context.
    pub context: Context,
    /// [`VmaFlags::UFFD_MISSING`], [`VmaFlags::UFFD_WP`], or both.
    pub modes: VmaFlags,
    /// What becomes of threads that fault.
    pub handling: Handling,
}

/// What the monitor is told of a fault (`struct uffd_msg`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// The address that was accessed, in bytes.
    pub address: u64,
    /// How.
    pub access: Access,
    /// Why it is told.
    pub reason: Reason,
    /// The thread.
    pub thread: u32,
}

/// A thread that waits in the line of an address space.
pub(crate) struct Waiting {
    pub(crate) context: Context,
    pub(crate) message: Message,
    /// Whether the message has been read. Used under the lock of the line.
    pub(crate) told: Cell<bool>,
}

impl Waiting {
    pub(crate) fn page(&self) -> Page {
        Page::containing(self.message.address)
    }
}

/// The number of the context is above all other flags.
const CONTEXT_SHIFT: u32 = 32;

impl VmaFlags {
    /// All that concerns faults that the program resolves.
    pub const USERFAULTS: VmaFlags = VmaFlags::UFFD_MISSING
        .union(VmaFlags::UFFD_WP)
        .union(VmaFlags::UFFD_USER_ONLY)
        .union(VmaFlags::UFFD_SIGBUS)
        .union(VmaFlags::from_bits_retain(0xffff_ffff << CONTEXT_SHIFT));

    /// The context that the VMA is registered with.
    pub fn context(self) -> Option<Context> {
        NonZeroU32::new((self.bits() >> CONTEXT_SHIFT) as u32).map(Context)
    }

    /// The same, registered so and not otherwise.
    pub(crate) fn registered(self, registration: &Registration) -> Self {
        let context = VmaFlags::from_bits_retain(u64::from(registration.context.0.get()) << CONTEXT_SHIFT);
        let handling = match registration.handling {
            Handling::Wait => VmaFlags::empty(),
            Handling::WaitInPrograms => VmaFlags::UFFD_USER_ONLY,
            Handling::Signal => VmaFlags::UFFD_SIGBUS,
        };
        self.unregistered() | registration.modes | handling | context
    }

    /// The same, registered with nobody.
    pub(crate) fn unregistered(self) -> Self {
        self - VmaFlags::USERFAULTS
    }

    /// The fault of a VMA with these flags that is there for `reason`, if it is registered.
    pub(crate) fn userfault(self, reason: Reason) -> Option<Userfault> {
        let handling = if self.contains(VmaFlags::UFFD_SIGBUS) {
            Handling::Signal
        } else if self.contains(VmaFlags::UFFD_USER_ONLY) {
            Handling::WaitInPrograms
        } else {
            Handling::Wait
        };
        Some(Userfault { context: self.context()?, reason, handling })
    }
}
