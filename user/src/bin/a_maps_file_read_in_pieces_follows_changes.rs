//! Who reads maps in pieces sees each line whole and in order, and behind the last one what is mapped by then.
#![no_std]
#![no_main]

use abi::fs::{O_RDONLY, SEEK_SET};
use user::maps::parse;
use user::prelude::*;
use user::sys::{close, lseek, open, pread, read};

program!(main);

/// Pages that the mappings lie in.
const PAGES: u64 = 400;
/// Bytes of a read.
const PIECE: usize = 1000;

/// Somebody who reads the file.
struct Reader {
    file: i32,
    base: u64,
    line: [u8; 255],
    length: usize,
    /// Bytes read so far.
    done: usize,
}

impl Reader {
    fn new(base: u64) -> Self {
        let file = open(c"/proc/self/maps", O_RDONLY).expect("open");
        Reader { file, base, line: [0; 255], length: 0, done: 0 }
    }

    /// Reads once, at most `size` bytes; calls `line` for each line that ends in them and that lies in the pages, with its first page,
    /// end page and how many bytes lie before it in the file. How many bytes were read.
    fn read(&mut self, size: usize, mut line: impl FnMut(u64, u64, usize)) -> usize {
        let mut buffer = [0; PIECE];
        let read = read(self.file, &mut buffer[..size]).expect("read");
        for &byte in &buffer[..read] {
            self.done += 1;
            if byte != b'\n' {
                self.line[self.length] = byte;
                self.length += 1;
                continue;
            }
            let vma = parse(&self.line[..self.length]).expect("a line");
            if vma.start >= self.base && vma.end <= self.base + PAGES * PAGE {
                let page = |address| (address - self.base) / PAGE;
                line(page(vma.start), page(vma.end), self.done - self.length - 1);
            }
            self.length = 0;
        }
        read
    }

    /// Reads until page `page` was in a line; the end page of the last line.
    fn read_to(&mut self, page: u64) -> u64 {
        let mut last = 0;
        while last <= page {
            check!(self.read(PIECE, |_, end, _| last = end) > 0, "the end is early");
        }
        last
    }

    /// Reads to the end, and checks that these are all the lines.
    fn expect_rest(&mut self, expected: impl Iterator<Item = (u64, u64)>) {
        let mut expected = expected;
        while self.read(PIECE, |start, end, _| check_eq!(Some((start, end)), expected.next())) > 0 {}
        check_eq!(expected.next(), None);
        check_eq!((self.length, read(self.file, &mut [0; 9])), (0, Ok(0)));
    }

    fn rewind(&mut self) {
        check_eq!(lseek(self.file, 0, SEEK_SET), Ok(0));
        (self.length, self.done) = (0, 0);
    }
}

/// Maps every second page, and nothing else.
fn map_every_second(base: u64) {
    check_eq!(munmap(base, PAGES * PAGE), Ok(0));
    (0..PAGES).step_by(2).for_each(|page| map_at(base + page * PAGE, 1, Prot::READ));
}

/// What is unmapped and mapped between two reads, above what has been read, is gone and there.
fn what_comes_and_goes_ahead_is_seen(base: u64) {
    map_every_second(base);
    let mut reader = Reader::new(base);
    let last = reader.read_to(100) - 1;
    // The next line may have begun.
    check_eq!(munmap(base + (last + 4) * PAGE, (PAGES - last - 4) * PAGE), Ok(0));
    map_at(base + (last + 7) * PAGE, 3, Prot::READ_WRITE);
    reader.expect_rest([(last + 2, last + 3), (last + 7, last + 10)].into_iter());
    reader.rewind();
    let below = (0..last + 3).step_by(2).map(|page| (page, page + 1));
    reader.expect_rest(below.chain([(last + 7, last + 10)]));
    check_eq!(close(reader.file), Ok(0));
}

/// A line that was read in part goes on, although its mapping is gone.
fn a_line_that_has_begun_stays(base: u64) {
    map_every_second(base);
    let mut reader = Reader::new(base);
    let mut before = 0;
    while reader.read(PIECE, |start, _, offset| before += if start == 200 { offset } else { 0 }) > 0 {}
    reader.rewind();
    while reader.done < before + 30 {
        reader.read(PIECE.min(before + 30 - reader.done), |_, _, _| {});
    }
    check_eq!(reader.length, 30);
    check_eq!(munmap(base + 200 * PAGE, 3 * PAGE), Ok(0));
    reader.expect_rest([200].into_iter().chain((204..PAGES).step_by(2)).map(|page| (page, page + 1)));

    // A read at a position is as if all before it were read now, and leaves the offset alone.
    reader.rewind();
    reader.read(7, |_, _, _| {});
    let (mut at, mut beyond) = ([0; 30], [0; 9]);
    check_eq!(pread(reader.file, &mut at, before as u64), Ok(30));
    check_eq!(pread(reader.file, &mut beyond, 1 << 40), Ok(0));
    let mut found = 0;
    while reader.read(PIECE, |start, _, offset| found += if start == 204 { offset } else { 0 }) > 0 {}
    check_eq!(found, before);
    reader.rewind();
    while reader.done < before + 30 {
        reader.read(PIECE.min(before + 30 - reader.done), |_, _, _| {});
    }
    check_eq!(&reader.line[..30], &at);
    check_eq!(close(reader.file), Ok(0));
}

/// A mapping that grows over what was read last hides nothing of what is mapped all the time.
fn what_merges_with_the_last_line_is_not_lost(base: u64) {
    map_every_second(base);
    let mut reader = Reader::new(base);
    let mut last = reader.read_to(100);
    map_at(base + last * PAGE, 1, Prot::READ);
    let grown = last + 2;
    let mut next = last + 1;
    loop {
        let read = reader.read(PIECE, |start, end, _| {
            check!(end > last && start <= next, "{start}..{end} after {last}");
            (last, next) = (end, end + 1);
        });
        if read == 0 {
            break;
        }
        check!(last >= grown);
    }
    check_eq!(last, PAGES - 1);
    check_eq!(close(reader.file), Ok(0));
}

fn main() {
    let base = reserve(PAGES);
    what_comes_and_goes_ahead_is_seen(base);
    a_line_that_has_begun_stays(base);
    what_merges_with_the_last_line_is_not_lost(base);
}
