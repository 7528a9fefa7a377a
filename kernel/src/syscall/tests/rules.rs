//! Tests of the rules of single system calls.

use abi::fs::{AT_FDCWD, O_CLOEXEC};
use abi::rlimit::{RLIMIT_NOFILE, RLIMIT_STACK};
use abi::{Errno, Signal, nr};

use super::{MEMORY, MEMORY_END, call, open, peek, peek_word, poke, test_process};
use crate::process::signals::Next;
use crate::process::{Ending, oom, table};
use crate::test::kernel_test;

kernel_test! {
    fn descriptors_are_duplicated_as_on_linux() {
        test_process(|thread| {
            let file = open(thread, "/other");
            assert_eq!(call(thread, nr::DUP2, &[file, file]), Ok(file));
            assert_eq!(call(thread, nr::DUP2, &[99, 99]), Err(Errno::EBADF));
            assert_eq!(call(thread, nr::DUP2, &[file, 1024]), Err(Errno::EBADF));
            assert_eq!(call(thread, nr::DUP3, &[file, file, 0]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::DUP3, &[file, 7, 1]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::DUP3, &[file, 7, O_CLOEXEC.into()]), Ok(7));
            assert_eq!(call(thread, nr::FCNTL, &[7, 1]), Ok(1));
            assert_eq!(call(thread, nr::FCNTL, &[7, 0, 1024]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::FCNTL, &[7, 0, 100]), Ok(100));
            assert_eq!(call(thread, nr::FCNTL, &[7, 77]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::FCNTL, &[8, 77]), Err(Errno::EBADF));
        });
    }

    fn terminal_requests_are_for_the_console() {
        test_process(|thread| {
            let file = open(thread, "/other");
            const TCGETS: u64 = 0x5401;
            assert_eq!(call(thread, nr::IOCTL, &[file, TCGETS, MEMORY]), Err(Errno::ENOTTY));
            assert_eq!(call(thread, nr::IOCTL, &[1, TCGETS, MEMORY]), Ok(0));
            assert_eq!(call(thread, nr::IOCTL, &[1, TCGETS, 8]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::IOCTL, &[1, 0x1234, MEMORY]), Err(Errno::ENOTTY));
            assert_eq!(call(thread, nr::IOCTL, &[99, TCGETS, MEMORY]), Err(Errno::EBADF));
        });
    }

    fn links_are_cut_to_the_buffer() {
        test_process(|thread| {
            poke(MEMORY, b"/proc/self/exe\0");
            assert_eq!(call(thread, nr::READLINK, &[MEMORY, MEMORY + 64, 4]), Ok(4));
            assert_eq!(peek(MEMORY + 64, 5), b"/bin\0");
            assert_eq!(call(thread, nr::READLINK, &[MEMORY, MEMORY + 64, 0]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::READLINKAT, &[AT_FDCWD as u64, MEMORY, MEMORY, 99]), Ok(12));
        });
    }

    fn a_write_without_a_reader_kills_unless_the_signal_is_ignored() {
        test_process(|thread| {
            assert_eq!(call(thread, nr::PIPE, &[MEMORY]), Ok(0));
            assert_eq!(peek(MEMORY, 8), [3, 0, 0, 0, 4, 0, 0, 0]);
            assert_eq!(call(thread, nr::CLOSE, &[3]), Ok(0));
            let ignore = [1u64, 0, 0, 0].map(u64::to_le_bytes).concat();
            poke(MEMORY, &ignore);
            assert_eq!(call(thread, nr::RT_SIGACTION, &[13, MEMORY, 0, 8]), Ok(0));
            assert_eq!(call(thread, nr::WRITE, &[4, MEMORY, 1]), Err(Errno::EPIPE));
            assert_eq!(thread.ending(), None);
            poke(MEMORY, &[0; 32]);
            assert_eq!(call(thread, nr::RT_SIGACTION, &[13, MEMORY, MEMORY + 64, 8]), Ok(0));
            assert_eq!(peek_word(MEMORY + 64), 1);
            assert_eq!(call(thread, nr::WRITE, &[4, MEMORY, 1]), Err(Errno::EPIPE));
            assert_eq!(thread.ending(), Some(Ending::Killed(Signal::SIGPIPE.number())));
        });
    }

    fn a_blocked_signal_kills_when_it_is_unblocked() {
        test_process(|thread| {
            poke(MEMORY, &u64::MAX.to_le_bytes());
            assert_eq!(call(thread, nr::RT_SIGPROCMASK, &[2, MEMORY, 0, 8]), Ok(0));
            assert_eq!(call(thread, nr::TGKILL, &[1, 1, 6]), Ok(0));
            assert_eq!(thread.ending(), None);
            assert_eq!(call(thread, nr::RT_SIGPROCMASK, &[9, MEMORY, 0, 8]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::RT_SIGPROCMASK, &[1, MEMORY, MEMORY, 8]), Ok(0));
            assert_eq!(thread.before_return(), Next::End);
            assert_eq!(thread.ending(), Some(Ending::Killed(Signal::SIGABRT.number())));
        });
    }

    fn signals_go_to_processes_and_threads_that_there_are() {
        test_process(|thread| {
            assert_eq!(call(thread, nr::KILL, &[1, 0]), Ok(0));
            assert_eq!(call(thread, nr::KILL, &[2, 9]), Err(Errno::ESRCH));
            assert_eq!(call(thread, nr::KILL, &[1, 65]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::TGKILL, &[0, 1, 9]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::TKILL, &[2, 9]), Err(Errno::ESRCH));
            poke(MEMORY, &[0x40_0000u64, 0, 0, 0].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::RT_SIGACTION, &[10, MEMORY, 0, 8]), Ok(0));
            assert_eq!(call(thread, nr::RT_SIGACTION, &[9, MEMORY, 0, 8]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::RT_SIGACTION, &[10, MEMORY, 0, 4]), Err(Errno::EINVAL));
            assert_eq!(thread.ending(), None);
        });
    }

    fn limits_take_effect() {
        test_process(|thread| {
            poke(MEMORY, &[4u64, 4].map(u64::to_le_bytes).concat());
            let nofile = RLIMIT_NOFILE.into();
            assert_eq!(call(thread, nr::PRLIMIT64, &[0, nofile, MEMORY, MEMORY + 64]), Ok(0));
            assert_eq!(peek_word(MEMORY + 64), 1024);
            assert_eq!(call(thread, nr::DUP, &[0]), Ok(3));
            assert_eq!(call(thread, nr::DUP, &[0]), Err(Errno::EMFILE));
            poke(MEMORY, &[5u64, 4].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::PRLIMIT64, &[0, nofile, MEMORY, 0]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::PRLIMIT64, &[2, nofile, 0, 0]), Err(Errno::ESRCH));
            assert_eq!(call(thread, nr::PRLIMIT64, &[0, 16, 0, 0]), Err(Errno::EINVAL));
            poke(MEMORY, &[1u64 << 16, 1 << 20].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::SETRLIMIT, &[RLIMIT_STACK.into(), MEMORY]), Ok(0));
            assert_eq!(thread.space.limits().stack, 1 << 16);
        });
    }

    fn the_bases_of_fs_and_gs_stay_in_the_user_half() {
        test_process(|thread| {
            const SET_FS: u64 = 0x1002;
            const GET_FS: u64 = 0x1003;
            assert_eq!(call(thread, nr::ARCH_PRCTL, &[SET_FS, 0x1234]), Ok(0));
            assert_eq!(call(thread, nr::ARCH_PRCTL, &[SET_FS, 0xffff_8000_0000_0000]), Err(Errno::EPERM));
            assert_eq!(call(thread, nr::ARCH_PRCTL, &[SET_FS, u64::MAX / 3]), Err(Errno::EPERM));
            assert_eq!(call(thread, nr::ARCH_PRCTL, &[GET_FS, MEMORY]), Ok(0));
            assert_eq!(peek_word(MEMORY), 0x1234);
            assert_eq!(call(thread, nr::ARCH_PRCTL, &[0x5005, 0]), Err(Errno::EINVAL));
        });
    }

    fn a_thread_has_the_name_of_its_program_until_it_changes_it() {
        test_process(|thread| {
            assert_eq!(call(thread, nr::PRCTL, &[16, MEMORY]), Ok(0));
            assert_eq!(peek(MEMORY, 9), b"program\0\0");
            poke(MEMORY, b"a name that is too long\0");
            assert_eq!(call(thread, nr::PRCTL, &[15, MEMORY]), Ok(0));
            assert_eq!(call(thread, nr::PRCTL, &[16, MEMORY]), Ok(0));
            assert_eq!(peek(MEMORY, 16), b"a name that is \0");
            assert_eq!(call(thread, nr::PRCTL, &[15, 1]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::PRCTL, &[99, MEMORY]), Err(Errno::EINVAL));
        });
    }

    fn poll_tells_what_is_ready() {
        test_process(|thread| {
            let entry = |number: i32, wanted: i16| {
                let mut bytes = number.to_le_bytes().to_vec();
                bytes.extend_from_slice(&wanted.to_le_bytes());
                bytes.extend_from_slice(&[0xff, 0xff]);
                bytes
            };
            let found = |index: u64| i16::from_le_bytes([peek(MEMORY + 8 * index + 6, 2)[0], 0]);
            assert_eq!(call(thread, nr::PIPE, &[MEMORY]), Ok(0));
            let entries = [entry(3, 1), entry(4, 5), entry(77, 1), entry(-1, 1), entry(1, 4)].concat();
            poke(MEMORY, &entries);
            assert_eq!(call(thread, nr::POLL, &[MEMORY, 5, u64::MAX]), Ok(3));
            assert_eq!([0, 1, 2, 3, 4].map(found), [0, 4, 0x20, 0, 4]);
            assert_eq!(call(thread, nr::POLL, &[MEMORY, 1, 0]), Ok(0));
            assert_eq!(call(thread, nr::CLOSE, &[4]), Ok(0));
            assert_eq!(call(thread, nr::POLL, &[MEMORY, 1, u64::MAX]), Ok(1));
            assert_eq!(found(0), 0x10);
            assert_eq!(call(thread, nr::POLL, &[MEMORY, 1025, 0]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::POLL, &[MEMORY_END, 1, 0]), Err(Errno::EFAULT));
        });
    }

    fn a_futex_wait_ends_by_its_value_or_its_timeout() {
        test_process(|thread| {
            poke(MEMORY, &5u32.to_le_bytes());
            poke(MEMORY + 16, &[0u64, 1000].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::FUTEX, &[MEMORY, 1, 1]), Ok(0));
            assert_eq!(call(thread, nr::FUTEX, &[MEMORY, 0, 4, 0]), Err(Errno::EAGAIN));
            assert_eq!(call(thread, nr::FUTEX, &[MEMORY, 128, 5, MEMORY + 16]), Err(Errno::ETIMEDOUT));
            assert_eq!(call(thread, nr::FUTEX, &[MEMORY_END, 0, 5, 0]), Err(Errno::EFAULT));
            assert_eq!(call(thread, nr::FUTEX, &[MEMORY + 1, 0, 5, 0]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::FUTEX, &[MEMORY, 77, 5, 0]), Err(Errno::ENOSYS));
        });
    }

    fn reboot_wants_its_magic_numbers() {
        test_process(|thread| {
            const POWER_OFF: u64 = 0x4321_fedc;
            assert_eq!(call(thread, nr::REBOOT, &[0xfee1_dead, 1, POWER_OFF]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::REBOOT, &[1, 0x2812_1969, POWER_OFF]), Err(Errno::EINVAL));
            assert_eq!(call(thread, nr::REBOOT, &[0xfee1_dead, 0x2812_1969, 1]), Err(Errno::EINVAL));
            assert_eq!(thread.ending(), None);
            assert_eq!(call(thread, nr::REBOOT, &[0xfee1_dead, 0x2812_1969, POWER_OFF]), Ok(0));
            assert_eq!(table::machine_ending(), Some(Ending::PowerOff));
            assert!(thread.ending().is_some(), "all processes end");
        });
    }

    fn exit_keeps_the_low_byte() {
        test_process(|thread| {
            assert_eq!(call(thread, nr::EXIT_GROUP, &[0x1ff]), Ok(0));
            assert_eq!(thread.ending(), Some(Ending::Exited(0xff)));
        });
    }

    fn clocks_and_sleeps_check_their_arguments() {
        test_process(|thread| {
            assert_eq!(call(thread, nr::CLOCK_GETTIME, &[77, MEMORY]), Err(Errno::EINVAL));
            poke(MEMORY, &[0u64, 1_000_000_000].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::NANOSLEEP, &[MEMORY, 0]), Err(Errno::EINVAL));
            poke(MEMORY, &[u64::MAX, 0].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::NANOSLEEP, &[MEMORY, 0]), Err(Errno::EINVAL));
            poke(MEMORY, &[0u64, 1000].map(u64::to_le_bytes).concat());
            assert_eq!(call(thread, nr::NANOSLEEP, &[MEMORY, 0]), Ok(0));
            assert_eq!(call(thread, nr::CLOCK_NANOSLEEP, &[1, 1, MEMORY, 0]), Ok(0), "a time that is over");
        });
    }

    fn nobody_goes_for_a_frame_that_is_there_again() {
        test_process(|thread| {
            let mut failures = 3;
            let step = || {
                if failures == 0 {
                    return Ok(());
                }
                failures -= 1;
                Err(Errno::ENOMEM)
            };
            assert_eq!(oom::patiently(step), Ok(()));
            assert_eq!(thread.ending(), None);
        });
    }
}
