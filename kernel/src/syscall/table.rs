//! The system call table: one list, made into an array indexed by number.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::{Errno, nr};

use super::{
    Arguments, advice, alarm, clone, file, file_content, file_io, file_mapping, file_names, file_status,
    futex, identity, info, kill, lock, memory, poll, process, process_vm, schedule, shm, signal, time,
    userfault, wait,
};
use crate::process::Thread;

/// A system call; returns what goes into `rax`, which a register carries.
type Handler = fn(&mut Thread, &Arguments) -> u64;

/// Makes handlers of functions that return a `Result<u64, Errno>`.
macro_rules! calls {
    ($(($number:expr, $call:path),)*) => {
        &[$(($number, |thread, arguments| $call(thread, arguments).unwrap_or_else(Errno::to_return_value)),)*]
    };
}

/// Every system call there is.
const CALLS: &[(u64, Handler)] = calls![
    (nr::READ, file_io::read),
    (nr::WRITE, file_io::write),
    (nr::OPEN, file::open),
    (nr::CLOSE, file::close),
    (nr::STAT, file_status::stat),
    (nr::FSTAT, file_status::fstat),
    (nr::LSTAT, file_status::lstat),
    (nr::POLL, poll::poll),
    (nr::LSEEK, file_io::lseek),
    (nr::MMAP, memory::mmap),
    (nr::MPROTECT, memory::mprotect),
    (nr::MUNMAP, memory::munmap),
    (nr::BRK, memory::brk),
    (nr::RT_SIGACTION, signal::rt_sigaction),
    (nr::RT_SIGPROCMASK, signal::rt_sigprocmask),
    (nr::RT_SIGRETURN, signal::rt_sigreturn),
    (nr::IOCTL, file::ioctl),
    (nr::PREAD64, file_io::pread64),
    (nr::PWRITE64, file_io::pwrite64),
    (nr::READV, file_io::readv),
    (nr::WRITEV, file_io::writev),
    (nr::ACCESS, file_status::access),
    (nr::PIPE, file_io::pipe),
    (nr::MREMAP, memory::mremap),
    (nr::MSYNC, advice::msync),
    (nr::MINCORE, advice::mincore),
    (nr::MADVISE, advice::madvise),
    (nr::SCHED_YIELD, schedule::sched_yield),
    (nr::SHMGET, shm::shmget),
    (nr::SHMAT, shm::shmat),
    (nr::SHMCTL, shm::shmctl),
    (nr::SHMDT, shm::shmdt),
    (nr::DUP, file::dup),
    (nr::DUP2, file::dup2),
    (nr::NANOSLEEP, time::nanosleep),
    (nr::PAUSE, signal::pause),
    (nr::GETITIMER, alarm::getitimer),
    (nr::ALARM, alarm::alarm),
    (nr::SETITIMER, alarm::setitimer),
    (nr::GETPID, process::getpid),
    (nr::CLONE, clone::clone),
    (nr::FORK, clone::fork),
    (nr::VFORK, clone::vfork),
    (nr::EXECVE, clone::execve),
    (nr::EXIT, process::exit),
    (nr::WAIT4, wait::wait4),
    (nr::KILL, kill::kill),
    (nr::UNAME, info::uname),
    (nr::FCNTL, file::fcntl),
    (nr::GETCWD, file_names::getcwd),
    (nr::CHDIR, file_names::chdir),
    (nr::CREAT, file::creat),
    (nr::READLINK, file_status::readlink),
    (nr::GETTIMEOFDAY, time::gettimeofday),
    (nr::GETRLIMIT, process::getrlimit),
    (nr::SYSINFO, info::sysinfo),
    (nr::GETUID, process::zero),
    (nr::GETGID, process::zero),
    (nr::GETEUID, process::zero),
    (nr::GETEGID, process::zero),
    (nr::SETPGID, process::setpgid),
    (nr::GETPPID, process::getppid),
    (nr::GETPGRP, process::getpgrp),
    (nr::SETSID, process::setsid),
    (nr::GETPGID, process::getpgid),
    (nr::GETSID, process::getsid),
    (nr::MLOCK, lock::mlock),
    (nr::MUNLOCK, lock::munlock),
    (nr::MLOCKALL, lock::mlockall),
    (nr::MUNLOCKALL, lock::munlockall),
    (nr::PRCTL, process::prctl),
    (nr::ARCH_PRCTL, process::arch_prctl),
    (nr::SETRLIMIT, process::setrlimit),
    (nr::REBOOT, process::reboot),
    (nr::GETTID, process::gettid),
    (nr::RT_SIGPENDING, signal::rt_sigpending),
    (nr::RT_SIGTIMEDWAIT, signal::rt_sigtimedwait),
    (nr::RT_SIGQUEUEINFO, kill::rt_sigqueueinfo),
    (nr::RT_SIGSUSPEND, signal::rt_sigsuspend),
    (nr::SIGALTSTACK, signal::sigaltstack),
    (nr::TKILL, kill::tkill),
    (nr::TIME, time::time),
    (nr::FUTEX, futex::futex),
    (nr::SCHED_SETAFFINITY, schedule::sched_setaffinity),
    (nr::SCHED_GETAFFINITY, schedule::sched_getaffinity),
    (nr::GETDENTS64, file_io::getdents64),
    (nr::SET_TID_ADDRESS, process::set_tid_address),
    (nr::CLOCK_GETTIME, time::clock_gettime),
    (nr::CLOCK_GETRES, time::clock_getres),
    (nr::CLOCK_NANOSLEEP, time::clock_nanosleep),
    (nr::EXIT_GROUP, process::exit_group),
    (nr::TGKILL, kill::tgkill),
    (nr::WAITID, wait::waitid),
    (nr::OPENAT, file::openat),
    (nr::NEWFSTATAT, file_status::newfstatat),
    (nr::READLINKAT, file_status::readlinkat),
    (nr::FACCESSAT, file_status::faccessat),
    (nr::PPOLL, poll::ppoll),
    (nr::SET_ROBUST_LIST, process::set_robust_list),
    (nr::GET_ROBUST_LIST, process::get_robust_list),
    (nr::DUP3, file::dup3),
    (nr::PIPE2, file_io::pipe2),
    (nr::RT_TGSIGQUEUEINFO, kill::rt_tgsigqueueinfo),
    (nr::PRLIMIT64, process::prlimit64),
    (nr::PROCESS_VM_READV, process_vm::process_vm_readv),
    (nr::PROCESS_VM_WRITEV, process_vm::process_vm_writev),
    (nr::GETRANDOM, file_io::getrandom),
    (nr::GETCPU, schedule::getcpu),
    (nr::EXECVEAT, clone::execveat),
    (nr::RSEQ, process::rseq),
    (nr::MLOCK2, lock::mlock2),
    (nr::CLONE3, clone::clone3),
    (nr::FACCESSAT2, file_status::faccessat2),
    (nr::PROCESS_MADVISE, advice::process_madvise),
    (nr::MSEAL, memory::mseal),
    (nr::CAPGET, identity::capget),
    (nr::CAPSET, identity::capset),
    (nr::GETRUSAGE, identity::getrusage),
    (nr::VHANGUP, identity::vhangup),
    (nr::SELECT, poll::select),
    (nr::PSELECT6, poll::pselect6),
    (nr::PREADV, file_io::preadv),
    (nr::PWRITEV, file_io::pwritev),
    (nr::PREADV2, file_io::preadv2),
    (nr::PWRITEV2, file_io::pwritev2),
    (nr::SENDFILE, file_content::sendfile),
    (nr::COPY_FILE_RANGE, file_content::copy_file_range),
    (nr::TRUNCATE, file_content::truncate),
    (nr::FTRUNCATE, file_content::ftruncate),
    (nr::FALLOCATE, file_content::fallocate),
    (nr::FSYNC, file_content::fsync),
    (nr::FDATASYNC, file_content::fsync),
    (nr::SYNCFS, file_content::fsync),
    (nr::SYNC, file_content::sync),
    (nr::FADVISE64, file_content::nothing_for_file),
    (nr::READAHEAD, file_content::nothing_for_file),
    (nr::FLOCK, file_content::nothing_for_file),
    (nr::EVENTFD, file_content::eventfd),
    (nr::EVENTFD2, file_content::eventfd2),
    (nr::USERFAULTFD, userfault::userfaultfd),
    (nr::MEMFD_CREATE, file_mapping::memfd_create),
    (nr::STATX, file_status::statx),
    (nr::STATFS, file_status::statfs),
    (nr::FSTATFS, file_status::fstatfs),
    (nr::CLOSE_RANGE, file::close_range),
    (nr::FCHDIR, file_names::fchdir),
    (nr::MKDIR, file_names::mkdir),
    (nr::MKDIRAT, file_names::mkdirat),
    (nr::RMDIR, file_names::rmdir),
    (nr::UNLINK, file_names::unlink),
    (nr::UNLINKAT, file_names::unlinkat),
    (nr::RENAME, file_names::rename),
    (nr::RENAMEAT, file_names::renameat),
    (nr::RENAMEAT2, file_names::renameat2),
    (nr::LINK, file_names::link),
    (nr::LINKAT, file_names::linkat),
    (nr::SYMLINK, file_names::symlink),
    (nr::SYMLINKAT, file_names::symlinkat),
    (nr::MKNOD, file_names::mknod),
    (nr::MKNODAT, file_names::mknodat),
    (nr::CHMOD, file_names::chmod),
    (nr::FCHMOD, file_names::fchmod),
    (nr::FCHMODAT, file_names::fchmodat),
    (nr::FCHMODAT2, file_names::fchmodat2),
    (nr::CHOWN, file_names::chown),
    (nr::LCHOWN, file_names::lchown),
    (nr::FCHOWN, file_names::fchown),
    (nr::FCHOWNAT, file_names::fchownat),
    (nr::UTIMES, file_names::utimes),
    (nr::UTIMENSAT, file_names::utimensat),
    (nr::UMASK, file_names::umask),
];

/// One more than the highest number that Linux has.
const COUNT: usize = 512;

static TABLE: [Handler; COUNT] = table();

const fn table() -> [Handler; COUNT] {
    let mut is_there = [false; COUNT];
    let mut table: [Handler; COUNT] = [unknown; COUNT];
    let mut index = 0;
    while index < CALLS.len() {
        let (number, handler) = CALLS[index];
        assert!(!is_there[number as usize], "a system call is listed twice");
        is_there[number as usize] = true;
        table[number as usize] = handler;
        index += 1;
    }
    table
}

/// Makes system call `number`; what goes into `rax`.
#[inline]
pub(crate) fn dispatch(thread: &mut Thread, number: u64, arguments: &Arguments) -> u64 {
    thread.call = number;
    // The number is an `int` on Linux: the upper half of `rax` does not count.
    match TABLE.get(number as u32 as usize) {
        Some(handler) => handler(thread, arguments),
        None => unknown(thread, arguments),
    }
}

#[cold]
fn unknown(thread: &mut Thread, _: &Arguments) -> u64 {
    log_unknown(thread.call as u32);
    Errno::ENOSYS.to_return_value()
}

/// Bit n: number n was logged.
static LOGGED: [AtomicU64; COUNT / 64] = [const { AtomicU64::new(0) }; COUNT / 64];

/// Logs each unknown number once; those that Linux has not either, under one.
fn log_unknown(number: u32) {
    let bit = (number as usize).min(COUNT - 1);
    if LOGGED[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed) & 1 << (bit % 64) == 0 {
        let name = nr::name(u64::from(number)).unwrap_or("no such call");
        log::warn!("system call {number} ({name}) is not there: ENOSYS");
    }
}
