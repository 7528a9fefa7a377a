//! Tests of the files of `/proc/sys`. What is expected is what Linux 6.18 does with a setting of this kind.

use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::fs::{O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_SET};
use alloc::vec;

use super::{Buffer, Bytes, files, open, read, write};
use crate::fs::Position;
use crate::fs::setting::{SETTINGS, Setting};
use crate::memory::MAX_MAP_COUNT;
use crate::test::kernel_test;

/// What `text` makes of a setting of 7, and what the write returns.
fn written(text: &[u8]) -> (Result<usize, Errno>, u32) {
    static VALUE: AtomicU32 = AtomicU32::new(0);
    VALUE.store(7, Ordering::Relaxed);
    let result = Setting::new(b"", &VALUE).write(0, &mut Bytes(text));
    (result, VALUE.load(Ordering::Relaxed))
}

#[track_caller]
fn assert_taken(text: &[u8], value: u32, taken: usize) {
    assert_eq!(written(text), (Ok(taken), value), "{:?}", text.escape_ascii());
}

#[track_caller]
fn assert_refused(text: &[u8]) {
    assert_eq!(written(text), (Err(Errno::EINVAL), 7), "{:?}", text.escape_ascii());
}

kernel_test! {
    fn a_setting_takes_a_number_among_blanks() {
        for text in [&b"65530"[..], b"65530\n", b"  65530\n", b"\t\n 65530", b"65530 \n", b"65530\t"] {
            assert_taken(text, 65530, text.len());
        }
        for text in [&b"\x0b65530"[..], b"\xa065530", b"65530\n\n\n", b"65530 \x0b", b"65530 \xa0"] {
            assert_taken(text, 65530, text.len());
        }
        assert_taken(b"0", 0, 1);
        assert_taken(b"2147483647", 2_147_483_647, 10);
    }

    fn a_setting_takes_the_first_of_several_words() {
        assert_taken(b"65530 7", 65530, 6);
        assert_taken(b"65530 x", 65530, 6);
        assert_taken(b"65530\n7", 65530, 6);
        assert_taken(b"1\n\x0bz", 1, 3);
    }

    fn a_setting_takes_hexadecimal_and_octal_numbers() {
        for text in [&b"0xfffa"[..], b"0XFFFA", b"0177772", b"0x00000000000000fffa"] {
            assert_taken(text, 65530, text.len());
        }
    }

    fn a_setting_refuses_what_is_no_number() {
        for text in [
            &b"x"[..], b" ", b"\n", b"  \n ", b"\0", b"65530x", b"65530\0", b"65530\0 7", b"65530,7", b"+65530",
            b"0b1", b"--1", b"- 1", b"-", b"08", b"0x", b"0xg", b"65530\x0b", b"65530\r", b"65530\xa0",
        ] {
            assert_refused(text);
        }
    }

    fn a_setting_refuses_what_is_out_of_range() {
        for text in [
            &b"-1"[..], b"-65530", b"-0x1", b"2147483648", b"4294967296", b"4294902826", b"18446744073709617146",
            b"99999999999999999999999999",
        ] {
            assert_refused(text);
        }
        for text in [&b"-0"[..], b"-00", b"-0x0"] {
            assert_taken(text, 0, text.len());
        }
    }

    fn a_setting_refuses_numbers_of_more_than_twenty_characters() {
        assert_taken(b"00000000000000000000\n", 0, 21);
        assert_taken(b"-0000000000000000000", 0, 20);
        assert_taken(b"0x000000000000000000", 0, 20);
        for text in [&b"000000000000000000000"[..], b"000000000000000000000\n", b"-00000000000000000000"] {
            assert_refused(text);
        }
    }

    fn a_setting_looks_at_less_than_a_page() {
        let mut text = vec![b' '; 5005];
        text[..5].copy_from_slice(b"65530");
        assert_taken(&text, 65530, 5005);
        text[6..].fill(b'x');
        assert_taken(&text, 65530, 5005 - (4095 - 6));
        text.fill(b' ');
        text[4095..4100].copy_from_slice(b"65530");
        assert_refused(&text);
        assert_taken(b"", 7, 0);
    }

    fn a_setting_refuses_requests_that_are_very_large_and_bad_memory() {
        let setting = &SETTINGS[0];
        assert_eq!(setting.read(0, &mut Buffer::new(4 << 20)), Err(Errno::ENOMEM));
        assert_eq!(setting.read(0, &mut Buffer::new((4 << 20) - 1)), Ok(6));
        assert_eq!(setting.read(0, &mut Buffer::with_bad_end(10, 0)), Err(Errno::EFAULT));
        assert_eq!(setting.read(0, &mut Buffer::with_bad_end(10, 3)), Err(Errno::EFAULT));
        let text = vec![b'x'; 4 << 20];
        assert_eq!(setting.write(0, &mut Bytes(&text)), Err(Errno::ENOMEM));
        assert_eq!(setting.write(1, &mut Bytes(&text[1..])), Ok((4 << 20) - 1));
    }

    fn a_setting_is_a_file_with_an_offset() {
        let before = MAX_MAP_COUNT.load(Ordering::Relaxed);
        let mut files = files();
        let path = "/proc/sys/vm/max_map_count";
        let number = open(&mut files, path, O_RDWR | O_TRUNC | O_CREAT).expect("open");
        let result = [
            write(&mut files, number, b"54321\n"),
            // Away from the start, nothing happens.
            write(&mut files, number, b"garbage"),
            files.write(number, Position::At(3), &mut Bytes(b"12")),
        ];
        let position = files.seek(number, 0, SEEK_CUR);
        let nothing = read(&mut files, number, 10);
        let start = files.seek(number, 0, SEEK_SET);
        let pieces = [read(&mut files, number, 3), read(&mut files, number, 10)];
        let garbage = files.write(number, Position::At(0), &mut Bytes(b"garbage"));
        let whole = files.seek(number, 0, SEEK_SET).and_then(|_| read(&mut files, number, 10));
        MAX_MAP_COUNT.store(before, Ordering::Relaxed);

        assert_eq!(result, [Ok(6), Ok(7), Ok(2)]);
        assert_eq!((position, start), (Ok(13), Ok(0)));
        assert_eq!(nothing, Ok(vec![]));
        assert_eq!(pieces, [Ok(b"543".to_vec()), Ok(vec![])]);
        assert_eq!(garbage, Err(Errno::EINVAL));
        assert_eq!(whole, Ok(b"54321\n".to_vec()));
        assert_eq!(files.seek(number, 5, SEEK_END), Ok(5));
        assert_eq!(files.seek(number, 0, SEEK_DATA), Err(Errno::ENXIO));
        let reader = open(&mut files, path, O_RDONLY).expect("open");
        assert_eq!(write(&mut files, reader, b"1"), Err(Errno::EBADF));
        let writer = open(&mut files, path, O_WRONLY).expect("open");
        assert_eq!(read(&mut files, writer, 1), Err(Errno::EBADF));
    }
}
