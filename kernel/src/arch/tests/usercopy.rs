//! Copies from and to user memory.

use core::cell::Cell;

use mm::pgtable::Protection;
use mm::{Page, USER_END};

use super::space::{BASE, TestSpace};
use crate::arch::paging::DIRECT_MAP;
use crate::arch::registry::kernel_test;
use crate::arch::user::{
    Fault, PageFault, Resolution, UserAccess, copy_from_user, copy_to_user, strncpy_from_user,
    with_fault_handler,
};
use crate::arch::usercopy::probe;

/// Addresses that no program may touch, or that nothing is mapped at.
const BAD: [u64; 8] =
    [0, BASE + 4096, USER_END - 1, USER_END, 0x8000_0000_0000, DIRECT_MAP, 0xffff_ffff_8020_0000, u64::MAX];

kernel_test! {
    fn usercopy_moves_bytes_of_any_length() {
        let space = TestSpace::new();
        space.map(BASE, Protection::ReadWrite, b"");
        space.map(BASE + 4096, Protection::ReadWrite, b"");
        let pattern: [u8; 100] = core::array::from_fn(|index| index as u8);
        for len in 0..pattern.len() {
            let address = BASE + 4096 - len as u64 / 2;
            copy_to_user(address, &pattern[..len]).expect("mapped");
            let mut back = [0xff; 100];
            copy_from_user(&mut back[..len], address).expect("mapped");
            assert_eq!(back[..len], pattern[..len]);
            assert!(back[len..].iter().all(|&byte| byte == 0xff));
        }
    }

    fn usercopy_of_bad_addresses_is_a_fault() {
        let space = TestSpace::new();
        space.map(BASE, Protection::ReadWrite, b"");
        for address in BAD {
            for len in [1, 2, 8, 4096, 1 << 20] {
                let mut buffer = alloc::vec![0; len];
                assert_eq!(copy_from_user(&mut buffer, address), Err(Fault), "{len} bytes at {address:#x}");
                assert_eq!(copy_to_user(address, &buffer), Err(Fault), "{len} bytes at {address:#x}");
            }
            assert_eq!(strncpy_from_user(&mut [0; 16], address), Err(Fault), "at {address:#x}");
        }
        drop(space);
    }

    fn usercopy_that_runs_off_the_mapping_is_a_fault() {
        let space = TestSpace::new();
        space.map(BASE, Protection::ReadWrite, b"");
        for before in [1, 7, 8, 9, 64] {
            let address = BASE + 4096 - before;
            let mut buffer = [0; 65];
            assert_eq!(copy_from_user(&mut buffer, address), Err(Fault));
            assert_eq!(copy_to_user(address, &buffer), Err(Fault));
            assert_eq!(copy_from_user(&mut buffer[..before as usize], address), Ok(()));
        }
        drop(space);
    }

    fn usercopy_to_a_read_only_page_is_a_fault() {
        let space = TestSpace::new();
        space.map(BASE, Protection::Read, b"constant");
        assert_eq!(copy_to_user(BASE, b"changed!"), Err(Fault));
        let mut text = [0; 8];
        copy_from_user(&mut text, BASE).expect("mapped");
        assert_eq!(&text, b"constant");
    }

    fn usercopy_of_nothing_succeeds_in_the_user_half_only() {
        assert_eq!(copy_from_user(&mut [], BASE), Ok(()));
        assert_eq!(copy_to_user(DIRECT_MAP, &[]), Err(Fault));
    }

    fn usercopy_asks_the_fault_handler_and_goes_on_where_it_was() {
        let space = TestSpace::new();
        space.map(BASE, Protection::ReadWrite, &[1; 4096]);
        let asked = Cell::new(None);
        let handler = |fault: PageFault| {
            asked.set(Some(fault));
            space.map(fault.address, Protection::ReadWrite, &[2; 4096]);
            Resolution::Resolved
        };
        let mut buffer = [0; 24];
        with_fault_handler(&handler, || copy_from_user(&mut buffer, BASE + 4096 - 12)).expect("resolved");
        assert_eq!(buffer[..12], [1; 12]);
        assert_eq!(buffer[12..], [2; 12]);
        let fault = asked.get().expect("asked");
        assert_eq!(Page::containing(fault.address), Page::containing(BASE + 4096));
        assert_eq!((fault.access, fault.present), (UserAccess::Read, false));
    }

    fn usercopy_tells_the_fault_handler_about_writes() {
        let space = TestSpace::new();
        space.map(BASE, Protection::Read, b"");
        let asked = Cell::new(None);
        let handler = |fault: PageFault| {
            asked.set(Some(fault));
            Resolution::Failed
        };
        assert_eq!(with_fault_handler(&handler, || copy_to_user(BASE + 5, b"x")), Err(Fault));
        let wanted = PageFault { address: BASE + 5, access: UserAccess::Write, present: true };
        assert_eq!(asked.get(), Some(wanted));
        drop(space);
    }

    fn usercopy_of_strings_stops_at_the_nul() {
        let space = TestSpace::new();
        let mut page = [b'a'; 4096];
        page[4091..].copy_from_slice(b"path\0");
        space.map(BASE, Protection::Read, &page);
        let mut buffer = [0; 64];
        assert_eq!(strncpy_from_user(&mut buffer, BASE + 4091), Ok(Some(&b"path"[..])));
        assert_eq!(strncpy_from_user(&mut buffer[..4], BASE + 4091), Ok(None));
        assert_eq!(strncpy_from_user(&mut buffer[..5], BASE + 4091), Ok(Some(&b"path"[..])));
        let mut long = [0; 5000];
        let text = strncpy_from_user(&mut long, BASE).expect("mapped").expect("ends");
        assert_eq!(text.len(), 4095);
        drop(space);
    }

    fn usercopy_of_a_string_without_end_is_a_fault() {
        let space = TestSpace::new();
        space.map(BASE, Protection::Read, &[b'a'; 4096]);
        assert_eq!(strncpy_from_user(&mut [0; 8192], BASE), Err(Fault));
        drop(space);
    }

    fn probe_of_unmapped_memory_is_none() {
        let word = 42u64;
        assert_eq!(probe((&raw const word) as u64), Some(42));
        for address in [8, DIRECT_MAP + (63 << 40), 0x8000_0000_0000] {
            assert_eq!(probe(address), None, "at {address:#x}");
        }
    }
}
