//! Putting a program into an empty address space.
//!
//! The address space is that of the current task meanwhile: contents get there by the user
//! copy routines, so that pages come into being as they do for the program itself.

use core::ops::Range;

use abi::Errno;
use abi::auxv::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2, AT_MINSIGSTKSZ,
    AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_SECURE, AT_UID,
};
use abi::mman::Prot;
use mm::object::ObjectId;
use mm::space::{MmapOptions, MmapRequest, Placement, Sharing, Source};
use mm::{PAGE_SIZE, Page, PageRange, USER_END};

use super::about::Places;
use super::elf::{PROGRAM_HEADER, Program, Segment, StackExecution};
use super::stack::{Arguments, Layout};
use super::{Space, oom};
use raw_cpuid::CpuId;
use raw_cpuid::native_cpuid::cpuid_count;

use crate::arch::shared::Shared;
use crate::arch::user::{Context, copy_to_user};
use crate::fs::content::File;
use crate::fs::inode::Inode;
use crate::{random, sched};

/// One past the highest byte of the stack.
const STACK_TOP: u64 = USER_END;
/// How far the stack is mapped below what it starts with, in bytes, before it grows by itself.
const STACK_ROOM: u64 = 128 * 1024;
/// Ticks of `times(2)` per second.
const CLOCK_TICKS: u64 = 100;
/// Stack that a signal frame needs, in bytes; the least that Linux says.
const SIGNAL_FRAME: u64 = 2048;

/// A file to load, and what is in it.
pub(super) struct Image {
    /// The file.
    pub(super) inode: Shared<Inode>,
    /// Its object.
    pub(super) file: Shared<File>,
    /// What is to be loaded.
    pub(super) program: Program,
}

/// As [`load`], for an address space that is not loaded.
pub(super) fn load_into(
    space: &Shared<Space>,
    image: &Image,
    interpreter: Option<&mut Image>,
    arguments: &Arguments<'_>,
) -> Result<(Context, Places), Errno> {
    let before = sched::enter_space(Some(space.clone()));
    let result = load(space, image, interpreter, arguments);
    drop(sched::enter_space(before));
    result
}

/// Maps a program and its dynamic linker, sets up heap and stack; the registers to start with. Errors: `E2BIG`, `ENOMEM`, those
/// of mmap.
fn load(
    space: &Space,
    image: &Image,
    interpreter: Option<&mut Image>,
    arguments: &Arguments<'_>,
) -> Result<(Context, Places), Errno> {
    let program = &image.program;
    map_segments(space, image)?;
    space.set_brk_start(program.end().address());
    let (entry, base) = match interpreter {
        None => (program.entry, 0),
        Some(interpreter) => {
            if !interpreter.program.fixed {
                let start = find_room(space, &interpreter.program)?;
                interpreter.program.move_to(start);
            }
            map_segments(space, interpreter)?;
            (interpreter.program.entry, interpreter.program.start().address())
        }
    };
    let auxiliary = auxiliary(program, base);
    let layout = Layout::plan(STACK_TOP, space.limits().stack, arguments, &auxiliary)?;
    map_stack(space, program, &layout)?;
    let mut seed = [0; 16];
    random::fill(&mut seed);
    layout.write(arguments, &auxiliary, seed, store)?;
    Ok((Context::new(entry, layout.stack_pointer), layout.places(arguments, &auxiliary)))
}

/// Where there is room for all of `program`. Errors: `ENOMEM`.
fn find_room(space: &Space, program: &Program) -> Result<Page, Errno> {
    let pages = program.end().number() - program.start().number();
    let address = space.mmap(MmapRequest {
        placement: Placement::Anywhere,
        pages,
        prot: Prot::NONE,
        sharing: Some(Sharing::Private),
        source: Source::Anonymous,
        options: MmapOptions::empty(),
    })?;
    space.munmap(address, pages * PAGE_SIZE)?;
    Ok(Page::containing(address))
}

fn map_segments(space: &Space, image: &Image) -> Result<(), Errno> {
    image.program.segments.iter().try_for_each(|segment| map_segment(space, image.file.object_id(), segment))
}

fn map_segment(space: &Space, object: ObjectId, segment: &Segment) -> Result<(), Errno> {
    let start = segment.pages.start();
    let middle = start.up(segment.file_pages);
    if let Some(pages) = PageRange::new(start, middle) {
        let source = Source::File { object, first_page: segment.first_page };
        space.mmap(MmapRequest::fixed(pages, protection(segment.flags), source))?;
        // As on Linux, only where the program itself could.
        if segment.flags & elf::abi::PF_W != 0 {
            zero(segment.zeroes.clone())?;
        }
    }
    if let Some(pages) = PageRange::new(middle, segment.pages.end()) {
        space.mmap(MmapRequest::fixed(pages, protection(segment.flags), Source::Anonymous))?;
    }
    Ok(())
}

/// Stores `bytes`. Errors: `EFAULT`.
fn store(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    oom::patiently(|| Ok(copy_to_user(address, bytes)?))
}

/// Stores zeroes, within one page.
fn zero(range: Range<u64>) -> Result<(), Errno> {
    const ZEROES: [u8; 512] = [0; 512];
    let mut at = range.start;
    while at < range.end {
        let length = (range.end - at).min(ZEROES.len() as u64);
        store(at, &ZEROES[..length as usize])?;
        at += length;
    }
    Ok(())
}

fn protection(flags: u32) -> Prot {
    let mut prot = Prot::NONE;
    prot.set(Prot::READ, flags & elf::abi::PF_R != 0);
    prot.set(Prot::WRITE, flags & elf::abi::PF_W != 0);
    prot.set(Prot::EXEC, flags & elf::abi::PF_X != 0);
    prot
}

/// Maps the stack; it must not meet a segment.
fn map_stack(space: &Space, program: &Program, layout: &Layout) -> Result<(), Errno> {
    let start = Page::containing(layout.stack_pointer - STACK_ROOM);
    let mut prot = Prot::READ_WRITE;
    prot.set(Prot::EXEC, program.stack == StackExecution::Allowed);
    space.mmap(MmapRequest {
        placement: Placement::FixedNoReplace(start),
        pages: Page::containing(STACK_TOP).number() - start.number(),
        prot,
        sharing: Some(Sharing::Private),
        source: Source::Anonymous,
        options: MmapOptions::GROWSDOWN,
    })?;
    space.set_stack_top(layout.stack_pointer);
    Ok(())
}

fn auxiliary(program: &Program, base: u64) -> [(u64, u64); 16] {
    [
        (AT_MINSIGSTKSZ, SIGNAL_FRAME),
        (AT_HWCAP, cpuid_count(1, 0).edx.into()),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, CLOCK_TICKS),
        (AT_PHDR, program.headers),
        (AT_PHENT, PROGRAM_HEADER.into()),
        (AT_PHNUM, program.header_count.into()),
        (AT_BASE, base),
        (AT_FLAGS, 0),
        (AT_ENTRY, program.entry),
        (AT_UID, 0),
        (AT_EUID, 0),
        (AT_GID, 0),
        (AT_EGID, 0),
        (AT_SECURE, 0),
        (AT_HWCAP2, hwcap2()),
    ]
}

/// Bit 1: the FSGSBASE instructions may be used in ring 3.
fn hwcap2() -> u64 {
    let features = CpuId::new().get_extended_feature_info();
    if features.is_some_and(|features| features.has_fsgsbase()) { 2 } else { 0 }
}
