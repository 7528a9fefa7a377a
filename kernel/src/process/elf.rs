//! Reading a program: an ELF64 file for x86-64, at its own address (`ET_EXEC`) or at ours (`ET_DYN`: a PIE, and an interpreter).
//!
//! Everything the loader relies on is checked here, before an address space exists. What is wrong with a bad
//! file is said in a [`BadElf`]; the errno is `ENOEXEC`. Section headers play no part, as on Linux.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use elf::abi::{EM_X86_64, ET_DYN, ET_EXEC, PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::segment::{ProgramHeader, SegmentTable};
use mm::{PAGE_SIZE, Page, PageRange, USER_END};

/// Where a static PIE is loaded: two thirds of the user half, as on Linux without address randomisation.
const PIE_BASE: u64 = 0x5555_5555_4000;
/// The lowest address that a segment may have (`vm.mmap_min_addr`).
const LOWEST: u64 = 65536;
/// Size of the file header in bytes.
const HEADER: usize = 64;
/// Size of a program header in bytes.
pub(crate) const PROGRAM_HEADER: u16 = 56;
/// The dynamic linker's name is no longer than this, with its NUL.
const PATH_MAX: usize = 4096;
/// Program headers that begin beyond this many bytes are not looked for.
const PREFIX_MAX: u64 = 1 << 20;
/// Program headers may take at most this many bytes, as on Linux.
const PROGRAM_HEADERS_MAX: usize = 65536;

/// Why a file is no program for us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadElf {
    /// So few bytes are no file header.
    TooShort(usize),
    /// No ELF magic number, or an unknown version.
    NotElf,
    /// Not a 64-bit little-endian file.
    NotElf64,
    /// Not for this processor.
    Machine(u16),
    /// Neither `ET_EXEC` nor `ET_DYN`.
    Type(u16),
    /// Program headers of another size.
    ProgramHeaderSize(u16),
    /// None, or more than Linux takes.
    ProgramHeaderCount(u16),
    /// The file ends before its program headers do.
    ProgramHeadersTruncated,
    /// The name of the dynamic linker is no string of a sensible length.
    Interpreter,
    /// Nothing to load.
    NoSegments,
    /// A segment to load is bad.
    Segment {
        /// Its program header.
        index: usize,
        /// What is wrong with it.
        problem: SegmentProblem,
    },
    /// The entry point is in no segment.
    Entry(u64),
    /// The kernel has no memory for the list of segments.
    NoMemory,
}

/// What is wrong with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SegmentProblem {
    /// The file ends before its content does.
    Truncated,
    /// It has more bytes in the file than in memory.
    LargerInFile,
    /// Address and file offset differ within the page.
    Misaligned,
    /// Its end wraps around.
    Wraps,
    /// It is not in the user half of the address space, or too low.
    Outside,
    /// It shares a page with an earlier segment.
    Overlaps,
}

impl fmt::Display for BadElf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BadElf::TooShort(length) => write!(f, "a file of {length} bytes has no ELF header"),
            BadElf::NotElf => f.write_str("not an ELF file"),
            BadElf::NotElf64 => f.write_str("not a 64-bit little-endian ELF file"),
            BadElf::Machine(machine) => write!(f, "made for machine {machine}, not for x86-64"),
            BadElf::Type(kind) => write!(f, "ELF type {kind} is neither EXEC nor DYN"),
            BadElf::ProgramHeaderSize(size) => {
                write!(f, "program headers of {size} bytes, not {PROGRAM_HEADER}")
            }
            BadElf::ProgramHeaderCount(count) => write!(f, "{count} program headers"),
            BadElf::ProgramHeadersTruncated => f.write_str("the file ends before its program headers do"),
            BadElf::Interpreter => f.write_str("the name of the dynamic linker is damaged"),
            BadElf::NoSegments => f.write_str("no segment to load"),
            BadElf::Segment { index, problem } => write!(f, "program header {index}: {problem}"),
            BadElf::Entry(address) => write!(f, "the entry point {address:#x} is in no segment"),
            BadElf::NoMemory => f.write_str("out of memory while reading the program headers"),
        }
    }
}

impl fmt::Display for SegmentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SegmentProblem::Truncated => "the file ends before the segment does",
            SegmentProblem::LargerInFile => "the segment is larger in the file than in memory",
            SegmentProblem::Misaligned => "address and file offset of the segment differ within the page",
            SegmentProblem::Wraps => "the segment wraps around the end of the address space",
            SegmentProblem::Outside => "the segment is outside of user memory",
            SegmentProblem::Overlaps => "the segment shares a page with an earlier one",
        })
    }
}

/// A program that can be loaded. Addresses are final: the base of a PIE is added.
#[derive(Debug)]
pub(crate) struct Program {
    /// First instruction.
    pub(crate) entry: u64,
    /// Address of the program headers in memory; 0 if no segment holds them.
    pub(crate) headers: u64,
    /// Number of program headers.
    pub(crate) header_count: u16,
    /// What to load; at least one segment, no two on the same page.
    pub(crate) segments: Vec<Segment>,
    /// Where in the file the name of its dynamic linker is, with its NUL: first byte, and how many.
    pub(crate) interpreter: Option<(u64, usize)>,
    /// Whether it has addresses of its own (`ET_EXEC`).
    pub(crate) fixed: bool,
    /// Whether the stack is executable (`PT_GNU_STACK` with `PF_X`).
    pub(crate) stack: StackExecution,
}

/// Whether code may run on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StackExecution {
    /// No.
    Forbidden,
    /// Yes.
    Allowed,
}

/// A segment to load.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Its pages.
    pub(crate) pages: PageRange,
    /// How many of them come from the file; the others are zero.
    pub(crate) file_pages: u64,
    /// The page of the file that its first page shows.
    pub(crate) first_page: u64,
    /// What is to be zeroed behind its content, as addresses: the rest of the last page of a segment that goes on in memory.
    /// Beside that, as on Linux, the file's pages are seen whole.
    pub(crate) zeroes: Range<u64>,
    /// `PF_R`, `PF_W`, `PF_X`.
    pub(crate) flags: u32,
}

impl Program {
    /// How many bytes of the file, of which these are the first, [`parse`](Self::parse) wants to see.
    pub(crate) fn prefix(file: &[u8]) -> u64 {
        match file_header(file) {
            Ok(header) => header.e_phoff.saturating_add(PROGRAM_HEADERS_MAX as u64).min(PREFIX_MAX),
            Err(_) => 0,
        }
    }

    /// Reads and checks a file of `size` bytes that begins with `file`.
    pub(crate) fn parse(file: &[u8], size: u64) -> Result<Program, BadElf> {
        let header = file_header(file)?;
        let table = program_headers(file, &header)?;
        let base = if header.e_type == ET_DYN { pie_base(&table) } else { 0 };
        let interpreter = table.iter().find(|entry| entry.p_type == PT_INTERP).map(|entry| {
            let length =
                usize::try_from(entry.p_filesz).ok().filter(|length| (2..=PATH_MAX).contains(length));
            length.map(|length| (entry.p_offset, length)).ok_or(BadElf::Interpreter)
        });
        let mut segments: Vec<Segment> = Vec::new();
        let (mut headers, mut entry_found, mut stack) = (0, false, StackExecution::Forbidden);
        let entry = header.e_entry.wrapping_add(base);
        for (index, load) in table.iter().enumerate() {
            if load.p_type == PT_GNU_STACK && load.p_flags & PF_X != 0 {
                stack = StackExecution::Allowed;
            }
            if load.p_type != PT_LOAD || (load.p_memsz == 0 && load.p_filesz == 0) {
                continue;
            }
            let bad = |problem| BadElf::Segment { index, problem };
            let (start, segment) = segment(size, &load, base).map_err(bad)?;
            if segments.iter().any(|other: &Segment| other.pages.intersection(segment.pages).is_some()) {
                return Err(bad(SegmentProblem::Overlaps));
            }
            entry_found |= (start..start + load.p_memsz).contains(&entry);
            if headers == 0 && (load.p_offset..load.p_offset + load.p_filesz).contains(&header.e_phoff) {
                headers = header.e_phoff - load.p_offset + start;
            }
            segments.try_reserve(1).map_err(|_| BadElf::NoMemory)?;
            segments.push(segment);
        }
        if segments.is_empty() {
            return Err(BadElf::NoSegments);
        }
        if !entry_found {
            return Err(BadElf::Entry(entry));
        }
        let (interpreter, fixed) = (interpreter.transpose()?, header.e_type == ET_EXEC);
        Ok(Program { entry, headers, header_count: header.e_phnum, segments, interpreter, fixed, stack })
    }

    /// The page of the lowest segment.
    pub(crate) fn start(&self) -> Page {
        self.segments.iter().map(|segment| segment.pages.start()).min().unwrap_or(Page::ZERO)
    }

    /// Moves all addresses, so that it starts at `page`. It fits there.
    pub(crate) fn move_to(&mut self, page: Page) {
        let delta = page.address().wrapping_sub(self.start().address());
        let moved = |address: u64| address.wrapping_add(delta);
        (self.entry, self.headers) = (moved(self.entry), moved(self.headers));
        for segment in &mut self.segments {
            let start = Page::containing(moved(segment.pages.start().address()));
            if let Some(pages) = PageRange::from_start(start, segment.pages.pages()) {
                segment.pages = pages;
            }
            segment.zeroes = moved(segment.zeroes.start)..moved(segment.zeroes.end);
        }
    }

    /// The page behind the highest segment: where the heap begins.
    pub(crate) fn end(&self) -> Page {
        self.segments.iter().map(|segment| segment.pages.end()).max().unwrap_or(Page::ZERO)
    }
}

fn file_header(file: &[u8]) -> Result<FileHeader<LittleEndian>, BadElf> {
    let ident = file.get(..elf::abi::EI_NIDENT).ok_or(BadElf::TooShort(file.len()))?;
    let ident = parse_ident::<LittleEndian>(ident).map_err(|error| match error {
        elf::ParseError::UnsupportedElfClass(_) | elf::ParseError::UnsupportedElfEndianness(_) => {
            BadElf::NotElf64
        }
        _ => BadElf::NotElf,
    })?;
    if ident.1 != Class::ELF64 {
        return Err(BadElf::NotElf64);
    }
    let tail = file.get(elf::abi::EI_NIDENT..HEADER).ok_or(BadElf::TooShort(file.len()))?;
    let header = FileHeader::parse_tail(ident, tail).map_err(|_| BadElf::TooShort(file.len()))?;
    if header.e_machine != EM_X86_64 {
        return Err(BadElf::Machine(header.e_machine));
    }
    if header.e_type != ET_EXEC && header.e_type != ET_DYN {
        return Err(BadElf::Type(header.e_type));
    }
    Ok(header)
}

fn program_headers<'a>(
    file: &'a [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<SegmentTable<'a, LittleEndian>, BadElf> {
    if header.e_phentsize != PROGRAM_HEADER {
        return Err(BadElf::ProgramHeaderSize(header.e_phentsize));
    }
    let size = usize::from(header.e_phnum) * usize::from(PROGRAM_HEADER);
    if size == 0 || size > PROGRAM_HEADERS_MAX {
        return Err(BadElf::ProgramHeaderCount(header.e_phnum));
    }
    let bytes = slice(file, header.e_phoff, size as u64).ok_or(BadElf::ProgramHeadersTruncated)?;
    Ok(SegmentTable::new(LittleEndian, Class::ELF64, bytes))
}

/// The load base of a PIE: [`PIE_BASE`], lowered to the largest alignment that a segment asks for.
fn pie_base(table: &SegmentTable<'_, LittleEndian>) -> u64 {
    let loads = table.iter().filter(|entry| entry.p_type == PT_LOAD);
    let align = loads.map(|load| load.p_align).filter(|align| align.is_power_of_two()).max();
    PIE_BASE & !(align.unwrap_or(PAGE_SIZE).max(PAGE_SIZE) - 1)
}

/// The first byte of a segment and its pages.
fn segment(size: u64, load: &ProgramHeader, base: u64) -> Result<(u64, Segment), SegmentProblem> {
    use SegmentProblem::{LargerInFile, Misaligned, Outside, Truncated, Wraps};
    if load.p_filesz > load.p_memsz {
        return Err(LargerInFile);
    }
    if load.p_offset.checked_add(load.p_filesz).is_none_or(|end| end > size) {
        return Err(Truncated);
    }
    let start = load.p_vaddr.checked_add(base).ok_or(Wraps)?;
    let end = start.checked_add(load.p_memsz).ok_or(Wraps)?;
    if start < LOWEST || end > USER_END {
        return Err(Outside);
    }
    let within = start % PAGE_SIZE;
    if load.p_filesz > 0 && load.p_offset % PAGE_SIZE != within {
        return Err(Misaligned);
    }
    let pages = PageRange::new(Page::containing(start), Page::containing(end.next_multiple_of(PAGE_SIZE)));
    let file_pages = if load.p_filesz == 0 { 0 } else { (within + load.p_filesz).div_ceil(PAGE_SIZE) };
    let first_page = load.p_offset / PAGE_SIZE;
    let content_end = start + load.p_filesz;
    let goes_on = load.p_filesz > 0 && load.p_memsz > load.p_filesz;
    let zeroes = if goes_on { content_end..content_end.next_multiple_of(PAGE_SIZE) } else { 0..0 };
    let pages = pages.ok_or(Outside)?; // not reached: p_memsz is above 0
    Ok((start, Segment { pages, file_pages, first_page, zeroes, flags: load.p_flags & (PF_R | PF_W | PF_X) }))
}

fn slice(file: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    file.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}
