//! Tests of system calls, made as a program makes them: by number, with raw arguments, in an address space of
//! their own.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use abi::fs::{AT_FDCWD, O_CLOEXEC, O_RDONLY};
use abi::mman::{Map, Prot};
use abi::rlimit::{RLIMIT_NOFILE, RLIMIT_STACK};
use abi::{Errno, Signal, nr};

use super::user::{UserPtr, UserSlice, UserValue};
use super::{Arguments, dispatch};
use crate::arch::user::{copy_from_user, copy_to_user};
use crate::fs::tree::NodeId;
use crate::fs::{Member, Tree};
use crate::process::{Ending, Process, with_process};
use crate::test::kernel_test;

/// Two pages that can be read and written, with nothing around them.
const MEMORY: u64 = 0x10_0000;
const MEMORY_END: u64 = MEMORY + 0x2000;
/// Addresses that no pointer may have: null, the hole behind the memory, the last page of the user half, the
/// kernel.
const BAD: [u64; 6] =
    [0, MEMORY_END, 0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_8000_0000_0000, u64::MAX - 3];

fn test_process(body: impl FnOnce(&mut Process<'_>)) {
    let file = |path, content| Member { path, mode: 0o100_755, modified: 0, content };
    let members = [file(&b"bin/program"[..], &b"content"[..]), file(b"other", b"0123456789")];
    let tree = Box::leak(Box::new(Tree::build(members.into_iter()).expect("a tree")));
    let exe = tree.entry(tree.entry(NodeId::ROOT, b"bin").expect("bin"), b"program").expect("program");
    let run = with_process(tree, exe, |process| {
        let flags = Map::PRIVATE | Map::ANONYMOUS | Map::FIXED;
        let arguments = [MEMORY, 0x2000, Prot::READ_WRITE.bits(), flags.bits(), u64::MAX, 0];
        assert_eq!(call(process, nr::MMAP, &arguments), Ok(MEMORY));
        body(process);
    });
    run.expect("memory for a process");
}

fn call(process: &mut Process<'_>, number: u64, arguments: &[u64]) -> Result<u64, Errno> {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    Errno::from_return_value(dispatch(process, number, &Arguments(all)))
}

fn poke(address: u64, bytes: &[u8]) {
    copy_to_user(address, bytes).expect("user memory");
}

fn peek(address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    copy_from_user(&mut bytes, address).expect("user memory");
    bytes
}

fn peek_word(address: u64) -> u64 {
    UserPtr::new(address).read().expect("user memory")
}

/// Opens a file whose path is put at the start of the memory.
fn open(process: &mut Process<'_>, path: &str) -> u64 {
    poke(MEMORY, path.as_bytes());
    poke(MEMORY + path.len() as u64, b"\0");
    call(process, nr::OPEN, &[MEMORY, O_RDONLY.into()]).expect(path)
}

kernel_test! {
    fn a_number_without_a_call_is_enosys() {
        test_process(|process| {
            for number in [nr::FORK, 400, 511, 512, 1 << 31, u64::MAX] {
                assert_eq!(call(process, number, &[]), Err(Errno::ENOSYS), "{number}");
            }
            assert_eq!(call(process, 1 << 32 | nr::GETPID, &[]), Ok(1), "the upper half does not count");
        });
    }

    fn pointers_that_lead_nowhere_are_efault() {
        test_process(|process| {
            let file = open(process, "/other");
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
                    assert_eq!(call(process, number, &arguments), Err(Errno::EFAULT), "{number} {bad:#x}");
                }
            }
            assert_eq!(call(process, nr::DUP, &[0]), Ok(4), "a pipe that could not be told is closed again");
            assert_eq!(call(process, nr::LSEEK, &[file, 0, 1]), Ok(0), "nothing was read");
        });
    }

    fn kernel_memory_is_not_a_buffer() {
        test_process(|process| {
            let file = open(process, "/other");
            let secret = Box::new([0x55u8; 16]);
            let address = secret.as_ptr() as u64;
            assert_eq!(call(process, nr::READ, &[file, address, 10]), Err(Errno::EFAULT));
            assert_eq!(call(process, nr::WRITE, &[1, address, 10]), Err(Errno::EFAULT));
            assert_eq!(*secret, [0x55; 16]);
        });
    }

    fn a_read_that_runs_into_a_hole_is_short() {
        test_process(|process| {
            let file = open(process, "/other");
            assert_eq!(call(process, nr::READ, &[file, MEMORY_END - 4, 10]), Ok(4));
            assert_eq!(peek(MEMORY_END - 4, 4), b"0123");
            assert_eq!(call(process, nr::PREAD64, &[file, MEMORY, 100, 8]), Ok(2));
            assert_eq!(call(process, nr::PREAD64, &[file, MEMORY, 100, u64::MAX]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::READ, &[file, MEMORY, 100]), Ok(6));
            assert_eq!(call(process, nr::READ, &[file, MEMORY, u64::MAX]), Err(Errno::EFAULT));
            assert_eq!(call(process, nr::READ, &[99, MEMORY, u64::MAX]), Err(Errno::EBADF));
        });
    }

    fn pages_that_may_not_be_written_are_efault() {
        test_process(|process| {
            let file = open(process, "/other");
            assert_eq!(call(process, nr::MPROTECT, &[MEMORY, 0x1000, Prot::READ.bits()]), Ok(0));
            assert_eq!(call(process, nr::READ, &[file, MEMORY, 10]), Err(Errno::EFAULT));
            assert_eq!(call(process, nr::READ, &[file, MEMORY + 0xffe, 10]), Err(Errno::EFAULT));
            assert_eq!(call(process, nr::READ, &[file, MEMORY + 0x1000, 10]), Ok(10));
        });
    }

    fn vectors_are_checked_before_anything_moves() {
        test_process(|process| {
            let file = open(process, "/other");
            let put = |index: u64, base: u64, length: u64| {
                poke(MEMORY + 16 * index, &base.to_le_bytes());
                poke(MEMORY + 16 * index + 8, &length.to_le_bytes());
            };
            put(0, MEMORY + 0x100, 3);
            put(1, MEMORY + 0x200, u64::MAX);
            assert_eq!(call(process, nr::READV, &[file, MEMORY, 2]), Err(Errno::EINVAL));
            put(1, 0x8000_0000_0000, 3);
            assert_eq!(call(process, nr::READV, &[file, MEMORY, 2]), Err(Errno::EFAULT));
            assert_eq!(call(process, nr::READV, &[file, MEMORY, 1025]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::READV, &[file, MEMORY, 0]), Ok(0));
            assert_eq!(call(process, nr::LSEEK, &[file, 0, 1]), Ok(0));
            put(1, MEMORY + 0x200, 5);
            assert_eq!(call(process, nr::READV, &[file, MEMORY, 2]), Ok(8));
            assert_eq!(
                (peek(MEMORY + 0x100, 3), peek(MEMORY + 0x200, 5)),
                (b"012".to_vec(), b"34567".to_vec())
            );
            put(1, MEMORY_END, 5);
            assert_eq!(call(process, nr::LSEEK, &[file, 0, 0]), Ok(0));
            assert_eq!(
                call(process, nr::READV, &[file, MEMORY, 2]),
                Ok(3),
                "what came before the bad vector counts"
            );
        });
    }

    fn a_path_is_at_most_4095_bytes() {
        test_process(|process| {
            poke(MEMORY, &vec![b'/'; 4096]);
            assert_eq!(call(process, nr::OPEN, &[MEMORY, 0]), Err(Errno::ENAMETOOLONG));
            poke(MEMORY + 4095, b"\0");
            assert_eq!(call(process, nr::OPEN, &[MEMORY, 0]), Ok(3), "4095 slashes name the root");
            poke(MEMORY, b"\0");
            assert_eq!(call(process, nr::OPEN, &[MEMORY, 0]), Err(Errno::ENOENT));
            poke(MEMORY_END - 6, b"/other");
            assert_eq!(
                call(process, nr::OPEN, &[MEMORY_END - 6, 0]),
                Err(Errno::EFAULT),
                "no NUL before the hole"
            );
            poke(MEMORY_END - 7, b"/other\0");
            assert_eq!(call(process, nr::OPEN, &[MEMORY_END - 7, 0]), Ok(4));
        });
    }

    fn mmap_of_files_is_refused() {
        test_process(|process| {
            let file = open(process, "/other");
            let private = Map::PRIVATE.bits();
            assert_eq!(call(process, nr::MMAP, &[0, 4096, 1, private, 99, 0]), Err(Errno::EBADF));
            assert_eq!(call(process, nr::MMAP, &[0, 4096, 1, private, file, 0]), Err(Errno::ENODEV));
            assert_eq!(call(process, nr::MMAP, &[0, 4096, 1, private, file, 1]), Err(Errno::EINVAL));
        });
    }

    fn descriptors_are_duplicated_as_on_linux() {
        test_process(|process| {
            let file = open(process, "/other");
            assert_eq!(call(process, nr::DUP2, &[file, file]), Ok(file));
            assert_eq!(call(process, nr::DUP2, &[99, 99]), Err(Errno::EBADF));
            assert_eq!(call(process, nr::DUP2, &[file, 1024]), Err(Errno::EBADF));
            assert_eq!(call(process, nr::DUP3, &[file, file, 0]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::DUP3, &[file, 7, 1]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::DUP3, &[file, 7, O_CLOEXEC.into()]), Ok(7));
            assert_eq!(call(process, nr::FCNTL, &[7, 1]), Ok(1));
            assert_eq!(call(process, nr::FCNTL, &[7, 0, 1024]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::FCNTL, &[7, 0, 100]), Ok(100));
            assert_eq!(call(process, nr::FCNTL, &[7, 77]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::FCNTL, &[8, 77]), Err(Errno::EBADF));
        });
    }

    fn terminal_requests_are_for_the_console() {
        test_process(|process| {
            let file = open(process, "/other");
            const TCGETS: u64 = 0x5401;
            assert_eq!(call(process, nr::IOCTL, &[file, TCGETS, MEMORY]), Err(Errno::ENOTTY));
            assert_eq!(call(process, nr::IOCTL, &[1, TCGETS, MEMORY]), Ok(0));
            assert_eq!(call(process, nr::IOCTL, &[1, TCGETS, 8]), Err(Errno::EFAULT));
            assert_eq!(call(process, nr::IOCTL, &[1, 0x1234, MEMORY]), Err(Errno::ENOTTY));
            assert_eq!(call(process, nr::IOCTL, &[99, TCGETS, MEMORY]), Err(Errno::EBADF));
        });
    }

    fn links_are_cut_to_the_buffer() {
        test_process(|process| {
            poke(MEMORY, b"/proc/self/exe\0");
            assert_eq!(call(process, nr::READLINK, &[MEMORY, MEMORY + 64, 4]), Ok(4));
            assert_eq!(peek(MEMORY + 64, 5), b"/bin\0");
            assert_eq!(call(process, nr::READLINK, &[MEMORY, MEMORY + 64, 0]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::READLINKAT, &[AT_FDCWD as u64, MEMORY, MEMORY, 99]), Ok(12));
        });
    }

    fn a_write_without_a_reader_kills_unless_the_signal_is_ignored() {
        test_process(|process| {
            assert_eq!(call(process, nr::PIPE, &[MEMORY]), Ok(0));
            assert_eq!(peek(MEMORY, 8), [3, 0, 0, 0, 4, 0, 0, 0]);
            assert_eq!(call(process, nr::CLOSE, &[3]), Ok(0));
            let ignore = [1u64, 0, 0, 0].map(u64::to_le_bytes).concat();
            poke(MEMORY, &ignore);
            assert_eq!(call(process, nr::RT_SIGACTION, &[13, MEMORY, 0, 8]), Ok(0));
            assert_eq!(call(process, nr::WRITE, &[4, MEMORY, 1]), Err(Errno::EPIPE));
            assert_eq!(process.ending(), None);
            poke(MEMORY, &[0; 32]);
            assert_eq!(call(process, nr::RT_SIGACTION, &[13, MEMORY, MEMORY + 64, 8]), Ok(0));
            assert_eq!(peek_word(MEMORY + 64), 1);
            assert_eq!(call(process, nr::WRITE, &[4, MEMORY, 1]), Err(Errno::EPIPE));
            assert_eq!(process.ending(), Some(Ending::Killed(Signal::SIGPIPE)));
        });
    }

    fn a_blocked_signal_kills_when_it_is_unblocked() {
        test_process(|process| {
            poke(MEMORY, &u64::MAX.to_le_bytes());
            assert_eq!(call(process, nr::RT_SIGPROCMASK, &[2, MEMORY, 0, 8]), Ok(0));
            assert_eq!(call(process, nr::TGKILL, &[1, 1, 6]), Ok(0));
            assert_eq!(process.ending(), None);
            assert_eq!(call(process, nr::RT_SIGPROCMASK, &[9, MEMORY, 0, 8]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::RT_SIGPROCMASK, &[1, MEMORY, MEMORY, 8]), Ok(0));
            assert_eq!(process.ending(), Some(Ending::Killed(Signal::SIGABRT)));
        });
    }

    fn signals_go_to_the_process_itself_only() {
        test_process(|process| {
            assert_eq!(call(process, nr::KILL, &[1, 0]), Ok(0));
            assert_eq!(call(process, nr::KILL, &[2, 9]), Err(Errno::ESRCH));
            assert_eq!(call(process, nr::KILL, &[1, 65]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::TGKILL, &[0, 1, 9]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::TKILL, &[2, 9]), Err(Errno::ESRCH));
            poke(MEMORY, &[0x40_0000u64, 0, 0, 0].map(u64::to_le_bytes).concat());
            assert_eq!(call(process, nr::RT_SIGACTION, &[10, MEMORY, 0, 8]), Ok(0));
            assert_eq!(call(process, nr::KILL, &[1, 10]), Err(Errno::ENOSYS), "handlers are not run yet");
            assert_eq!(call(process, nr::RT_SIGACTION, &[9, MEMORY, 0, 8]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::RT_SIGACTION, &[10, MEMORY, 0, 4]), Err(Errno::EINVAL));
            assert_eq!(process.ending(), None);
        });
    }

    fn limits_take_effect() {
        test_process(|process| {
            poke(MEMORY, &[4u64, 4].map(u64::to_le_bytes).concat());
            let nofile = RLIMIT_NOFILE.into();
            assert_eq!(call(process, nr::PRLIMIT64, &[0, nofile, MEMORY, MEMORY + 64]), Ok(0));
            assert_eq!(peek_word(MEMORY + 64), 1024);
            assert_eq!(call(process, nr::DUP, &[0]), Ok(3));
            assert_eq!(call(process, nr::DUP, &[0]), Err(Errno::EMFILE));
            poke(MEMORY, &[5u64, 4].map(u64::to_le_bytes).concat());
            assert_eq!(call(process, nr::PRLIMIT64, &[0, nofile, MEMORY, 0]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::PRLIMIT64, &[2, nofile, 0, 0]), Err(Errno::ESRCH));
            assert_eq!(call(process, nr::PRLIMIT64, &[0, 16, 0, 0]), Err(Errno::EINVAL));
            poke(MEMORY, &[1u64 << 16, 1 << 20].map(u64::to_le_bytes).concat());
            assert_eq!(call(process, nr::SETRLIMIT, &[RLIMIT_STACK.into(), MEMORY]), Ok(0));
            assert_eq!(process.space.limits().stack, 1 << 16);
        });
    }

    fn the_bases_of_fs_and_gs_stay_in_the_user_half() {
        test_process(|process| {
            const SET_FS: u64 = 0x1002;
            const GET_FS: u64 = 0x1003;
            assert_eq!(call(process, nr::ARCH_PRCTL, &[SET_FS, 0x1234]), Ok(0));
            assert_eq!(call(process, nr::ARCH_PRCTL, &[SET_FS, 0xffff_8000_0000_0000]), Err(Errno::EPERM));
            assert_eq!(call(process, nr::ARCH_PRCTL, &[SET_FS, u64::MAX / 3]), Err(Errno::EPERM));
            assert_eq!(call(process, nr::ARCH_PRCTL, &[GET_FS, MEMORY]), Ok(0));
            assert_eq!(peek_word(MEMORY), 0x1234);
            assert_eq!(call(process, nr::ARCH_PRCTL, &[0x5005, 0]), Err(Errno::EINVAL));
        });
    }

    fn reboot_wants_its_magic_numbers() {
        test_process(|process| {
            const POWER_OFF: u64 = 0x4321_fedc;
            assert_eq!(call(process, nr::REBOOT, &[0xfee1_dead, 1, POWER_OFF]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::REBOOT, &[1, 0x2812_1969, POWER_OFF]), Err(Errno::EINVAL));
            assert_eq!(call(process, nr::REBOOT, &[0xfee1_dead, 0x2812_1969, 1]), Err(Errno::EINVAL));
            assert_eq!(process.ending(), None);
            assert_eq!(call(process, nr::REBOOT, &[0xfee1_dead, 0x2812_1969, POWER_OFF]), Ok(0));
            assert_eq!(process.ending(), Some(Ending::PowerOff));
        });
    }

    fn exit_keeps_the_low_byte() {
        test_process(|process| {
            assert_eq!(call(process, nr::EXIT_GROUP, &[0x1ff]), Ok(0));
            assert_eq!(process.ending(), Some(Ending::Exited(0xff)));
        });
    }

    fn clocks_and_sleeps_check_their_arguments() {
        test_process(|process| {
            assert_eq!(call(process, nr::CLOCK_GETTIME, &[77, MEMORY]), Err(Errno::EINVAL));
            poke(MEMORY, &[0u64, 1_000_000_000].map(u64::to_le_bytes).concat());
            assert_eq!(call(process, nr::NANOSLEEP, &[MEMORY, 0]), Err(Errno::EINVAL));
            poke(MEMORY, &[u64::MAX, 0].map(u64::to_le_bytes).concat());
            assert_eq!(call(process, nr::NANOSLEEP, &[MEMORY, 0]), Err(Errno::EINVAL));
            poke(MEMORY, &[0u64, 1000].map(u64::to_le_bytes).concat());
            assert_eq!(call(process, nr::NANOSLEEP, &[MEMORY, 0]), Ok(0));
            assert_eq!(call(process, nr::CLOCK_NANOSLEEP, &[1, 1, MEMORY, 0]), Ok(0), "a time that is over");
        });
    }

    fn maps_names_what_is_there() {
        test_process(|process| {
            let maps = open(process, "/proc/self/maps");
            let line = b"00100000-00102000 rw-p 00000000 00:00 0 \n";
            assert_eq!(call(process, nr::READ, &[maps, MEMORY, 0x2000]), Ok(line.len() as u64));
            assert_eq!(peek(MEMORY, line.len()), line);
            assert_eq!(call(process, nr::READ, &[maps, MEMORY, 0x2000]), Ok(0));
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
