//! The columns and the numbers of `smaps` are Linux's (`proc_pid_smaps(5)`).
#![no_std]
#![no_main]

use abi::fs::O_RDONLY;
use user::prelude::*;
use user::sys::{open, read};

program!(main);

/// Lines of three pages of private memory, two of them written to. There are more, and which depends on the kernel.
const LINES: [&[u8]; 20] = [
    b"\nSize:                 12 kB\n",
    b"\nKernelPageSize:        4 kB\n",
    b"\nMMUPageSize:           4 kB\n",
    b"\nRss:                   8 kB\n",
    b"\nPss:                   8 kB\n",
    b"\nShared_Clean:          0 kB\n",
    b"\nShared_Dirty:          0 kB\n",
    b"\nPrivate_Clean:         0 kB\n",
    b"\nPrivate_Dirty:         8 kB\n",
    b"\nReferenced:            8 kB\n",
    b"\nAnonymous:             8 kB\n",
    b"\nAnonHugePages:         0 kB\n",
    b"\nShmemPmdMapped:        0 kB\n",
    b"\nShared_Hugetlb:        0 kB\n",
    b"\nPrivate_Hugetlb:       0 kB\n",
    b"\nSwap:                  0 kB\n",
    b"\nSwapPss:               0 kB\n",
    b"\nLocked:                0 kB\n",
    b"\nTHPeligible:           0\n",
    b"\nVmFlags: rd wr mr mw me ",
];

fn main() {
    let base = reserve(3);
    map_at(base, 3, Prot::READ_WRITE);
    (0..2).for_each(|page| write_byte(base + page * PAGE, 1));

    let mut bytes = [0; 65536];
    let mut length = 0;
    let file = open(c"/proc/self/smaps", O_RDONLY).expect("open");
    loop {
        let read = read(file, &mut bytes[length..]).expect("read");
        if read == 0 {
            break;
        }
        length += read;
    }
    let mut start = [0; 13];
    (0..12).for_each(|at| start[at] = b"0123456789abcdef"[(base >> (44 - 4 * at) & 15) as usize]);
    start[12] = b'-';
    let first = bytes[..length].windows(13).position(|window| window == start).expect("the mapping");
    let record = &bytes[first..length];
    let last = record.windows(8).position(|window| window == b"VmFlags:").expect("the last line");
    let record = &record[..last + 40];

    for line in LINES {
        let found = record.windows(line.len()).any(|window| window == line);
        check!(found, "{:?} in {:?}", str::from_utf8(line), str::from_utf8(record));
    }
}
