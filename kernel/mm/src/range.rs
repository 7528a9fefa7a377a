//! Pages, page counts and page ranges: the units of everything in this crate.
//!
//! Addresses in bytes (`u64` from a system call, [`VirtAddr`] from a fault) become pages once, at the
//! edge; inside, there are only [`Page`]s (numbers) and [`PageRange`]s.

use core::fmt;
use core::ops::Range;

use x86_64::VirtAddr;

/// log2 of the size of a page in bytes.
pub const PAGE_SHIFT: u32 = 12;
/// Size of a page in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// End of the user half in bytes: the last page below the canonical hole stays unmapped, as on Linux
/// (`TASK_SIZE_MAX`), so that a `syscall` at the very end cannot return to a non-canonical address.
pub const USER_END: u64 = (1 << 47) - PAGE_SIZE;

/// A virtual page, by number (address >> 12).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Page(u64);

impl Page {
    /// The first page of the user half.
    pub const ZERO: Page = Page(0);
    /// One past the last page of the user half.
    pub const USER_END: Page = Page(USER_END >> PAGE_SHIFT);

    /// The page with this number.
    #[inline]
    pub const fn new(number: u64) -> Self {
        Page(number)
    }

    /// The page that contains `address` (bytes).
    #[inline]
    pub const fn containing(address: u64) -> Self {
        Page(address >> PAGE_SHIFT)
    }

    /// The page that starts at `address` (bytes), if it is page aligned.
    #[inline]
    pub const fn starting_at(address: u64) -> Option<Self> {
        if address.is_multiple_of(PAGE_SIZE) { Some(Page::containing(address)) } else { None }
    }

    /// Its number.
    #[inline]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Address of its first byte.
    #[inline]
    pub const fn address(self) -> u64 {
        self.0 << PAGE_SHIFT
    }

    /// Address of its first byte, as the hardware takes it. The page is in the user half.
    #[inline]
    pub fn virt(self) -> VirtAddr {
        VirtAddr::new_truncate(self.address())
    }

    /// The page `count` pages above; saturates, so that an overflowing end is beyond every user page.
    #[inline]
    pub const fn up(self, count: u64) -> Self {
        Page(self.0.saturating_add(count))
    }

    /// The page `count` pages below; saturates at page 0.
    #[inline]
    pub const fn down(self, count: u64) -> Self {
        Page(self.0.saturating_sub(count))
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.address())
    }
}

/// How much a leaf of the page tables maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSize {
    /// 4 KiB.
    Small,
    /// 2 MiB, at a border of 2 MiB.
    Huge,
}

impl PageSize {
    /// Pages of 4 KiB: 1 or 512.
    #[inline]
    pub const fn pages(self) -> u64 {
        match self {
            PageSize::Small => 1,
            PageSize::Huge => 512,
        }
    }
}

/// A non-empty, half-open range of pages `[start, end)` (I1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRange {
    start: Page,
    end: Page,
}

impl PageRange {
    /// The range `[start, end)`, if it is not empty.
    #[inline]
    pub const fn new(start: Page, end: Page) -> Option<Self> {
        if start.0 < end.0 { Some(PageRange { start, end }) } else { None }
    }

    /// `pages` pages from `start` on, if that is at least one and does not overflow.
    #[inline]
    pub const fn from_start(start: Page, pages: u64) -> Option<Self> {
        match start.0.checked_add(pages) {
            Some(end) => PageRange::new(start, Page(end)),
            None => None,
        }
    }

    /// The one page.
    #[inline]
    pub const fn single(page: Page) -> Self {
        PageRange { start: page, end: Page(page.0 + 1) }
    }

    /// What a leaf of this size that maps `page` maps.
    #[inline]
    pub const fn around(page: Page, size: PageSize) -> Self {
        let start = page.0 & !(size.pages() - 1);
        PageRange { start: Page(start), end: Page(start + size.pages()) }
    }

    /// First page.
    #[inline]
    pub const fn start(self) -> Page {
        self.start
    }

    /// One past the last page.
    #[inline]
    pub const fn end(self) -> Page {
        self.end
    }

    /// Number of pages, at least 1.
    #[inline]
    pub const fn pages(self) -> u64 {
        self.end.0 - self.start.0
    }

    /// Whether `page` is inside.
    #[inline]
    pub const fn contains(self, page: Page) -> bool {
        self.start.0 <= page.0 && page.0 < self.end.0
    }

    /// Whether all of `other` is inside.
    #[inline]
    pub const fn covers(self, other: PageRange) -> bool {
        self.start.0 <= other.start.0 && other.end.0 <= self.end.0
    }

    /// The part that both ranges have, if any.
    #[inline]
    pub fn intersection(self, other: PageRange) -> Option<PageRange> {
        PageRange::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The smallest range that has all of both.
    #[inline]
    pub fn joined(self, other: PageRange) -> PageRange {
        PageRange { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// All pages in order.
    pub fn iter(self) -> impl Iterator<Item = Page> {
        (self.start.0..self.end.0).map(Page)
    }

    /// The page numbers, as the VMA tree keys them.
    #[inline]
    pub const fn numbers(self) -> Range<u64> {
        self.start.0..self.end.0
    }
}

impl fmt::Debug for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start.address(), self.end.address())
    }
}

impl fmt::Display for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
