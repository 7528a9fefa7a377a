//! What is told about memory: `/proc/self/maps`, `/proc/vmstat`, and messages about faults that end the process.

use alloc::vec::Vec;
use core::fmt;

use abi::Errno;
use mm::space::{Segv, VmaKind, VmaView};
use mm::{PAGE_SIZE, Page};

use super::{Space, trace};
use crate::arch::user::{PageFault, UserAccess};
use crate::fs::maps::MapsLine;
use crate::fs::open::{Exe, ProcFile};
use crate::fs::status;
use crate::fs::text::Text;
use crate::memory::vmstat;

/// The text of a file of `/proc`. Errors: `ENOMEM`.
pub(super) fn proc_text(file: ProcFile, space: &Space, exe: Exe<'_>) -> Result<Vec<u8>, Errno> {
    match file {
        ProcFile::Trace => trace::take(),
        ProcFile::Maps => maps(space, exe),
        ProcFile::Vmstat => {
            let mut text = Text::default();
            vmstat::write(&mut text).map_err(|_| Errno::ENOMEM)?;
            Ok(text.into_bytes())
        }
    }
}

fn maps(space: &Space, exe: Exe<'_>) -> Result<Vec<u8>, Errno> {
    let mut text = Text::default();
    let mut result = Ok(());
    space.for_each_vma(|view| {
        if result.is_ok() {
            result = line(view, exe).write(&mut text);
        }
    });
    result.map_err(|_| Errno::ENOMEM)?;
    Ok(text.into_bytes())
}

/// The line of a VMA. Private anonymous memory has offset 0, whatever the VMA counts; shared anonymous memory
/// is on Linux a deleted file of an internal file system.
fn line<'a>(view: &VmaView, exe: Exe<'a>) -> MapsLine<'a> {
    const SHARED_MEMORY_DEVICE: (u32, u32) = (0, 1);
    let offset = view.vma.pgoff.wrapping_mul(PAGE_SIZE);
    let (name, offset, device, inode): (&[u8], _, _, _) = match view.kind {
        VmaKind::Anonymous => (b"", 0, (0, 0), 0),
        VmaKind::Heap => (b"[heap]", 0, (0, 0), 0),
        VmaKind::Stack => (b"[stack]", 0, (0, 0), 0),
        VmaKind::Image => (exe.path, offset, (0, status::INITRAMFS_DEVICE as u32), exe.inode),
        VmaKind::Shared(object) => (b"/dev/zero (deleted)", offset, SHARED_MEMORY_DEVICE, object.into()),
    };
    let (start, end) = (view.vma.range.start().address(), view.vma.range.end().address());
    MapsLine { start, end, flags: view.vma.flags, offset, device, inode, name }
}

/// Why a fault ends the process, for the log: the access, and the VMA or what lies around the hole.
pub(super) struct FaultReport<'a> {
    pub(super) fault: PageFault,
    pub(super) reason: Segv,
    pub(super) rip: u64,
    pub(super) space: &'a Space,
    pub(super) exe: Exe<'a>,
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
            return write!(f, "; {}", Vma(&vma, self.exe));
        }
        if let Some(vma) = below {
            write!(f, "; below: {}", Vma(&vma, self.exe))?;
        }
        if let Some(vma) = above {
            write!(f, "; above: {}", Vma(&vma, self.exe))?;
        }
        Ok(())
    }
}

/// A VMA in a message: range, permissions, name.
struct Vma<'a>(&'a VmaView, Exe<'a>);

impl fmt::Display for Vma<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Vma(view, exe) = self;
        write!(f, "{} {}", view.vma.range, view.vma.flags)?;
        match line(view, *exe).name {
            b"" => Ok(()),
            name => write!(f, " {}", name.escape_ascii()),
        }
    }
}
