//! Instructions of the kernel that may fault, and where to continue when they do.

use core::slice;

/// One such instruction. The assembler writes these into the section `.fixups`.
#[repr(C)]
pub(super) struct Fixup {
    instruction: u64,
    target: u64,
    /// 0: a fault at a user address is expected; [`ANYTHING`].
    kind: u64,
}

/// For [`Fixup`]s that cover any fault at any address.
pub(super) const ANYTHING: u64 = 1;

unsafe extern "C" {
    static __fixups_start: Fixup;
    static __fixups_end: Fixup;
}

impl Fixup {
    /// Where to continue.
    pub(super) fn target(&self) -> u64 {
        self.target
    }

    /// Whether any fault is expected, not only one at a user address.
    pub(super) fn covers_all(&self) -> bool {
        self.kind == ANYTHING
    }
}

/// The fix-up for a fault at the instruction at `rip`. There are few, so they are searched in order.
pub(super) fn find(rip: u64) -> Option<&'static Fixup> {
    let start = &raw const __fixups_start;
    let bytes = (&raw const __fixups_end) as usize - start as usize;
    // SAFETY: the linker script puts whole entries between the two symbols.
    let fixups = unsafe { slice::from_raw_parts(start, bytes / size_of::<Fixup>()) };
    fixups.iter().find(|fixup| fixup.instruction == rip)
}

/// Assembler text that says: when the instruction at `$from` faults, go on at `$to`.
macro_rules! on_fault {
    ($from:literal, $to:literal, $kind:literal) => {
        concat!(".pushsection .fixups, \"a\"\n.quad ", $from, ", ", $to, ", ", $kind, "\n.popsection")
    };
}
pub(super) use on_fault;
