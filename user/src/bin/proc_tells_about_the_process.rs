//! The files of `/proc` about the process are there, and agree with what it knows.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, S_IFDIR};
use user::files::file_type;
use user::io::for_each_line;
use user::prelude::*;
use user::sys::{close, getpid, open, pread, read, readlink};

program!(main);

/// The number in the first line of `/proc/self/status` that begins with `name`.
fn status(name: &str) -> u64 {
    let mut found = None;
    for_each_line(c"/proc/self/status", |line| {
        if let Some(rest) = line.strip_prefix(name.as_bytes()) {
            let digits = rest.iter().filter(|byte| byte.is_ascii_digit());
            found = Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
        }
    });
    found.expect("a line")
}

fn main() {
    let pid = getpid().expect("getpid");
    check_eq!((status("Pid:"), status("Threads:")), (pid, 1));
    let before = status("VmSize:");
    let base = map(256);
    check_eq!(status("VmSize:"), before + 1024);
    (0..64).for_each(|page| write_byte(base + page * PAGE, 1));
    check!(status("RssAnon:") >= 256);

    let mut buffer = [0; 256];
    let length = readlink(c"/proc/self", &mut buffer).expect("readlink");
    let number = str::from_utf8(&buffer[..length]).expect("text").parse();
    check_eq!(number, Ok(pid));
    check_eq!(file_type(c"/proc/self/task"), Ok(S_IFDIR));
    check_eq!(file_type(c"/proc/self/fd/0").is_ok(), true);
    check_eq!(file_type(c"/proc/self/fd/77"), Err(Errno::ENOENT));
    check_eq!(file_type(c"/proc/self/none"), Err(Errno::ENOENT));

    for path in [
        c"/proc/self/stat",
        c"/proc/self/statm",
        c"/proc/self/smaps",
        c"/proc/self/limits",
        c"/proc/self/comm",
        c"/proc/self/cmdline",
        c"/proc/self/auxv",
        c"/proc/meminfo",
        c"/proc/cpuinfo",
        c"/proc/stat",
        c"/proc/uptime",
        c"/proc/loadavg",
        c"/proc/mounts",
        c"/proc/filesystems",
        c"/proc/sys/kernel/ostype",
    ] {
        let file = open(path, O_RDONLY).expect("open");
        check!(read(file, &mut buffer).expect("read") > 0);
        check_eq!(close(file), Ok(0));
    }

    // Memory as a file, and which pages are there.
    let memory = open(c"/proc/self/mem", O_RDONLY).expect("open");
    write_byte(base + 5, 66);
    check_eq!(pread(memory, &mut buffer[..8], base), Ok(8));
    check_eq!(&buffer[..8], &[1, 0, 0, 0, 0, 66, 0, 0]);
    check_eq!(pread(memory, &mut buffer[..8], 0), Err(Errno::EIO));
    let pagemap = open(c"/proc/self/pagemap", O_RDONLY).expect("open");
    check_eq!(pread(pagemap, &mut buffer[..16], (base / PAGE + 63) * 8), Ok(16));
    check_eq!((buffer[7] >> 7, buffer[15] >> 7), (1, 0));
}
