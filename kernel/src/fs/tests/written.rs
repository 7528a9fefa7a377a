//! Tests of texts that are written while they are read: lines with the numbers from 1000 on, as many as a test says.

use core::cell::{Cell, RefCell};

use abi::Errno;
use alloc::format;
use alloc::vec::Vec;

use super::Buffer;
use crate::fs::written::{Part, Piece, Written};
use crate::test::kernel_test;

/// A text and who reads it.
struct Reader {
    text: RefCell<Written>,
    /// Numbers of the lines.
    end: Cell<u64>,
    /// Lines written so far.
    made: Cell<u64>,
}

impl Reader {
    fn new(lines: u64) -> Reader {
        Reader { text: RefCell::default(), end: Cell::new(1000 + lines), made: Cell::new(0) }
    }

    fn write(&self, part: Part) -> Result<Piece, Errno> {
        let mut piece = Piece::default();
        for number in part.from.max(1000)..self.end.get() {
            piece.text.extend_from_slice(format!("{number}\n").as_bytes());
            self.made.set(self.made.get() + 1);
            if piece.text.len() >= part.length {
                piece.next = Some(number + 1);
                break;
            }
        }
        Ok(piece)
    }

    fn read_into(&self, offset: u64, mut buffer: Buffer) -> (Result<usize, Errno>, Vec<u8>) {
        let done = self.text.borrow_mut().read(offset, &mut buffer, &|part| self.write(part));
        (done, buffer.bytes)
    }

    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let (done, bytes) = self.read_into(offset, Buffer::new(length));
        assert_eq!(done, Ok(bytes.len()));
        bytes
    }
}

kernel_test! {
    fn a_short_read_makes_few_records_and_goes_on_in_the_middle_of_one() {
        let reader = Reader::new(100);
        assert_eq!(reader.read(0, 7), b"1000\n10");
        assert_eq!(reader.made.get(), 2);
        assert_eq!(reader.read(7, 1), b"0");
        assert_eq!(reader.made.get(), 2, "the rest of a record is kept");
        assert_eq!(reader.read(8, 7), b"1\n1002\n");
        assert_eq!(reader.made.get(), 3);
    }

    fn a_record_that_is_read_in_parts_stays_as_it_was() {
        let reader = Reader::new(2);
        assert_eq!(reader.read(0, 7), b"1000\n10");
        reader.end.set(1000);
        assert_eq!(reader.read(7, 9), b"01\n");
        assert_eq!(reader.read(10, 9), b"");
    }

    fn reads_of_any_length_give_the_same_text() {
        let whole = Reader::new(2000).write(Part::WHOLE).expect("no error").text;
        assert_eq!(whole.len(), 10_000);
        for length in [1, 7, 4095, 4096, 4097, 9000] {
            let reader = Reader::new(2000);
            let mut text = Vec::new();
            loop {
                let bytes = reader.read(text.len() as u64, length);
                if bytes.is_empty() {
                    break;
                }
                text.extend_from_slice(&bytes);
            }
            assert_eq!(text, whole, "{length} bytes at a time");
            assert_eq!(reader.made.get(), 2000);
        }
    }

    fn a_read_elsewhere_and_one_at_the_begin_write_anew() {
        let reader = Reader::new(2000);
        assert_eq!(reader.read(0, 10), b"1000\n1001\n");
        assert_eq!(reader.read(5, 5), b"1001\n");
        assert_eq!(reader.read(1500 * 5 + 1, 7), b"500\n250");
        reader.end.set(1002);
        assert_eq!(reader.read(0, 100), b"1000\n1001\n");
        assert_eq!(reader.read(10, 100), b"");
        assert_eq!(reader.read(100, 100), b"", "beyond the end");
        assert_eq!(reader.read(6, 100), b"001\n");
    }

    fn the_end_is_the_end_until_a_seek() {
        let reader = Reader::new(1);
        assert_eq!(reader.read(0, 100), b"1000\n");
        reader.end.set(1010);
        assert_eq!(reader.read(5, 100), b"");
        assert_eq!(reader.read(5, 100), b"");
        assert_eq!(reader.read(0, 10), b"1000\n1001\n");
    }

    fn bad_memory_takes_nothing_away() {
        let reader = Reader::new(100);
        assert_eq!(reader.read_into(0, Buffer::with_bad_end(9, 0)).0, Err(Errno::EFAULT));
        assert_eq!(reader.read_into(0, Buffer::with_bad_end(9, 4)), (Ok(4), b"1000".to_vec()));
        assert_eq!(reader.read_into(4, Buffer::with_bad_end(9, 6)), (Ok(6), b"\n1001\n".to_vec()));
        assert_eq!(reader.read_into(10, Buffer::with_bad_end(9, 0)).0, Err(Errno::EFAULT));
        assert_eq!(reader.read(10, 7), b"1002\n10");
    }

    fn an_error_comes_when_nothing_is_left_to_read() {
        let reader = Reader::new(100);
        let fail = |_: Part| Err(Errno::ENOMEM);
        let read = |offset| {
            let mut buffer = Buffer::new(9);
            (reader.text.borrow_mut().read(offset, &mut buffer, &fail), buffer.bytes)
        };
        assert_eq!(read(0), (Err(Errno::ENOMEM), Vec::new()));
        assert_eq!(reader.read(0, 7), b"1000\n10");
        assert_eq!(read(7), (Ok(3), b"01\n".to_vec()));
        assert_eq!(read(10), (Err(Errno::ENOMEM), Vec::new()));
        assert_eq!(reader.read(10, 5), b"1002\n");
    }
}
