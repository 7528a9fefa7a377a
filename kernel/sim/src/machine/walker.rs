//! The hardware's page walk (SDM vol. 3, 4.5): four levels, pages of 4 KiB and 2 MiB, on raw words of the arena.
//!
//! Shares no code with the page tables of `mm`, so that the two check each other.

use super::arena::Arena;

pub(crate) const PRESENT: u64 = 1 << 0;
pub(crate) const WRITABLE: u64 = 1 << 1;
pub(crate) const USER: u64 = 1 << 2;
pub(crate) const ACCESSED: u64 = 1 << 5;
pub(crate) const DIRTY: u64 = 1 << 6;
pub(crate) const LARGE: u64 = 1 << 7;
pub(crate) const NO_EXECUTE: u64 = 1 << 63;
const FRAME_MASK: u64 = ((1 << 52) - 1) & !0xfff;

/// Number of the frame that an entry names.
pub(crate) fn frame_of(entry: u64) -> u64 {
    (entry & FRAME_MASK) >> 12
}

/// Index of `page` in a table of `level`: 3 is the root, 0 holds the entries of pages.
fn index(page: u64, level: u8) -> usize {
    ((page >> (9 * u32::from(level))) & 511) as usize
}

/// A table that a walk reached, with the rights that the entries above leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reached {
    pub(crate) frame: u64,
    /// 2, 1 or 0; 3 for the root.
    pub(crate) level: u8,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

impl Reached {
    /// The root table, where a walk begins that knows nothing yet.
    pub(crate) fn root(frame: u64) -> Self {
        Reached { frame, level: 3, write: true, execute: true }
    }
}

/// How much a leaf maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Huge,
}

impl Size {
    /// Pages of 4 KiB.
    pub(crate) fn pages(self) -> u64 {
        match self {
            Size::Small => 1,
            Size::Huge => 512,
        }
    }
}

/// What a successful walk finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    /// First frame of what it maps.
    pub(crate) frame: u64,
    pub(crate) size: Size,
    /// Stores are permitted by all levels.
    pub(crate) write: bool,
    /// Fetches are permitted by all levels.
    pub(crate) execute: bool,
}

impl Leaf {
    /// The frame of `page`, one of those that it maps.
    pub(crate) fn frame_of(&self, page: u64) -> u64 {
        self.frame + page % self.size.pages()
    }

    /// All frames that it maps.
    pub(crate) fn frames(&self) -> std::ops::Range<u64> {
        self.frame..self.frame + self.size.pages()
    }
}

/// Walks from the table `from` to the entry of `page`; reports the tables below `from` on the way. `None` for
/// anything not present or not for user programs.
///
/// Accessed and dirty bits are not set: the page tables of `mm` have them set from the start, which
/// [`super::oracle`] checks.
pub(crate) fn walk(arena: &Arena, from: Reached, page: u64, mut reach: impl FnMut(Reached)) -> Option<Leaf> {
    let mut at = from;
    loop {
        let entry = arena.load(at.frame, index(page, at.level));
        if entry & PRESENT == 0 || entry & USER == 0 || frame_of(entry) >= arena.len() as u64 {
            return None;
        }
        let write = at.write && entry & WRITABLE != 0;
        let execute = at.execute && entry & NO_EXECUTE == 0;
        let frame = frame_of(entry);
        if at.level == 0 {
            return Some(Leaf { frame, size: Size::Small, write, execute });
        }
        if entry & LARGE != 0 {
            let leaf = Leaf { frame, size: Size::Huge, write, execute };
            return (at.level == 1 && is_block(arena, frame)).then_some(leaf);
        }
        at = Reached { frame, level: at.level - 1, write, execute };
        reach(at);
    }
}

/// Whether a huge leaf may map the 2 MiB from `frame` on.
pub(crate) fn is_block(arena: &Arena, frame: u64) -> bool {
    frame.is_multiple_of(Size::Huge.pages()) && frame + Size::Huge.pages() <= arena.len() as u64
}

/// A table that [`scan`] found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableAt {
    pub(crate) frame: u64,
    /// 2, 1 or 0.
    pub(crate) level: u8,
    /// First page of its span.
    pub(crate) base: u64,
}

impl TableAt {
    /// Pages of its span.
    pub(crate) fn span(&self) -> u64 {
        1 << (9 * (u32::from(self.level) + 1))
    }
}

/// Everything in the user half below a root table.
#[derive(Default, Debug)]
pub(crate) struct Scan {
    pub(crate) tables: Vec<TableAt>,
    /// Page and entry, for all entries of the lowest tables that are not 0, ascending.
    pub(crate) pages: Vec<(u64, u64)>,
    /// First page and entry of all huge leaves, present or not, ascending.
    pub(crate) huge: Vec<(u64, u64)>,
    /// Entries of inner tables that lead nowhere sensible.
    pub(crate) broken: Vec<(u64, u64)>,
}

impl Scan {
    /// Page and frame of everything that is mapped, present or not, given how to tell a leaf of the lowest tables.
    pub(crate) fn mapped(&self, is_leaf: impl Fn(u64) -> bool) -> impl Iterator<Item = (u64, u64)> {
        let small = self.pages.iter().filter(move |(_, entry)| is_leaf(*entry));
        let huge = self.huge.iter().flat_map(|(base, entry)| {
            (0..Size::Huge.pages()).map(move |at| (base + at, frame_of(*entry) + at))
        });
        small.map(|(page, entry)| (*page, frame_of(*entry))).chain(huge)
    }
}

/// Reads all page tables below `root`.
pub(crate) fn scan(arena: &Arena, root: u64) -> Scan {
    let mut scan = Scan::default();
    for (slot, entry) in arena.words(root).take_while(|(slot, _)| *slot < 256) {
        descend(arena, entry, 2, (slot as u64) << 27, &mut scan);
    }
    scan
}

/// Reads the tables from the one that `entry`, which is not 0, leads to; it is of `level` and spans from `base` on.
fn descend(arena: &Arena, entry: u64, level: u8, base: u64, scan: &mut Scan) {
    if level == 0 && entry & LARGE != 0 {
        scan.huge.push((base, entry));
        return;
    }
    let expected = PRESENT | WRITABLE | USER | ACCESSED;
    let frame = frame_of(entry);
    if entry & (expected | LARGE) != expected || frame >= arena.len() as u64 {
        scan.broken.push((base, entry));
        return;
    }
    scan.tables.push(TableAt { frame, level, base });
    for (slot, entry) in arena.words(frame) {
        let at = base + ((slot as u64) << (9 * u32::from(level)));
        if level > 0 {
            descend(arena, entry, level - 1, at, scan);
        } else {
            scan.pages.push((at, entry));
        }
    }
}
