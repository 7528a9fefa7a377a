//! `/sys/kernel/mm/transparent_hugepage/enabled` takes one of three words, and faults are counted. Only on our kernel: on Linux
//! everybody would have the new policy.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, O_RDWR};
use user::huge::{HUGE_BYTES, advised, huge_pages, reserve_huge};
use user::prelude::*;
use user::sys::{close, open, pread, pwrite, read};
use user::vmstat::values;

program!(main);

const NAMES: [&str; 3] = ["thp_fault_alloc", "thp_split_pmd", "nr_anon_transparent_hugepages"];

fn is(file: i32, expected: &[u8]) -> bool {
    let mut text = [0; 64];
    let length = pread(file, &mut text, 0).unwrap();
    &text[..length] == expected
}

/// Huge pages of new memory that nobody has asked for.
fn unasked() -> u64 {
    let base = reserve_huge(1);
    map_at(base, HUGE_BYTES / PAGE, Prot::READ_WRITE);
    write_byte(base, 1);
    let found = huge_pages(base);
    check_eq!(munmap(base, HUGE_BYTES), Ok(0));
    found
}

fn main() {
    let file = open(c"/sys/kernel/mm/transparent_hugepage/enabled", O_RDWR).unwrap();
    let mut before = [0; 64];
    let length = pread(file, &mut before, 0).unwrap();
    let before = &before[..length];

    let garbage =
        [&b"sometimes"[..], b"", b"always madvise", b"[always]", b"1"].map(|text| pwrite(file, text, 0));
    let unchanged = is(file, before);
    let always = (pwrite(file, b"always\n", 0), is(file, b"[always] madvise never\n"), unasked());
    let never = (pwrite(file, b"never", 0), is(file, b"always madvise [never]\n"), unasked());
    let madvise = (pwrite(file, b"madvise", 0), is(file, b"always [madvise] never\n"), unasked());
    let old = [&b"always"[..], b"madvise", b"never"].into_iter().find(|word| {
        before
            .windows(word.len() + 2)
            .any(|at| at[0] == b'[' && &at[1..=word.len()] == *word && at[word.len() + 1] == b']')
    });
    check_eq!(pwrite(file, old.expect("one of them is chosen"), 0), old.map_or(Ok(0), |word| Ok(word.len())));

    check_eq!(
        garbage,
        [Err(Errno::EINVAL), Ok(0), Err(Errno::EINVAL), Err(Errno::EINVAL), Err(Errno::EINVAL)]
    );
    check!(unchanged);
    check_eq!((always, never, madvise), ((Ok(7), true, 1), (Ok(5), true, 0), (Ok(7), true, 0)));
    check_eq!(close(file), Ok(0));
    let size = open(c"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", O_RDONLY).unwrap();
    let mut text = [0; 16];
    check_eq!(read(size, &mut text), Ok(8));
    check_eq!(&text[..8], b"2097152\n");

    let [came, split, there] = values(NAMES);
    let base = advised(2);
    write_byte(base, 1);
    write_byte(base + HUGE_BYTES, 1);
    check_eq!(munmap(base + PAGE, PAGE), Ok(0));
    check_eq!(values(NAMES), [came + 2, split + 1, there + 1]);
    check_eq!(munmap(base, 2 * HUGE_BYTES), Ok(0));
    check_eq!(values(NAMES), [came + 2, split + 1, there]);
}
