//! Memory in huge pages, and how much of it is: `AnonHugePages` of `/proc/self/smaps`.

use abi::fs::O_RDONLY;
use abi::mman::{MADV_HUGEPAGE, Prot};

use crate::check_eq;
use crate::io::for_each_line;
use crate::pages::{PAGE, map_at, reserve};
use crate::rt::memory::write_byte;
use crate::skip::skip;
use crate::sys::{close, madvise, open, read};

/// Pages of 4 KiB that a huge page has.
pub const HUGE: u64 = 512;
/// Bytes of a huge page.
pub const HUGE_BYTES: u64 = HUGE * PAGE;

/// The address of room for `huge` huge pages, with a free huge page on both sides.
pub fn reserve_huge(huge: u64) -> u64 {
    let room = reserve((huge + 3) * HUGE);
    room.next_multiple_of(HUGE_BYTES) + HUGE_BYTES
}

/// Maps room for `huge` huge pages, advised to be such. Skips the program where the kernel has none.
pub fn advised(huge: u64) -> u64 {
    let mut words = [0; 64];
    let path = c"/sys/kernel/mm/transparent_hugepage/enabled";
    let length = open(path, O_RDONLY).map_or(0, |file| {
        let length = read(file, &mut words).unwrap_or(0);
        check_eq!(close(file), Ok(0));
        length
    });
    let never = words[..length].windows(7).any(|word| word == b"[never]");
    if length == 0 || never {
        skip(format_args!("there are no huge pages"));
    }
    let base = reserve_huge(huge);
    map_at(base, huge * HUGE, Prot::READ_WRITE);
    check_eq!(madvise(base, huge * HUGE_BYTES, MADV_HUGEPAGE), Ok(0));
    base
}

/// As [`advised`], each page of it written to once. Skips the program where memory is in pieces too small for that.
pub fn written(huge: u64) -> u64 {
    let base = advised(huge);
    for number in 0..huge {
        write_byte(base + number * HUGE_BYTES, 0);
    }
    if huge_pages(base) != huge {
        skip(format_args!("{} huge pages instead of {huge}", huge_pages(base)));
    }
    base
}

/// Huge pages of the VMA that holds `address`.
pub fn huge_pages(address: u64) -> u64 {
    let (mut inside, mut found) = (false, None);
    for_each_line(c"/proc/self/smaps", |line| {
        let line = str::from_utf8(line).unwrap_or("");
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let hexadecimal = |digits| u64::from_str_radix(digits, 16).ok();
        if let Some((start, end)) =
            range.and_then(|(start, end)| Some((hexadecimal(start)?, hexadecimal(end)?)))
        {
            inside = (start..end).contains(&address);
        }
        if let (true, Some(rest)) = (inside, line.strip_prefix("AnonHugePages:")) {
            found = rest.trim().strip_suffix(" kB").and_then(|kilobytes| kilobytes.parse::<u64>().ok());
        }
    });
    found.expect("a line of AnonHugePages") / (HUGE_BYTES >> 10)
}
