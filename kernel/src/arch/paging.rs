//! The kernel's own page tables.
//!
//! ```text
//! 0000_0000_0000_0000   user half, empty in the kernel's root table
//! ffff_8000_0000_0000   direct map of all RAM: RW, NX, large pages; the kernel's text and constants R
//! ffff_c000_0000_0000   kernel stacks, each with an unmapped guard page below
//! ffff_d000_0000_0000   kernel heap
//! ffff_ffff_8000_0000   kernel image: text RX, constants R, data RW
//! ```
//!
//! Every root entry of the kernel half that is ever used is present before the first address space is made,
//! so all address spaces can share copies of the entries.

use core::arch::naked_asm;
use core::ops::Range;

use spin::{Mutex, Once};
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::mapper::MapToError;
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageSize, PageTable, PageTableFlags as Flags, PhysFrame,
    Size1GiB, Size2MiB, Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

use super::stack::{self, CpuStack};
use super::{cpu, direct_map, image, interrupts, tlb};
use crate::memory::map::{MemoryMap, Regions};

/// Where physical memory is mapped: physical address 0.
pub(crate) const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// Where kernel stacks are.
pub(crate) const STACKS: u64 = 0xffff_c000_0000_0000;
/// Where the kernel heap is.
pub(crate) const HEAP: u64 = 0xffff_d000_0000_0000;
/// Boot loaders map at least this much of physical memory.
const BOOT_MAPPED: u64 = 4 << 30;

/// The kernel's root table; set once when the boot tables are left.
static ROOT: Once<PhysFrame> = Once::new();

/// Guards the tables of the kernel half below the root; taken with interrupts off. The frame allocator is taken inside.
static KERNEL_HALF: Mutex<()> = Mutex::new(());

/// What a kernel page allows. Nothing is writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Code.
    Execute,
    /// Constants.
    Read,
    /// Data.
    Write,
    /// Device registers: data that no cache holds.
    Device,
}

impl Access {
    fn flags(self) -> Flags {
        let kernel = Flags::PRESENT | Flags::GLOBAL;
        match self {
            Access::Execute => kernel,
            Access::Read => kernel | Flags::NO_EXECUTE,
            Access::Write => kernel | Flags::WRITABLE | Flags::NO_EXECUTE,
            Access::Device => Access::Write.flags() | Flags::NO_CACHE | Flags::WRITE_THROUGH,
        }
    }
}

/// Where page tables get their frames: a function that gives physical addresses of unused frames.
pub(crate) struct FrameSource<F: FnMut() -> Option<u64>>(pub(crate) F);

// SAFETY: the function gives each frame once; every use in this crate takes them from the free part of the
// memory map or from the frame allocator.
unsafe impl<F: FnMut() -> Option<u64>> FrameAllocator<Size4KiB> for FrameSource<F> {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        (self.0)().map(|address| PhysFrame::containing_address(PhysAddr::new(address)))
    }
}

/// No frame was left for a page or its tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OutOfFrames;

/// The mapper over the table in `root`.
///
/// # Safety
/// `root` is a root table, the direct map covers its tables, and nobody else changes them meanwhile.
unsafe fn mapper(root: PhysFrame) -> OffsetPageTable<'static> {
    // SAFETY: the direct map covers the table; exclusive by the caller's contract.
    unsafe {
        let table = &mut *direct_map::address(root.start_address().as_u64()).cast::<PageTable>();
        OffsetPageTable::new(table, VirtAddr::new(DIRECT_MAP))
    }
}

/// The physical address behind a mapped address in the current tables.
pub(super) fn translate(address: u64) -> Option<u64> {
    // SAFETY: only read, and upper tables of the kernel half are never freed.
    let mapper = unsafe { mapper(Cr3::read().0) };
    mapper.translate_addr(VirtAddr::try_new(address).ok()?).map(PhysAddr::as_u64)
}

/// Maps `pages` to new frames in the kernel half of all address spaces. What was mapped before a failure stays.
///
/// # Errors
/// When the source has no more frames.
///
/// # Panics
/// When a page is mapped already: two owners of one address is a bug.
pub(crate) fn map_new(
    pages: Range<u64>,
    access: Access,
    frames: &mut impl FrameAllocator<Size4KiB>,
) -> Result<(), OutOfFrames> {
    let root = *ROOT.get().expect("paging is up");
    interrupts::without(|| {
        let _guard = KERNEL_HALF.lock();
        // SAFETY: the lock is held.
        let mut tables = Builder { mapper: unsafe { mapper(root) }, frames };
        for address in pages.step_by(4096) {
            let frame = tables.frames.allocate_frame().ok_or(OutOfFrames)?;
            tables.map::<Size4KiB>(address, frame.start_address().as_u64(), access)?;
        }
        Ok(())
    })
}

/// Maps the page at `address` to the device registers at `physical`.
///
/// # Errors
/// When the source has no frame for a table.
pub(super) fn map_device(
    address: u64,
    physical: u64,
    frames: &mut impl FrameAllocator<Size4KiB>,
) -> Result<(), OutOfFrames> {
    let root = *ROOT.get().expect("paging is up");
    // SAFETY: boot, one CPU; no other has been started.
    Builder { mapper: unsafe { mapper(root) }, frames }.map::<Size4KiB>(address, physical, Access::Device)
}

/// Unmaps `pages` of the kernel half, and gives each frame's physical address to `free` when all CPUs have forgotten the
/// translation. The tables stay. Interrupts are on, as for any flush.
pub(crate) fn unmap(pages: Range<u64>, mut free: impl FnMut(u64)) {
    for start in pages.clone().step_by(UNMAPPED_AT_ONCE * 4096) {
        let part = start..pages.end.min(start + UNMAPPED_AT_ONCE as u64 * 4096);
        let mut frames = [None; UNMAPPED_AT_ONCE];
        clear(part.clone(), &mut frames);
        tlb::flush_kernel(part);
        frames.into_iter().flatten().for_each(&mut free);
    }
}

/// Pages that one flush is for.
const UNMAPPED_AT_ONCE: usize = 32;

/// Clears the entries of `pages`; where they pointed to, if anywhere.
fn clear(pages: Range<u64>, frames: &mut [Option<u64>; UNMAPPED_AT_ONCE]) {
    let root = *ROOT.get().expect("paging is up");
    interrupts::without(|| {
        let _guard = KERNEL_HALF.lock();
        // SAFETY: the lock is held.
        let mut mapper = unsafe { mapper(root) };
        for (address, frame) in pages.step_by(4096).zip(frames) {
            let page = Page::<Size4KiB>::containing_address(VirtAddr::new(address));
            if let Ok((unmapped, flush)) = mapper.unmap(page) {
                // The caller does, on all CPUs.
                flush.ignore();
                *frame = Some(unmapped.start_address().as_u64());
            }
        }
    });
}

/// The upper-half entries of the kernel's root table.
pub(crate) fn kernel_half() -> &'static [u64; 256] {
    let root = ROOT.get().expect("paging is up").start_address().as_u64();
    // SAFETY: the root table exists for good and its upper half never changes after it was built; entries are
    // plain 64-bit words, and 256 of them follow the first 256.
    unsafe { &*direct_map::address(root).cast::<u64>().add(256).cast::<[u64; 256]>() }
}

/// Physical address of the kernel's own root table, whose user half is empty.
pub(crate) fn kernel_root() -> u64 {
    ROOT.get().expect("paging is up").start_address().as_u64()
}

/// Tables under construction.
struct Builder<'a, A> {
    mapper: OffsetPageTable<'static>,
    frames: &'a mut A,
}

impl<A: FrameAllocator<Size4KiB>> Builder<'_, A> {
    fn map<S>(&mut self, address: u64, physical: u64, access: Access) -> Result<(), OutOfFrames>
    where
        S: PageSize + core::fmt::Debug,
        OffsetPageTable<'static>: Mapper<S>,
    {
        let page = Page::<S>::containing_address(VirtAddr::new(address));
        let frame = PhysFrame::<S>::containing_address(PhysAddr::new(physical));
        let parents = Flags::PRESENT | Flags::WRITABLE;
        // SAFETY: maps new pages of the kernel half only, with permissions that its users agreed on.
        let mapped =
            unsafe { self.mapper.map_to_with_table_flags(page, frame, access.flags(), parents, self.frames) };
        match mapped {
            Ok(flush) => {
                // Nothing was mapped there, and absent entries are not cached (Intel SDM volume 3, 4.10.2.3).
                flush.ignore();
                Ok(())
            }
            Err(MapToError::FrameAllocationFailed) => Err(OutOfFrames),
            Err(error) => panic!("kernel page {address:#x} cannot be mapped: {error:?}"),
        }
    }

    /// Maps RAM into the direct map with the largest pages that hold nothing else. `read_only` are the frames
    /// of the kernel's text and constants.
    fn map_direct(&mut self, ram: &Range<u64>, read_only: &Regions) -> Result<(), OutOfFrames> {
        let giant_pages = cpu::has_giant_pages();
        let mut at = ram.start;
        while at < ram.end {
            let fits = |size: u64| {
                at.is_multiple_of(size) && ram.end - at >= size && !read_only.overlaps(&(at..at + size))
            };
            let address = DIRECT_MAP + at;
            at += if giant_pages && fits(Size1GiB::SIZE) {
                self.map::<Size1GiB>(address, at, Access::Write)?;
                Size1GiB::SIZE
            } else if fits(Size2MiB::SIZE) {
                self.map::<Size2MiB>(address, at, Access::Write)?;
                Size2MiB::SIZE
            } else {
                let page = at..at + Size4KiB::SIZE;
                let access = if read_only.overlaps(&page) { Access::Read } else { Access::Write };
                self.map::<Size4KiB>(address, at, access)?;
                Size4KiB::SIZE
            };
        }
        Ok(())
    }

    /// Maps a part of the kernel image to where the boot loader put it.
    fn map_image(&mut self, part: Range<u64>, access: Access) -> Result<(), OutOfFrames> {
        for address in part.step_by(4096) {
            let physical = translate(address).expect("the kernel image is mapped");
            self.map::<Size4KiB>(address, physical, access)?;
        }
        Ok(())
    }

    /// Makes sure that the root entry for `address` is there, so that it is in every address space.
    fn reserve_root_entry(&mut self, address: u64) -> Result<(), OutOfFrames> {
        let index = VirtAddr::new(address).p4_index();
        let entry = &mut self.mapper.level_4_table_mut()[index];
        if entry.is_unused() {
            let frame = self.frames.allocate_frame().ok_or(OutOfFrames)?;
            direct_map::zero(frame.start_address().as_u64());
            entry.set_addr(frame.start_address(), Flags::PRESENT | Flags::WRITABLE);
        }
        Ok(())
    }
}

/// The kernel's own tables, complete but not in use yet.
#[must_use]
pub(crate) struct KernelTables(PhysFrame);

impl KernelTables {
    /// Builds them while the loader's are in use. Takes the frames of the kernel image, and those of the tables,
    /// out of what is free. The CPU's features are on.
    ///
    /// # Panics
    /// When there is no memory for them.
    pub(super) fn new(map: &mut MemoryMap) -> Self {
        let mut read_only = Regions::new();
        for address in image::range().step_by(4096) {
            let frame = translate(address).expect("the kernel image is mapped");
            if !image::boot().contains(&address) {
                map.reserve(frame..frame + 4096);
            }
            if address < image::rodata().end {
                read_only.add(frame..frame + 4096);
            }
        }
        KernelTables(build(map, &read_only).expect("memory for the kernel's page tables"))
    }

    /// Leaves the loader's tables and stack for good and continues in `main` on the boot CPU's guarded stack.
    pub(crate) fn leave_boot(self, main: extern "C" fn() -> !) -> ! {
        let KernelTables(root) = self;
        ROOT.call_once(|| root);
        // SAFETY: the tables map the image with the permissions it is linked for, and the new stack.
        unsafe { switch(root.start_address().as_u64(), CpuStack::Main.top(0), main) }
    }
}

fn build(map: &mut MemoryMap, read_only: &Regions) -> Result<PhysFrame, OutOfFrames> {
    let MemoryMap { ram, free, .. } = map;
    let mut frames = FrameSource(|| free.take(1, BOOT_MAPPED));
    let root = frames.allocate_frame().ok_or(OutOfFrames)?;
    direct_map::zero(root.start_address().as_u64());
    // SAFETY: a new table that only this function knows.
    let mut tables = Builder { mapper: unsafe { mapper(root) }, frames: &mut frames };
    for range in ram.as_slice() {
        tables.map_direct(range, read_only)?;
    }
    tables.map_image(image::text(), Access::Execute)?;
    tables.map_image(image::rodata(), Access::Read)?;
    tables.map_image(image::data(), Access::Write)?;
    for pages in stack::of_cpu(0) {
        for address in pages.step_by(4096) {
            let frame = tables.frames.allocate_frame().ok_or(OutOfFrames)?;
            tables.map::<Size4KiB>(address, frame.start_address().as_u64(), Access::Write)?;
        }
    }
    tables.reserve_root_entry(HEAP)?;
    Ok(root)
}

/// Loads the root table, takes the stack that ends at `stack_top` and calls `main`.
///
/// # Safety
/// The tables map this code where it is, and the stack.
#[unsafe(naked)]
unsafe extern "C" fn switch(root: u64, stack_top: u64, main: extern "C" fn() -> !) -> ! {
    naked_asm!("mov cr3, rdi", "mov rsp, rsi", "xor ebp, ebp", "call rdx", "ud2")
}

/// Loads another address space. Its kernel half is that of [`kernel_half`].
///
/// # Safety
/// `root` is the physical address of a root table that stays valid while it is loaded.
pub(super) unsafe fn load_root(root: u64) {
    let frame = PhysFrame::containing_address(PhysAddr::new(root));
    // SAFETY: the caller's contract; the kernel half is the same.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) }
}
