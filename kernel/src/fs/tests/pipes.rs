//! Tests of pipes, and of the lines of `/proc/self/maps`.

use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{O_NONBLOCK, S_IFIFO, S_IFMT, SEEK_SET};
use mm::vma::VmaFlags;

use super::{Buffer, Bytes, files, read, write};
use crate::fs::descriptors::OnExec;
use crate::fs::maps::MapsLine;
use crate::fs::pipe::{self, Blocking, pipe};
use crate::fs::text::Text;
use crate::test::kernel_test;

kernel_test! {
    fn a_pipe_carries_bytes_around_its_end() {
        let (reader, writer) = pipe().expect("memory");
        let block = vec![7; 40_000];
        for _ in 0..5 {
            assert_eq!(writer.write(&mut Bytes(&block), Blocking::Wait), Ok(40_000));
            let mut buffer = Buffer::new(50_000);
            assert_eq!(reader.read(&mut buffer, Blocking::Wait), Ok(40_000));
            assert_eq!(buffer.bytes, block);
        }
    }

    fn a_full_or_empty_pipe_is_eagain_without_waiting() {
        let (reader, writer) = pipe().expect("memory");
        let mut buffer = Buffer::new(10);
        assert_eq!(reader.read(&mut buffer, Blocking::DoNotWait), Err(Errno::EAGAIN));
        let block = vec![0; 60_000];
        assert_eq!(writer.write(&mut Bytes(&block), Blocking::DoNotWait), Ok(60_000));
        assert_eq!(writer.write(&mut Bytes(&block), Blocking::DoNotWait), Ok(pipe::CAPACITY - 60_000));
        assert_eq!(writer.write(&mut Bytes(&block), Blocking::DoNotWait), Err(Errno::EAGAIN));
        assert_eq!(reader.pipe().len(), pipe::CAPACITY);
    }

    fn a_small_write_to_a_pipe_is_not_taken_apart() {
        let (_reader, writer) = pipe().expect("memory");
        let block = vec![0; pipe::CAPACITY - 10];
        assert_eq!(writer.write(&mut Bytes(&block), Blocking::Wait), Ok(block.len()));
        assert_eq!(writer.write(&mut Bytes(&[0; 11]), Blocking::DoNotWait), Err(Errno::EAGAIN));
        assert_eq!(writer.write(&mut Bytes(&[0; 10]), Blocking::DoNotWait), Ok(10));
    }

    fn closing_one_end_of_a_pipe_is_seen_at_the_other() {
        let mut files = files();
        let (reader, writer) = files.pipe(O_NONBLOCK).expect("pipe");
        assert_eq!(files.status(reader).expect("status").st_mode & S_IFMT, S_IFIFO);
        assert_eq!(write(&mut files, writer, b"last words"), Ok(10));
        assert_eq!(files.waiting_bytes(reader), Ok(Some(10)));
        assert_eq!(write(&mut files, reader, b"x"), Err(Errno::EBADF));
        assert_eq!(read(&mut files, writer, 1), Err(Errno::EBADF));
        let twin = files.duplicate(writer, 0, OnExec::Keep).expect("dup");
        assert_eq!(files.close(writer), Ok(()));
        assert_eq!(read(&mut files, reader, 4), Ok(b"last".to_vec()));
        assert_eq!(files.close(twin), Ok(()));
        assert_eq!(read(&mut files, reader, 99), Ok(b" words".to_vec()));
        assert_eq!(read(&mut files, reader, 99), Ok(Vec::new()));
        let (reader, writer) = files.pipe(0).expect("pipe");
        assert_eq!(files.close(reader), Ok(()));
        assert_eq!(write(&mut files, writer, b"x"), Err(Errno::EPIPE));
        assert_eq!(write(&mut files, writer, b""), Ok(0));
        assert_eq!(files.seek(writer, 0, SEEK_SET), Err(Errno::ESPIPE));
    }

    fn a_line_of_maps_is_in_linux_columns() {
        let mut text = Text::default();
        let line = MapsLine {
            start: 0x40_0000,
            end: 0x40_1000,
            flags: VmaFlags::READ | VmaFlags::EXEC,
            offset: 0x1000,
            device: (0, 2),
            inode: 1234,
            name: b"/bin/tool",
        };
        line.write(&mut text).expect("memory");
        let high = MapsLine {
            start: 0x7fff_f7ff_d000,
            end: 0x7fff_f7ff_f000,
            offset: 0,
            device: (0, 0),
            inode: 0,
            name: b"",
            flags: VmaFlags::READ | VmaFlags::WRITE | VmaFlags::SHARED,
        };
        high.write(&mut text).expect("memory");
        let expected = "00400000-00401000 r-xp 00001000 00:02 1234                               /bin/tool\n\
                        7ffff7ffd000-7ffff7fff000 rw-s 00000000 00:00 0 \n";
        assert_eq!(core::str::from_utf8(&text.into_bytes()), Ok(expected));
    }

    fn numbers_have_as_many_columns_as_they_need_or_are_told() {
        let mut text = Text::default();
        for (number, width) in [(0, 0), (1234, 3), (56, 5), (u64::MAX, 0), (7, 20)] {
            text.push_decimal(number, width).expect("memory");
            text.push(b",").expect("memory");
            text.push_hexadecimal(number, width).expect("memory");
            text.push(b"\n").expect("memory");
        }
        let expected = "0,0\n1234,4d2\n   56,00038\n18446744073709551615,ffffffffffffffff\n\
                        \x20                  7,00000000000000000007\n";
        assert_eq!(core::str::from_utf8(&text.into_bytes()), Ok(expected));
    }
}
