//! The PVH entry (`qemu -kernel`): 32-bit protected mode to [`kernel_main`](crate::kernel_main).
//!
//! The machine starts at `pvh_start` with paging off and the physical address of an `hvm_start_info` in `ebx`
//! (Xen, `docs/misc/pvh.pandoc`). The assembler builds boot page tables that map the first 4 GiB three times:
//! at 0 (to survive the switch), at [`DIRECT_MAP`](super::paging::DIRECT_MAP), and the first GiB in the top 2 GiB, where the kernel is
//! linked. `pvh_main` then builds the same [`BootInfo`] that the UEFI loader passes.
//!
//! Tables, stack and boot info live in the image's boot pages, which become free memory later.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use bootloader_api::BootInfo;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind, MemoryRegions, Optional};

use super::image;
use super::paging::DIRECT_MAP;

global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18                  # name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start - {base}

    .section .boot.bss, "aw", @nobits
    .balign 4096
    boot_pml4:      .skip 4096
    boot_pdpt:      .skip 4096      # 4 GiB, for 0 and for the direct map
    boot_pdpt_top:  .skip 4096      # the top 2 GiB
    boot_pd:        .skip 4 * 4096
    boot_stack:     .skip 32768
    boot_stack_top:
    .global boot_handover
    boot_handover:  .skip {handover_size}

    .section .rodata.boot, "a"
    .balign 8
    boot_gdt:       .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
    boot_gdt_pointer:
                    .word 23
                    .quad boot_gdt - {base}

    .section .boot.text, "ax"
    .code32
    .global pvh_start
    pvh_start:
        cld
        movl $(boot_stack_top - {base}), %esp
        # One PDPT serves 0 and the direct map (PML4 entries 0 and 256); entry 511 is the top.
        movl $(boot_pdpt - {base} + 3), %eax
        movl %eax, boot_pml4 - {base}
        movl %eax, boot_pml4 - {base} + 256 * 8
        movl $(boot_pdpt_top - {base} + 3), boot_pml4 - {base} + 511 * 8
        movl $(boot_pd - {base} + 3), boot_pdpt_top - {base} + 510 * 8
        movl $(boot_pd - {base} + 3), %eax
        movl $(boot_pdpt - {base}), %edi
        movl $4, %ecx
    1:  movl %eax, (%edi)
        addl $4096, %eax
        addl $8, %edi
        decl %ecx
        jnz 1b
        # 2048 large pages: present, writable, large.
        movl $0x83, %eax
        movl $(boot_pd - {base}), %edi
        movl $2048, %ecx
    2:  movl %eax, (%edi)
        addl $0x200000, %eax
        addl $8, %edi
        decl %ecx
        jnz 2b
        movl %cr4, %eax
        orl $0x20, %eax             # PAE
        movl %eax, %cr4
        movl $(boot_pml4 - {base}), %eax
        movl %eax, %cr3
        movl $0xc0000080, %ecx      # EFER: long mode, no-execute
        rdmsr
        orl $0x900, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80010001, %eax       # paging, write protection, protected mode
        movl %eax, %cr0
        lgdt boot_gdt_pointer - {base}
        ljmpl $8, $(3f - {base})
    .code64
    3:  movabsq $4f, %rax
        jmpq *%rax
    4:  movl $16, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        xorl %eax, %eax
        movl %eax, %fs
        movl %eax, %gs
        movq $boot_stack_top, %rsp
        xorl %ebp, %ebp
        movl %ebx, %edi
        call {main}
        ud2
    "#,
    base = const image::BASE,
    main = sym pvh_main,
    handover_size = const size_of::<Handover>(),
    options(att_syntax)
);

/// `struct hvm_start_info`, version 1.
#[derive(Clone, Copy)]
#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

/// `struct hvm_modlist_entry`; all physical addresses.
#[derive(Clone, Copy)]
#[repr(C)]
struct Module {
    address: u64,
    size: u64,
    command_line: u64,
    reserved: u64,
}

/// `struct hvm_memmap_table_entry`; the types are those of E820.
#[derive(Clone, Copy)]
#[repr(C)]
struct MemoryMapEntry {
    address: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

const MAGIC: u32 = 0x336e_c578;
const E820_RAM: u32 = 1;
const MAX_REGIONS: usize = 128;

/// What the entry hands to the kernel. Written once, before anything else runs.
struct Handover {
    regions: [MemoryRegion; MAX_REGIONS],
    count: usize,
    info: MaybeUninit<BootInfo>,
}

/// Memory that the assembler reserves.
#[repr(transparent)]
struct Reserved(UnsafeCell<u8>);

// SAFETY: used only by `pvh_main`, which runs once on one CPU.
unsafe impl Sync for Reserved {}

unsafe extern "C" {
    /// A [`Handover`], reserved above.
    static boot_handover: Reserved;
}

impl Handover {
    fn push(&mut self, start: u64, end: u64, kind: MemoryRegionKind) {
        if start < end {
            assert!(self.count < MAX_REGIONS, "the memory map has too many regions");
            self.regions[self.count] = MemoryRegion { start, end, kind };
            self.count += 1;
        }
    }

    /// Adds usable memory, with what lies in `taken` (ascending, disjoint) marked as taken.
    fn push_usable(&mut self, start: u64, end: u64, taken: &[(u64, u64)]) {
        let mut at = start;
        for &(from, to) in taken {
            let (from, to) = (from.clamp(at, end), to.clamp(at, end));
            self.push(at, from, MemoryRegionKind::Usable);
            self.push(from, to, MemoryRegionKind::Bootloader);
            at = at.max(to);
        }
        self.push(at, end, MemoryRegionKind::Usable);
    }
}

/// The `index`th of the structures at a physical address below 4 GiB. Loaders do not align them.
///
/// # Safety
/// The loader must have put at least `index` + 1 there.
unsafe fn read_physical<T: Copy>(address: u64, index: u32) -> T {
    // SAFETY: the boot tables map the first 4 GiB at the direct map; the caller vouches for the content.
    unsafe { ((DIRECT_MAP + address) as *const T).add(index as usize).read_unaligned() }
}

fn page_up(address: u64) -> u64 {
    address.next_multiple_of(4096)
}

fn page_down(address: u64) -> u64 {
    address & !4095
}

/// The pages of a table of `count` structures.
fn table<T>(address: u64, count: u32) -> (u64, u64) {
    (page_down(address), page_up(address + size_of::<T>() as u64 * u64::from(count)))
}

/// Builds the boot info from the `hvm_start_info` at the physical address `start_info`.
extern "C" fn pvh_main(start_info: u64) -> ! {
    super::early();
    // SAFETY: the protocol puts the structure's address in ebx.
    let info: StartInfo = unsafe { read_physical(start_info, 0) };
    assert!(info.magic == MAGIC, "not started by a PVH loader");
    // Version 0 has no memory map; QEMU has passed version 1 ever since it has known PVH.
    assert!(info.version >= 1, "the PVH loader passes no memory map");
    let module = (info.module_count > 0).then(|| {
        // SAFETY: described by the start info.
        unsafe { read_physical::<Module>(info.modules, 0) }
    });

    let kernel = image::range();
    let physical = |address: u64| address - image::BASE;
    let ramdisk = module.map_or((0, 0), |module| (module.address, module.size));
    let mut taken = [
        (physical(kernel.start), page_up(physical(kernel.end))),
        (page_down(ramdisk.0), page_up(ramdisk.0 + ramdisk.1)),
        (page_down(start_info), page_up(start_info + size_of::<StartInfo>() as u64)),
        table::<MemoryMapEntry>(info.memory_map, info.memory_map_entries),
        table::<Module>(info.modules, info.module_count),
    ];
    taken.sort_unstable();

    // SAFETY: this function runs once, and nobody else knows the symbol. Zeroes are a valid value: `Usable` is 0.
    let handover = unsafe { &mut *boot_handover.0.get().cast::<Handover>() };
    for index in 0..info.memory_map_entries {
        // SAFETY: described by the start info.
        let entry: MemoryMapEntry = unsafe { read_physical(info.memory_map, index) };
        let end = entry.address.saturating_add(entry.size);
        match entry.kind {
            E820_RAM => handover.push_usable(page_up(entry.address), page_down(end), &taken),
            kind => handover.push(entry.address, end, MemoryRegionKind::UnknownBios(kind)),
        }
    }
    let count = handover.count;
    let regions = MemoryRegions::from(&mut handover.regions[..count]);
    let boot_info = handover.info.write(BootInfo::new(regions));
    boot_info.physical_memory_offset = Optional::Some(DIRECT_MAP);
    boot_info.rsdp_addr = if info.rsdp == 0 { Optional::None } else { Optional::Some(info.rsdp) };
    if ramdisk.1 != 0 {
        boot_info.ramdisk_addr = Optional::Some(DIRECT_MAP + ramdisk.0);
        boot_info.ramdisk_len = ramdisk.1;
    }
    boot_info.kernel_addr = physical(kernel.start);
    boot_info.kernel_len = kernel.end - kernel.start;
    boot_info.kernel_image_offset = image::BASE;
    crate::kernel_main(boot_info)
}
