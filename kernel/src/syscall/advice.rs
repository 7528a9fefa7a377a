//! Advice about memory: madvise. The rules are those of `mm::space`.

use abi::Errno;

use super::Arguments;
use crate::process::Thread;

/// `madvise(2)`.
pub(super) fn madvise(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.madvise(arguments.u64(0), arguments.u64(1), arguments.u64(2))?;
    Ok(0)
}
