//! Messages about faults that end the process.

use core::fmt;

use mm::Page;
use mm::space::{Segv, VmaView};

use super::Space;
use super::proc::maps::VmaName;
use crate::arch::user::{PageFault, UserAccess};

/// Why a fault ends the process, for the log: the access, and the VMA or what lies around the hole.
pub(super) struct FaultReport<'a> {
    pub(super) fault: PageFault,
    pub(super) reason: Segv,
    pub(super) rip: u64,
    pub(super) space: &'a Space,
}

impl fmt::Display for FaultReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PageFault { address, access, .. } = self.fault;
        let verb = match access {
            UserAccess::Read => "read of",
            UserAccess::Write => "write to",
            UserAccess::Execute => "jump to",
        };
        write!(f, "{verb} {address:#x} at rip {:#x}: {}", self.rip, self.reason)?;
        if address >= mm::USER_END {
            return f.write_str("; not in the user half");
        }
        let [below, at, above] = self.space.vmas_around(Page::containing(address));
        if let Some(vma) = at {
            return write!(f, "; {}", Vma(&vma));
        }
        if let Some(vma) = below {
            write!(f, "; below: {}", Vma(&vma))?;
        }
        if let Some(vma) = above {
            write!(f, "; above: {}", Vma(&vma))?;
        }
        Ok(())
    }
}

/// A VMA in a message: range, permissions, name.
struct Vma<'a>(&'a VmaView);

impl fmt::Display for Vma<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Vma(view) = self;
        write!(f, "{} {}", view.vma.range, view.vma.flags)?;
        match VmaName::of(view).bytes() {
            b"" => Ok(()),
            name => write!(f, " {}", name.escape_ascii()),
        }
    }
}
