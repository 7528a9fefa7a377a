//! `/proc/vmstat`: what memory is used for, in pages, and what has happened since boot; a line each, `name value`.
//!
//! Names, meanings and order are Linux's; what this kernel does not have is left out. `vma_lock_wait` is our own.

use core::fmt;

use mm::PageSize;
use mm::event::Event;
use mm::frame::FrameKind;

use crate::arch;

/// Uses of frames that Linux has a name for.
const USES: [(&str, FrameKind); 4] = [
    ("nr_slab_unreclaimable", FrameKind::Slab),
    ("nr_file_pages", FrameKind::Cache),
    ("nr_shmem", FrameKind::Shared),
    ("nr_page_table_pages", FrameKind::Table),
];

/// Appends the text. Errors: those of `text`.
pub(crate) fn write(text: &mut impl fmt::Write) -> fmt::Result {
    let frames = super::frames().statistics();
    writeln!(text, "nr_free_pages {}", frames.free)?;
    let of = |kind| frames.allocated(kind);
    USES.into_iter().try_for_each(|(name, kind)| writeln!(text, "{name} {}", of(kind)))?;
    writeln!(text, "nr_anon_pages {}", of(FrameKind::Anonymous) + of(FrameKind::Huge))?;
    writeln!(text, "nr_anon_transparent_hugepages {}", of(FrameKind::Huge) / PageSize::Huge.pages())?;
    Event::ALL.into_iter().try_for_each(|event| writeln!(text, "{} {}", event.name(), arch::counted(event)))
}
