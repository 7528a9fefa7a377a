//! The kernel's own page tables, and what the CPU makes of them.

use core::arch::asm;
use core::hint::black_box;

use mm::pgtable::Protection;
use mm::tlb::Gather;
use mm::{Page, Platform, USER_END};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr4, Cr4Flags};
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags};

use super::space::{BASE, TestSpace};
use crate::arch::paging::{self, DIRECT_MAP};
use crate::arch::registry::kernel_test;
use crate::arch::stack::{self, STACK_SIZE};
use crate::arch::user::copy_from_user;
use crate::arch::{cpu, direct_map, image};
use crate::memory::{KERNEL, KernelStack};
use crate::test::skip;

/// Calls `f` with address, size and flags of every leaf of the loaded tables that lies in root entries `from..to`;
/// the flags are what all levels together permit.
fn for_each_leaf(from: usize, to: usize, f: &mut dyn FnMut(u64, u64, Flags)) {
    let root = Cr3::read().0.start_address().as_u64();
    visit(root, 0, 4, from..to, Flags::all(), f);
}

fn visit(
    table: u64,
    base: u64,
    level: u32,
    indices: core::ops::Range<usize>,
    outer: Flags,
    f: &mut dyn FnMut(u64, u64, Flags),
) {
    // SAFETY: page tables are in the direct map, and the kernel half does not change under this test.
    let entries = unsafe { &*direct_map::address(table).cast::<PageTable>() };
    let span = 1 << (12 + 9 * (level - 1));
    for index in indices {
        let entry = &entries[index];
        if !entry.flags().contains(Flags::PRESENT) {
            continue;
        }
        // Writable and user need all levels; no-execute needs one.
        let both = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
        let inherited = (outer & entry.flags() & both)
            | (outer | entry.flags()) & Flags::NO_EXECUTE
            | entry.flags() & Flags::HUGE_PAGE;
        let inherited = if level == 4 { entry.flags() & (both | Flags::NO_EXECUTE) } else { inherited };
        let mut address = base + index as u64 * span;
        if level == 4 && index >= 256 {
            address |= 0xffff_0000_0000_0000;
        }
        if level == 1 || entry.flags().contains(Flags::HUGE_PAGE) {
            f(address, span, inherited);
        } else {
            visit(entry.addr().as_u64(), address, level - 1, 0..512, inherited, f);
        }
    }
}

/// What the loaded tables permit at `address`.
fn flags_at(address: u64) -> Option<Flags> {
    let mut found = None;
    for_each_leaf(0, 512, &mut |start, size, flags| {
        if (start..=start + (size - 1)).contains(&address) {
            found = Some(flags);
        }
    });
    found
}

#[inline(never)]
fn overflow_the_stack(depth: u64) -> u64 {
    let block = black_box([depth; 64]);
    if black_box(depth) == u64::MAX { block[0] } else { overflow_the_stack(depth + 1) + block[63] }
}

fn store(address: u64) {
    // SAFETY: the tests that call this want the fault; nothing is written.
    unsafe { (address as *mut u8).write_volatile(0) }
}

fn load(address: u64) -> u8 {
    // SAFETY: the tests that call this want the fault.
    unsafe { (address as *const u8).read_volatile() }
}

fn call(address: u64) {
    // SAFETY: the tests that call this want the fault.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) }
}

kernel_test! {
    fn nothing_is_writable_and_executable() {
        let mut leaves = 0;
        for_each_leaf(256, 512, &mut |address, _, flags| {
            leaves += 1;
            assert!(
                flags.contains(Flags::NO_EXECUTE) || !flags.contains(Flags::WRITABLE),
                "{address:#x} is {flags:?}"
            );
        });
        assert!(leaves > 100, "{leaves} leaves");
    }

    fn only_the_text_is_executable() {
        for_each_leaf(256, 512, &mut |address, size, flags| {
            let in_text = image::text().contains(&address) && image::text().end >= address + size;
            assert_eq!(in_text, !flags.contains(Flags::NO_EXECUTE), "{address:#x} is {flags:?}");
        });
    }

    fn kernel_half_is_not_for_users() {
        for_each_leaf(256, 512, &mut |address, _, flags| {
            assert!(!flags.contains(Flags::USER_ACCESSIBLE), "{address:#x} is {flags:?}");
        });
    }

    fn user_half_of_the_kernel_tables_is_empty() {
        for_each_leaf(0, 256, &mut |address, _, flags| panic!("{address:#x} is {flags:?}"));
    }

    fn text_and_constants_are_not_writable_by_their_other_address() {
        for address in (image::text().start..image::rodata().end).step_by(4096) {
            let physical = paging::translate(address).expect("mapped");
            let flags = flags_at(DIRECT_MAP + physical).expect("in the direct map");
            assert!(!flags.contains(Flags::WRITABLE), "{address:#x} at {physical:#x}");
        }
    }

    fn protection_that_the_cpu_has_is_on() {
        assert!(Cr0::read().contains(Cr0Flags::WRITE_PROTECT));
        assert_eq!(Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION), cpu::has_smep());
        assert_eq!(Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION), cpu::has_smap());
        assert!(!Cr4::read().contains(Cr4Flags::PCID));
    }

    panics("page fault in the kernel: Write")
    fn write_to_constants_faults() {
        store(image::rodata().start);
    }

    panics("page fault in the kernel: Write")
    fn write_to_text_faults() {
        store(image::text().start);
    }

    panics("page fault in the kernel: Write")
    fn write_to_text_through_the_direct_map_faults() {
        store(DIRECT_MAP + paging::translate(image::text().start).expect("mapped"));
    }

    panics("page fault in the kernel: Execute")
    fn executing_data_faults() {
        call(image::data().start);
    }

    panics("page fault in the kernel: Read")
    fn null_pointer_faults() {
        black_box(load(black_box(8)));
    }

    panics("page fault in the kernel: Read")
    fn address_without_memory_is_not_in_the_direct_map() {
        black_box(load(DIRECT_MAP + (63 << 40)));
    }

    fn pages_around_the_cpus_own_stacks_are_guards() {
        for pages in stack::of_cpu(0) {
            assert!(paging::translate(pages.start).is_some() && paging::translate(pages.end - 1).is_some());
            assert_eq!(paging::translate(pages.start - 1), None, "below the stack at {pages:#x?}");
            assert_eq!(paging::translate(pages.end), None, "above the stack at {pages:#x?}");
        }
    }

    panics("the guard page of a stack")
    fn page_below_a_stack_is_a_guard() {
        let stack = KernelStack::new().expect("a stack");
        assert!(paging::translate(stack.bottom()).is_some());
        store(stack.bottom() - 8);
    }

    panics("kernel stack overflow")
    fn stack_overflow_is_caught_by_the_guard() {
        black_box(overflow_the_stack(0));
    }

    fn stack_that_is_dropped_gives_its_frames_back() {
        let warm = KernelStack::new().expect("a stack");
        let before = KERNEL.frames().statistics().free;
        let other = KernelStack::new().expect("a stack");
        let bottom = other.bottom();
        assert_eq!(KERNEL.frames().statistics().free, before - STACK_SIZE / 4096);
        drop(other);
        assert_eq!(KERNEL.frames().statistics().free, before);
        assert_eq!(paging::translate(bottom), None);
        drop(warm);
    }

    panics("page fault in the kernel: Read")
    fn smap_stops_reads_of_user_memory() {
        if !cpu::has_smap() {
            skip("the CPU has no SMAP");
        }
        let space = TestSpace::new();
        space.map(BASE, Protection::ReadWrite, b"secret");
        black_box(load(BASE));
    }

    panics("page fault in the kernel: Execute")
    fn smep_stops_execution_of_user_memory() {
        if !cpu::has_smep() {
            skip("the CPU has no SMEP");
        }
        let space = TestSpace::new();
        space.map(BASE, Protection::ReadExecute, &[0xc3]);
        call(BASE);
    }

    fn tlb_flush_of_a_page_makes_a_new_translation_visible() {
        let space = TestSpace::new();
        let old = space.map(BASE, Protection::Read, b"old");
        let mut text = [0; 3];
        copy_from_user(&mut text, BASE).expect("mapped");
        assert_eq!(&text, b"old");
        let page = Page::containing(BASE);
        let expected = space.tables.traverse(page);
        let new = TestSpace::frame(b"new");
        assert!(space.tables.replace(space.tables.slot(page), expected, new, Protection::Read));
        copy_from_user(&mut text, BASE).expect("mapped");
        log::info!("before the flush the CPU reads the {} frame", text.escape_ascii());
        let mut gather = Gather::new(&KERNEL, &space.tlb);
        gather.unhook_page(page, old);
        gather.finish();
        copy_from_user(&mut text, BASE).expect("mapped");
        assert_eq!(&text, b"new");
    }

    fn tlb_flush_of_all_makes_new_translations_visible() {
        let space = TestSpace::new();
        let mut text = [0; 3];
        let addresses = [BASE, BASE + 4096, 0x7000_0000_0000, USER_END - 4096];
        let old = addresses.map(|address| {
            let frame = space.map(address, Protection::Read, b"old");
            copy_from_user(&mut text, address).expect("mapped");
            frame
        });
        for address in addresses {
            let page = Page::containing(address);
            let expected = space.tables.traverse(page);
            assert!(space.tables.replace(space.tables.slot(page), expected, TestSpace::frame(b"new"), Protection::Read));
        }
        // Too far from each other for a flush of single pages.
        let mut gather = Gather::new(&KERNEL, &space.tlb);
        for (address, old) in addresses.into_iter().zip(old) {
            gather.unhook_page(Page::containing(address), old);
        }
        gather.finish();
        for address in addresses {
            copy_from_user(&mut text, address).expect("mapped");
            assert_eq!(&text, b"new", "at {address:#x}");
        }
    }
}
