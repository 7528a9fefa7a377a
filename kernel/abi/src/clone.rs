//! Flags of `clone(2)`.

/// The address space is shared.
pub const CLONE_VM: u64 = 0x100;
/// The current directory is shared.
pub const CLONE_FS: u64 = 0x200;
/// The descriptors are shared.
pub const CLONE_FILES: u64 = 0x400;
/// The signal actions are shared.
pub const CLONE_SIGHAND: u64 = 0x800;
/// A descriptor for the new process is wanted.
pub const CLONE_PIDFD: u64 = 0x1000;
/// The parent waits until the child has another program, or has ended.
pub const CLONE_VFORK: u64 = 0x4000;
/// The parent is that of the caller.
pub const CLONE_PARENT: u64 = 0x8000;
/// A thread of the caller's process.
pub const CLONE_THREAD: u64 = 0x1_0000;
/// Undo lists of System V semaphores are shared.
pub const CLONE_SYSVSEM: u64 = 0x4_0000;
/// The base of FS is given.
pub const CLONE_SETTLS: u64 = 0x8_0000;
/// The number goes to the parent's memory.
pub const CLONE_PARENT_SETTID: u64 = 0x10_0000;
/// At the end of the thread a 0 goes to its memory, and a futex there is woken.
pub const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;
/// The number goes to the child's memory.
pub const CLONE_CHILD_SETTID: u64 = 0x100_0000;
/// All flags that ask for new name spaces: mounts, control groups, names, IPC, users, processes, network.
pub const CLONE_NEW: u64 =
    0x2_0000 | 0x200_0000 | 0x400_0000 | 0x800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
/// The lowest byte of `clone`'s flags is the signal that the parent gets.
pub const CSIGNAL: u64 = 0xff;
/// A flag without a meaning today.
pub const CLONE_DETACHED: u64 = 0x40_0000;
/// Handlers of the parent's are not kept (`clone3` only).
pub const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// All flags that `clone3` knows here: those above, a control group aside, and those that change nothing (`CLONE_PTRACE`,
/// `CLONE_UNTRACED`, `CLONE_IO`).
pub const CLONE_KNOWN: u64 = 0xffff_ff00 | CLONE_CLEAR_SIGHAND;
