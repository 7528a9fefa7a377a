//! Pages filled and copied with a vector register.

use alloc::boxed::Box;
use core::arch::asm;

use mm::PAGE_SIZE;

use crate::arch::registry::kernel_test;
use crate::arch::{direct_map, vector};
use crate::test::skip;

const SIZE: usize = PAGE_SIZE as usize;

/// Three pages, of which the outer ones are not to be touched.
#[repr(align(4096))]
struct Pages([[u8; SIZE]; 3]);

/// A byte that tells where it is.
fn byte(seed: usize, page: usize, at: usize) -> u8 {
    (seed + page * 31 + at * 7 + at / 256) as u8
}

fn pages(seed: usize) -> Box<Pages> {
    let mut pages = Box::new(Pages([[0; SIZE]; 3]));
    for (number, page) in pages.0.iter_mut().enumerate() {
        page.iter_mut().enumerate().for_each(|(at, place)| *place = byte(seed, number, at));
    }
    pages
}

/// Whether page `number` is as [`pages`] made it.
fn is_untouched(pages: &Pages, seed: usize, number: usize) -> bool {
    pages.0[number].iter().enumerate().all(|(at, &found)| found == byte(seed, number, at))
}

/// Runs `body` with `value` in ymm0, and returns what is there then.
fn with_register(value: [u64; 4], body: impl FnOnce()) -> [u64; 4] {
    let mut after = [0; 4];
    // SAFETY: AVX is there; the compiler uses no vector registers in the kernel.
    unsafe { asm!("vmovdqu ymm0, [{}]", in(reg) &value, options(nostack, preserves_flags)) };
    body();
    // SAFETY: as above, and stores into a buffer of the right size.
    unsafe { asm!("vmovdqu [{}], ymm0", in(reg) &raw mut after, options(nostack, preserves_flags)) };
    after
}

const VALUE: [u64; 4] = [0x0123_4567_89ab_cdef, 2, 3, 0xfedc_ba98_7654_3210];

kernel_test! {
    fn pages_are_zeroed_in_both_ways() {
        for by_vector in [false, true] {
            if by_vector && !vector::is_wanted() {
                skip("string instructions are fast here, or there is no AVX");
            }
            let mut pages = pages(1);
            let page = pages.0[1].as_mut_ptr();
            if by_vector {
                // SAFETY: our own page; AVX is on.
                assert_eq!(with_register(VALUE, || unsafe { vector::zero(page) }), VALUE);
            } else {
                // SAFETY: our own page.
                unsafe { direct_map::zero_by_string(page) };
            }
            assert!(pages.0[1] == [0; SIZE]);
            assert!(is_untouched(&pages, 1, 0) && is_untouched(&pages, 1, 2));
        }
    }

    fn pages_are_copied_in_both_ways() {
        for by_vector in [false, true] {
            if by_vector && !vector::is_wanted() {
                skip("string instructions are fast here, or there is no AVX");
            }
            let (mut pages, source) = (pages(1), pages(2));
            let (from, to) = (source.0[1].as_ptr(), pages.0[1].as_mut_ptr());
            if by_vector {
                // SAFETY: our own pages; AVX is on.
                assert_eq!(with_register(VALUE, || unsafe { vector::copy(from, to) }), VALUE);
            } else {
                // SAFETY: our own pages.
                unsafe { direct_map::copy_by_string(from, to) };
            }
            assert!(pages.0[1] == source.0[1] && is_untouched(&source, 2, 1));
            assert!(is_untouched(&pages, 1, 0) && is_untouched(&pages, 1, 2));
        }
    }
}
