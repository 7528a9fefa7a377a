//! The demo: three mappings, two splits, and one munmap across all of them, with the VMAs before and after each call
//! as `/proc/self/maps` shows them and, for the last munmap, the kernel's own trace of its steps.
#![no_std]
#![no_main]

use core::fmt;
use user::pages::{check_stamps, check_zero, stamp};
use user::prelude::*;
use user::sys;

program!(main);

/// The demo's part of the address space in pages.
const PAGES: u64 = 32;

fn main() {
    let demo = Demo { base: reserve(PAGES) };
    println!(
        "One character is one page: w writable, r read only, . not mapped. Page 0 is {:#x}.\n",
        demo.base
    );

    demo.show("mmap three times, 8 pages each", || {
        map_at(demo.page(2), 8, Prot::READ_WRITE);
        map_at(demo.page(12), 8, Prot::READ);
        map_at(demo.page(22), 8, Prot::READ_WRITE);
    });
    demo.show("touch all pages: that fills page tables and changes no VMA", || {
        stamp(demo.page(2), 8);
        stamp(demo.page(22), 8);
        check_zero(demo.page(12), 8);
    });
    demo.show("mprotect pages 4-5 to read only: one VMA becomes three", || {
        check_eq!(mprotect(demo.page(4), 2 * PAGE, Prot::READ), Ok(0));
    });
    demo.show("munmap pages 15-16: a hole in the middle of one VMA", || {
        check_eq!(munmap(demo.page(15), 2 * PAGE), Ok(0));
    });

    let trace =
        demo.show("munmap pages 8-25: many VMAs and holes, with a part of the first and of the last", || {
            let trace = sys::open(c"/proc/sugarbush/trace", abi::fs::O_RDONLY);
            check_eq!(munmap(demo.page(8), 18 * PAGE), Ok(0));
            trace
        });
    match trace {
        Ok(trace) => print_trace(trace),
        Err(errno) => println!("This kernel has no trace to show (/proc/sugarbush/trace: {errno}).\n"),
    }

    check_stamps(demo.page(2), 6);
    check_stamps(demo.page(26), 4);
    write_byte(demo.page(7), b'!');
    check_eq!(read_byte(demo.page(7)), b'!');
    println!(
        "Pages 2-7 and 26-29 still hold what was written, and page 7, next to the hole, takes a new value."
    );
}

struct Demo {
    base: u64,
}

impl Demo {
    fn page(&self, number: u64) -> u64 {
        self.base + number * PAGE
    }

    /// Runs a step and prints the VMAs before and after.
    fn show<T>(&self, title: &str, step: impl FnOnce() -> T) -> T {
        let before = Maps::read();
        let result = step();
        let after = Maps::read();
        println!("{title}");
        println!("  before  {}", Picture(self, &before));
        println!("  after   {}\n", Picture(self, &after));
        result
    }
}

/// The demo's pages as characters, then its VMAs: first page, last page and protection.
struct Picture<'a>(&'a Demo, &'a Maps);

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(demo, maps) = self;
        for page in 0..PAGES {
            f.write_str(match maps.at(demo.page(page)).map(|vma| vma.permissions()) {
                None => ".",
                Some("rw-p") => "w",
                Some("r--p") => "r",
                Some(_) => "?",
            })?;
        }
        for vma in maps.within(demo.page(0), demo.page(PAGES)) {
            let (first, last) = ((vma.start - demo.base) / PAGE, (vma.end - demo.base) / PAGE - 1);
            write!(f, "  {first}-{last} {}", vma.permissions())?;
        }
        Ok(())
    }
}

/// Prints the kernel's lines about what happened since the file was opened, and closes it.
fn print_trace(trace: i32) {
    println!("The kernel's trace of this munmap (/proc/sugarbush/trace):");
    let mut at_line_start = true;
    loop {
        let mut buffer = [0; 512];
        let read = sys::read(trace, &mut buffer).expect("read /proc/sugarbush/trace");
        if read == 0 {
            break;
        }
        for chunk in buffer[..read].utf8_chunks() {
            for line in chunk.valid().split_inclusive('\n') {
                print!("{}{line}", if at_line_start { "  | " } else { "" });
                at_line_start = line.ends_with('\n');
            }
        }
    }
    if !at_line_start {
        println!();
    }
    println!();
    check_eq!(sys::close(trace), Ok(0));
}
