//! Tests of what arguments may be: pointers, lengths, paths, vectors.

use alloc::boxed::Box;
use alloc::vec;

use abi::mman::{Map, Prot};
use abi::{Errno, nr};

use super::{BAD, MEMORY, MEMORY_END, call, open, peek, poke, test_process};
use crate::syscall::user::{UserSlice, UserValue};
use crate::test::kernel_test;

kernel_test! {
    fn a_number_without_a_call_is_enosys() {
        test_process(|thread| {
            for number in [nr::PTRACE, 400, 511, 512, 1 << 31, u64::MAX] {
                assert_eq!(call(thread, number, &[]), Err(Errno::ENOSYS), "{number}");
            }
            assert_eq!(call(thread, 1 << 32 | nr::GETPID, &[]), Ok(1), "the upper half does not count");
        });
    }

    fn pointers_that_lead_nowhere_are_efault() {
        test_process(|thread| {
            let file = open(thread, "/other");
            for bad in BAD {
                for (number, arguments) in [
                    (nr::READ, [file, bad, 5, 0]),
                    (nr::WRITE, [1, bad, 5, 0]),
                    (nr::OPEN, [bad, 0, 0, 0]),
                    (nr::FSTAT, [file, bad, 0, 0]),
                    (nr::STAT, [bad, MEMORY, 0, 0]),
                    (nr::PIPE, [bad, 0, 0, 0]),
                    (nr::UNAME, [bad, 0, 0, 0]),
                    (nr::READV, [file, bad, 1, 0]),
                    (nr::WRITEV, [1, bad, 1, 0]),
                    (nr::CLOCK_GETTIME, [0, bad, 0, 0]),
                    (nr::NANOSLEEP, [bad, 0, 0, 0]),
                    (nr::GETRANDOM, [bad, 5, 0, 0]),
                    (nr::SYSINFO, [bad, 0, 0, 0]),
                    (nr::GETCWD, [bad, 64, 0, 0]),
                    (nr::GETRLIMIT, [3, bad, 0, 0]),
                    (nr::SCHED_GETAFFINITY, [0, 8, bad, 0]),
                ] {
                    assert_eq!(call(thread, number, &arguments), Err(Errno::EFAULT), "{number} {bad:#x}");
                }
            }
            assert_eq!(call(thread, nr::DUP, &[0]), Ok(4), "a pipe that could not be told is closed again");
            assert_eq!(call(thread, nr::LSEEK, &[file, 0, 1]), Ok(0), "nothing was read");
        });
    }

    fn kernel_memory_is_not_a_buffer() {
        test_process(|thread| {
            let file = open(thread, "/other");
            let secret = Box::new([0x55u8; 16]);
            let address = secret.as_ptr() as u64;
            assert_eq!(call(thread, nr::READ, &[file, address, 10]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::WRITE, &[1, address, 10]), Err(Errno::EFAULT));
            assert_eq!(*secret, [0x55; 16]);
        });
    }

    fn a_read_that_runs_into_a_hole_is_short() {
        test_process(|thread| {
            let file = open(thread, "/other");
            assert_eq!(call(thread, nr::READ, &[file, MEMORY_END - 4, 10]), Ok(4));
            assert_eq!(peek(MEMORY_END - 4, 4), b"0123");
            assert_eq!(call(thread, nr::PREAD64, &[file, MEMORY, 100, 8]), Ok(2));
            assert_eq!(call(thread, nr::PREAD64, &[file, MEMORY, 100, u64::MAX]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::READ, &[file, MEMORY, 100]), Ok(6));
            assert_eq!(call(thread, nr::READ, &[file, MEMORY, u64::MAX]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::READ, &[99, MEMORY, u64::MAX]), Err(Errno::EBADF));
        });
    }

    fn pages_that_may_not_be_written_are_efault() {
        test_process(|thread| {
            let file = open(thread, "/other");
            assert_eq!(call(thread, nr::MPROTECT, &[MEMORY, 0x1000, Prot::READ.bits()]), Ok(0));
            assert_eq!(call(thread, nr::READ, &[file, MEMORY, 10]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::READ, &[file, MEMORY + 0xffe, 10]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::READ, &[file, MEMORY + 0x1000, 10]), Ok(10));
        });
    }

    fn vectors_are_checked_before_anything_moves() {
        test_process(|thread| {
            let file = open(thread, "/other");
            let put = |index: u64, base: u64, length: u64| {
                poke(MEMORY + 16 * index, &base.to_le_bytes());
                poke(MEMORY + 16 * index + 8, &length.to_le_bytes());
            };
            put(0, MEMORY + 0x100, 3);
            put(1, MEMORY + 0x200, u64::MAX);
            assert_eq!(call(thread, nr::READV, &[file, MEMORY, 2]), Err(Errno::EINVAL));
            put(1, 0x8000_0000_0000, 3);
            assert_eq!(call(thread, nr::READV, &[file, MEMORY, 2]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::READV, &[file, MEMORY, 1025]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::READV, &[file, MEMORY, 0]), Ok(0));
            assert_eq!(call(thread, nr::LSEEK, &[file, 0, 1]), Ok(0));
            put(1, MEMORY + 0x200, 5);
            assert_eq!(call(thread, nr::READV, &[file, MEMORY, 2]), Ok(8));
            assert_eq!(
                (peek(MEMORY + 0x100, 3), peek(MEMORY + 0x200, 5)),
                (b"012".to_vec(), b"34567".to_vec())
            );
            put(1, MEMORY_END, 5);
            assert_eq!(call(thread, nr::LSEEK, &[file, 0, 0]), Ok(0));
            assert_eq!(
                call(thread, nr::READV, &[file, MEMORY, 2]),
                Ok(3),
                "what came before the bad vector counts"
            );
        });
    }

    fn a_path_is_at_most_4095_bytes() {
        test_process(|thread| {
            poke(MEMORY, &vec![b'/'; 4096]);
            assert_eq!(call(thread, nr::OPEN, &[MEMORY, 0]), Err(Errno::ENAMETOOLONG));
            poke(MEMORY + 4095, b"\0");
            assert_eq!(call(thread, nr::OPEN, &[MEMORY, 0]), Ok(3), "4095 slashes name the root");
            poke(MEMORY, b"\0");
            assert_eq!(call(thread, nr::OPEN, &[MEMORY, 0]), Err(Errno::ENOENT));
            poke(MEMORY_END - 6, b"/other");
            assert_eq!(
                call(thread, nr::OPEN, &[MEMORY_END - 6, 0]),
                Err(Errno::EFAULT),
                "no NUL before the hole"
            );
            poke(MEMORY_END - 7, b"/other\0");
            assert_eq!(call(thread, nr::OPEN, &[MEMORY_END - 7, 0]), Ok(4));
        });
    }

    fn mmap_of_files_shows_them() {
        test_process(|thread| {
            let file = open(thread, "/other");
            let (fixed, shared) = ((Map::PRIVATE | Map::FIXED).bits(), (Map::SHARED | Map::FIXED).bits());
            assert_eq!(call(thread, nr::MMAP, &[0, 4096, 1, fixed, 99, 0]), Err(Errno::EBADF));
            assert_eq!(call(thread, nr::MMAP, &[MEMORY, 4096, 1, fixed, 1, 0]), Err(Errno::ENODEV));
            assert_eq!(call(thread, nr::MMAP, &[MEMORY, 4096, 1, fixed, file, 1]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::MMAP, &[MEMORY, 4096, 3, shared, file, 0]), Err(Errno::EACCES));
            assert_eq!(call(thread, nr::MMAP, &[MEMORY, 4096, 3, fixed, file, 0]), Ok(MEMORY));
            assert_eq!(peek(MEMORY, 12), b"0123456789\0\0");
            poke(MEMORY, b"x");
            assert_eq!(call(thread, nr::PREAD64, &[file, MEMORY + 64, 2, 0]), Ok(2));
            assert_eq!(peek(MEMORY + 64, 2), b"01");
        });
    }

    fn maps_names_what_is_there() {
        test_process(|thread| {
            let maps = open(thread, "/proc/self/maps");
            let line = b"00100000-00102000 rw-p 00000000 00:00 0 \n";
            assert_eq!(call(thread, nr::READ, &[maps, MEMORY, 0x2000]), Ok(line.len() as u64));
            assert_eq!(peek(MEMORY, line.len()), line);
            assert_eq!(call(thread, nr::READ, &[maps, MEMORY, 0x2000]), Ok(0));
        });
    }

    fn values_are_laid_out_as_in_c() {
        let stat = abi::fs::Stat { st_mode: 0x1122_3344, st_size: -2, ..Default::default() };
        let mut bytes = [0; 144];
        assert!(stat.encode(&mut bytes).is_empty());
        assert_eq!(
            (&bytes[24..28], &bytes[48..56]),
            (&[0x44, 0x33, 0x22, 0x11][..], &(-2i64).to_le_bytes()[..])
        );
        assert_eq!(abi::fs::Stat::decode(&mut &bytes[..]), stat);
        assert_eq!(UserSlice::new(u64::MAX, 2).err(), Some(Errno::EFAULT));
    }
}
