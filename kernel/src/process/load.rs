//! Putting a program into an empty address space.
//!
//! The address space is that of the current task meanwhile: contents get there by the user
//! copy routines, so that pages come into being as they do for the program itself.

use abi::Errno;
use abi::auxv::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2, AT_MINSIGSTKSZ,
    AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_SECURE, AT_UID,
};
use abi::mman::Prot;
use mm::space::{MmapOptions, MmapRequest, Placement, Sharing, Source};
use mm::{PAGE_SIZE, Page, PageRange, USER_END};

use super::Space;
use super::elf::{PROGRAM_HEADER, Program, Segment, StackExecution};
use super::stack::{Arguments, Layout};
use raw_cpuid::CpuId;
use raw_cpuid::native_cpuid::cpuid_count;

use crate::arch::shared::Shared;
use crate::arch::user::{Context, copy_to_user};
use crate::{random, sched};

/// One past the highest byte of the stack.
const STACK_TOP: u64 = USER_END;
/// How far the stack is mapped below what it starts with, in bytes, before it grows by itself.
const STACK_ROOM: u64 = 128 * 1024;
/// Ticks of `times(2)` per second.
const CLOCK_TICKS: u64 = 100;
/// Stack that a signal frame needs, in bytes; the least that Linux says.
const SIGNAL_FRAME: u64 = 2048;

/// As [`load`], for an address space that is not loaded.
pub(super) fn load_into(
    space: &Shared<Space>,
    program: &Program<'_>,
    arguments: &Arguments<'_>,
) -> Result<Context, Errno> {
    let before = sched::enter_space(Some(space.clone()));
    let result = load(space, program, arguments);
    sched::enter_space(before);
    result
}

/// Loads `program`, sets up heap and stack; the registers to start with. Errors: `E2BIG`, `ENOMEM`, those of
/// mmap.
fn load(space: &Space, program: &Program<'_>, arguments: &Arguments<'_>) -> Result<Context, Errno> {
    for segment in &program.segments {
        load_segment(space, segment)?;
    }
    space.set_brk_start(program.end().address());
    let auxiliary = auxiliary(program);
    let layout = Layout::plan(STACK_TOP, space.limits().stack, arguments, &auxiliary)?;
    map_stack(space, program, &layout)?;
    let mut seed = [0; 16];
    random::fill(&mut seed);
    layout.write(arguments, &auxiliary, seed, |address, bytes| Ok(copy_to_user(address, bytes)?))?;
    Ok(Context::new(program.entry, layout.stack_pointer))
}

fn load_segment(space: &Space, segment: &Segment<'_>) -> Result<(), Errno> {
    let start = segment.pages.start();
    let middle = start.up(segment.file_pages);
    if let Some(pages) = PageRange::new(start, middle) {
        let source = Source::Image { first_page: segment.first_page };
        space.mmap(MmapRequest::fixed(pages, Prot::READ_WRITE, source))?;
        copy_to_user(start.address(), segment.content)?;
        let prot = protection(segment.flags);
        if prot != Prot::READ_WRITE {
            space.mprotect(start.address(), pages.pages() * PAGE_SIZE, prot.bits())?;
        }
    }
    if let Some(pages) = PageRange::new(middle, segment.pages.end()) {
        space.mmap(MmapRequest::fixed(pages, protection(segment.flags), Source::Anonymous))?;
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
fn map_stack(space: &Space, program: &Program<'_>, layout: &Layout) -> Result<(), Errno> {
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

fn auxiliary(program: &Program<'_>) -> [(u64, u64); 16] {
    [
        (AT_MINSIGSTKSZ, SIGNAL_FRAME),
        (AT_HWCAP, cpuid_count(1, 0).edx.into()),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, CLOCK_TICKS),
        (AT_PHDR, program.headers),
        (AT_PHENT, PROGRAM_HEADER.into()),
        (AT_PHNUM, program.header_count.into()),
        (AT_BASE, 0),
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
