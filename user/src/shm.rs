//! System V shared memory.

use abi::ipc::{IPC_CREAT, IPC_PRIVATE, IPC_RMID, IPC_STAT, ShmidDs};
use abi::{Errno, nr};

use crate::rt::syscall::{syscall1, syscall3};

/// `shmget`: the identifier.
pub fn shmget(key: i32, size: u64, flags: u32) -> Result<i32, Errno> {
    syscall3(nr::SHMGET, key as u64, size, flags.into()).map(|identifier| identifier as i32)
}

/// A new segment that has no key.
pub fn segment(size: u64) -> i32 {
    shmget(IPC_PRIVATE, size, IPC_CREAT | 0o600).expect("shmget")
}

/// `shmat`: the address.
pub fn shmat(identifier: i32, address: u64, flags: u32) -> Result<u64, Errno> {
    syscall3(nr::SHMAT, identifier as u64, address, flags.into())
}

/// `shmdt`.
pub fn shmdt(address: u64) -> Result<u64, Errno> {
    syscall1(nr::SHMDT, address)
}

/// `shmctl` with a pointer to what the command takes or gives.
pub fn shmctl<T>(identifier: i32, command: u32, argument: &mut T) -> Result<u64, Errno> {
    syscall3(nr::SHMCTL, identifier as u64, command.into(), core::ptr::from_mut(argument) as u64)
}

/// `shmctl` with a command that needs nothing else.
pub fn command(identifier: i32, command: u32) -> Result<u64, Errno> {
    syscall3(nr::SHMCTL, identifier as u64, command.into(), 0)
}

/// What is known of a segment.
pub fn status(identifier: i32) -> Result<ShmidDs, Errno> {
    let mut status = ShmidDs::default();
    shmctl(identifier, IPC_STAT, &mut status).map(|_| status)
}

/// How often a segment is attached.
pub fn attachments(identifier: i32) -> u64 {
    status(identifier).expect("IPC_STAT").nattch
}

/// Lets a segment go.
pub fn remove(identifier: i32) -> Result<u64, Errno> {
    command(identifier, IPC_RMID)
}
