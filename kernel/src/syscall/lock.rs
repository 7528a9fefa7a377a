//! Memory that stays: mlock and its kin. The rules are those of `mm::space`.

use abi::Errno;

use super::Arguments;
use crate::process::Thread;

/// `mlock(2)`.
pub(super) fn mlock(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.mlock(arguments.u64(0), arguments.u64(1), 0)?;
    Ok(0)
}

/// `mlock2(2)`.
pub(super) fn mlock2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.mlock(arguments.u64(0), arguments.u64(1), arguments.u32(2).into())?;
    Ok(0)
}

/// `munlock(2)`.
pub(super) fn munlock(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.munlock(arguments.u64(0), arguments.u64(1))?;
    Ok(0)
}

/// `mlockall(2)`.
pub(super) fn mlockall(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.mlockall(arguments.u32(0).into())?;
    Ok(0)
}

/// `munlockall(2)`.
pub(super) fn munlockall(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    thread.space.munlockall()?;
    Ok(0)
}
