//! `maps`, `smaps`, `smaps_rollup`.

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::ControlFlow;

use mm::space::{Residence, VmaKind, VmaView};
use mm::vma::VmaFlags;
use mm::{PAGE_SIZE, Page, Platform};

use crate::fs::mapped;
use crate::fs::maps::MapsLine;
use crate::fs::status;
use crate::fs::text::Text;
use crate::fs::written::Part;
use crate::ipc::segments;
use crate::memory::KERNEL;
use crate::process::Space;

/// Columns of a number of `smaps`.
const NUMBER_WIDTH: usize = 8;

/// The name of a VMA in the first column of names.
pub(crate) enum VmaName {
    /// One of the kernel's.
    Static(&'static [u8]),
    /// The path of a file.
    Path(Vec<u8>),
}

impl VmaName {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            VmaName::Static(bytes) => bytes,
            VmaName::Path(path) => path,
        }
    }

    /// That of `view`. Memory that is short leaves a file without one.
    pub(crate) fn of(view: &VmaView) -> VmaName {
        VmaName::Static(match view.kind {
            VmaKind::Anonymous => b"",
            VmaKind::Heap => b"[heap]",
            VmaKind::Stack => b"[stack]",
            VmaKind::File(number) => match mapped::path_of(number) {
                Ok(Some(path)) => return VmaName::Path(path),
                _ => b"",
            },
            VmaKind::Shared(number) => match segment_of(view, number) {
                Some((_, key)) => return VmaName::Path(name_of_segment(key).unwrap_or_default()),
                None => b"/dev/zero (deleted)",
            },
        })
    }
}

/// Identifier and key of the System V segment that `view`, which maps the object with this number, is an attachment of.
fn segment_of(view: &VmaView, number: u64) -> Option<(i32, i32)> {
    if view.vma.flags.contains(VmaFlags::ATTACHED) { segments::name_of(number) } else { None }
}

/// The name of a segment that was made with this key; `None` when memory is short.
fn name_of_segment(key: i32) -> Option<Vec<u8>> {
    let mut text = Text::default();
    write!(text, "/SYSV{key:08x} (deleted)").ok()?;
    Some(text.into_bytes())
}

/// The line of a VMA. Private anonymous memory has offset 0, whatever the VMA counts; shared anonymous memory
/// is on Linux a deleted file of an internal file system.
pub(crate) fn line<'a>(view: &VmaView, name: &'a VmaName) -> MapsLine<'a> {
    const SHARED_MEMORY_DEVICE: (u32, u32) = (0, 1);
    let offset = view.vma.pgoff.wrapping_mul(PAGE_SIZE);
    let (offset, device, inode) = match view.kind {
        VmaKind::Anonymous | VmaKind::Heap | VmaKind::Stack => (0, (0, 0), 0),
        VmaKind::File(number) => (offset, (0, status::TMPFS_DEVICE as u32), number),
        VmaKind::Shared(number) => {
            let inode = segment_of(view, number).map_or(number, |(identifier, _)| identifier as u64);
            (offset, SHARED_MEMORY_DEVICE, inode)
        }
    };
    let (start, end) = (view.vma.range.start().address(), view.vma.range.end().address());
    MapsLine { start, end, flags: view.vma.flags, offset, device, inode, name: name.bytes() }
}

/// Address where the next part begins, if there is one.
type Next = Result<Option<u64>, fmt::Error>;

/// Writes a part of `maps` to `text`, which is empty. Errors: memory is short.
pub(in crate::process) fn write(text: &mut Text, space: &Space, part: Part) -> Next {
    next(space.visit_vmas_from(Page::containing(part.from), |view| {
        go_on(line(view, &VmaName::of(view)).write(text), text, part, view)
    }))
}

/// Writes a part of `smaps` to `text`, which is empty. Errors: memory is short.
pub(super) fn write_long(text: &mut Text, space: &Space, part: Part) -> Next {
    next(space.survey_vmas_from(Page::containing(part.from), |view, residence| {
        let written = line(view, &VmaName::of(view)).write(text).and_then(|()| {
            let pages = view.vma.range.pages();
            kilobytes(text, b"Size:           ", pages)?;
            text.push(b"KernelPageSize:        4 kB\nMMUPageSize:           4 kB\n")?;
            write_residence(text, &residence, view.vma.flags)?;
            text.push(b"THPeligible:    ")?;
            text.push_decimal(wants_huge_pages(space, view).into(), NUMBER_WIDTH)?;
            text.push(b"\n")?;
            write_flags(text, view.vma.flags)
        });
        go_on(written, text, part, view)
    }))
}

/// Whether to go on behind the VMA that was written last; breaks off with the address where the next part begins.
fn go_on(
    written: fmt::Result,
    text: &Text,
    part: Part,
    view: &VmaView,
) -> ControlFlow<Result<u64, fmt::Error>> {
    match written {
        Ok(()) if text.len() < part.length => ControlFlow::Continue(()),
        Ok(()) => ControlFlow::Break(Ok(view.vma.range.end().address())),
        Err(error) => ControlFlow::Break(Err(error)),
    }
}

fn next(visited: ControlFlow<Result<u64, fmt::Error>>) -> Next {
    visited.break_value().transpose()
}

/// Whether a fault may map a huge page in the VMA.
fn wants_huge_pages(space: &Space, view: &VmaView) -> bool {
    view.vma.has_room_for_huge_pages()
        && [KERNEL.huge_pages(), space.huge_pages()].iter().all(|limit| limit.suit(view.vma.flags))
}

/// Writes `smaps_rollup`. Errors: memory is short.
pub(super) fn write_sum(text: &mut Text, space: &Space) -> fmt::Result {
    let mut sum = Residence::default();
    let (mut start, mut end) = (None, 0);
    space.survey_vmas(|view, residence| {
        sum.add(&residence);
        start.get_or_insert(view.vma.range.start().address());
        end = view.vma.range.end().address();
    });
    let flags = VmaFlags::empty();
    let line = MapsLine {
        start: start.unwrap_or(0),
        end,
        flags,
        offset: 0,
        device: (0, 0),
        inode: 0,
        name: b"[rollup]",
    };
    line.write(text)?;
    write_residence(text, &sum, flags)
}

/// Writes a line; its name comes with the colon and the blanks up to the column of the number.
fn kilobytes(text: &mut Text, name: &[u8; 16], pages: u64) -> fmt::Result {
    text.push(name)?;
    text.push_decimal(pages * (PAGE_SIZE / 1024), NUMBER_WIDTH)?;
    text.push(b" kB\n")
}

fn write_residence(text: &mut Text, residence: &Residence, flags: VmaFlags) -> fmt::Result {
    let pages = residence.pages();
    let (shared, private) = (residence.several, pages - residence.several);
    // A page that may be written was written: there are no dirty bits.
    let dirty = residence.writable.min(pages);
    let shared_dirty = if flags.contains(VmaFlags::SHARED) { dirty.min(shared) } else { 0 };
    let private_dirty = (dirty - shared_dirty).min(private);
    for (name, pages) in [
        (b"Rss:            ", pages),
        (b"Pss:            ", pages),
        (b"Pss_Dirty:      ", dirty),
        (b"Shared_Clean:   ", shared - shared_dirty),
        (b"Shared_Dirty:   ", shared_dirty),
        (b"Private_Clean:  ", private - private_dirty),
        (b"Private_Dirty:  ", private_dirty),
        (b"Referenced:     ", pages),
        (b"Anonymous:      ", residence.anonymous),
    ] {
        kilobytes(text, name, pages)?;
    }
    text.push(b"KSM:                   0 kB\nLazyFree:              0 kB\n")?;
    kilobytes(text, b"AnonHugePages:  ", residence.huge)?;
    text.push(
        b"ShmemPmdMapped:        0 kB\n\
          FilePmdMapped:         0 kB\n\
          Shared_Hugetlb:        0 kB\n\
          Private_Hugetlb:       0 kB\n\
          Swap:                  0 kB\n\
          SwapPss:               0 kB\n",
    )?;
    kilobytes(text, b"Locked:         ", if flags.contains(VmaFlags::LOCKED) { pages } else { 0 })
}

fn write_flags(text: &mut Text, flags: VmaFlags) -> fmt::Result {
    text.push(b"VmFlags: ")?;
    let never_write = flags.contains(VmaFlags::NEVER_WRITE);
    for (set, name) in [
        (flags.contains(VmaFlags::READ), b"rd "),
        (flags.contains(VmaFlags::WRITE), b"wr "),
        (flags.contains(VmaFlags::EXEC), b"ex "),
        (flags.contains(VmaFlags::SHARED) && !never_write, b"sh "),
        (true, b"mr "),
        (!never_write, b"mw "),
        (true, b"me "),
        (flags.contains(VmaFlags::SHARED), b"ms "),
        (flags.contains(VmaFlags::GROWSDOWN), b"gd "),
        (flags.contains(VmaFlags::UFFD_MISSING), b"um "),
        (flags.contains(VmaFlags::UFFD_WP), b"uw "),
        (flags.contains(VmaFlags::LOCKED), b"lo "),
        (flags.contains(VmaFlags::SEQUENTIAL), b"sr "),
        (flags.contains(VmaFlags::RANDOM), b"rr "),
        (flags.contains(VmaFlags::DONTFORK), b"dc "),
        (flags.contains(VmaFlags::LOCKONFAULT), b"lf "),
        (flags.contains(VmaFlags::ACCOUNT), b"ac "),
        (flags.contains(VmaFlags::NORESERVE), b"nr "),
        (flags.contains(VmaFlags::WIPEONFORK), b"wf "),
        (flags.contains(VmaFlags::DONTDUMP), b"dd "),
        (flags.contains(VmaFlags::HUGEPAGE), b"hg "),
        (flags.contains(VmaFlags::NOHUGEPAGE), b"nh "),
        (flags.contains(VmaFlags::MERGEABLE), b"mg "),
        (flags.contains(VmaFlags::SEALED), b"sl "),
    ] {
        if set {
            text.push(name)?;
        }
    }
    text.push(b"\n")
}
