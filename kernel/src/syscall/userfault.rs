//! `userfaultfd(2)` and its requests (`ioctl_userfaultfd(2)`).
//!
//! What does not work is not offered: events, shared memory and files, pages of files that are there already.

use abi::Errno;
use abi::fs::{O_CLOEXEC, O_NONBLOCK};
use abi::userfaultfd::*;
use mm::frame::Frame;
use mm::space::{Fill, WriteProtection};
use mm::userfault::Registration;
use mm::vma::VmaFlags;
use mm::{MmError, PAGE_SIZE};

use super::Arguments;
use super::user::{UserPtr, UserSlice, UserValue, user_struct};
use crate::arch::direct_map;
use crate::arch::shared::Shared;
use crate::fs::userfault::Userfaults;
use crate::process::{Space, Thread};
use crate::sched::{self, Attention};

user_struct!(UffdioApi { api, features, ioctls });
user_struct!(UffdioRange { start, len });
user_struct!(UffdioRegister { range, mode, ioctls });
user_struct!(UffdioCopy { dst, src, len, mode, copy });
user_struct!(UffdioZeropage { range, mode, zeropage });
user_struct!(UffdioWriteprotect { range, mode });

/// The features that there are.
const FEATURES: u64 = UFFD_FEATURE_PAGEFAULT_FLAG_WP
    | UFFD_FEATURE_SIGBUS
    | UFFD_FEATURE_THREAD_ID
    | UFFD_FEATURE_EXACT_ADDRESS;

/// `userfaultfd(2)`.
pub(super) fn userfaultfd(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open(thread, arguments.u32(0))
}

/// A new descriptor. Errors: `EINVAL`, `ENOMEM`, `EMFILE`.
pub(super) fn open(thread: &mut Thread, flags: u32) -> Result<u64, Errno> {
    if flags & !(UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let faults = Userfaults::new(&thread.space, flags & UFFD_USER_MODE_ONLY != 0)?;
    Ok(thread.files.userfaults(faults, flags)? as u64)
}

/// A request. Errors: `EINVAL` for one that there is not, and for all but the agreement before that; `EFAULT`; those of the
/// request.
pub(super) fn ioctl(faults: &Userfaults, request: u64, address: u64) -> Result<(), Errno> {
    match request {
        UFFDIO_API => agree(faults, &UserPtr::new(address)),
        _ if !faults.has_agreed() => Err(Errno::EINVAL),
        UFFDIO_REGISTER => register(faults, address),
        UFFDIO_UNREGISTER => {
            let UffdioRange { start, len } = UserPtr::new(address).read()?;
            let space = faults.space().ok_or(Errno::ENOMEM)?;
            Ok(space.unregister_userfaults(start, len, faults.context())?)
        }
        UFFDIO_WAKE => {
            let range: UffdioRange = UserPtr::new(address).read()?;
            // Nobody waits in memory that has gone.
            faults.space().map_or(Ok(()), |space| wake(faults, &space, range))
        }
        UFFDIO_COPY => copy(faults, address),
        UFFDIO_ZEROPAGE => zero(faults, address),
        UFFDIO_WRITEPROTECT => write_protect(faults, &UserPtr::new(address)),
        _ => Err(Errno::EINVAL),
    }
}

fn agree(faults: &Userfaults, pointer: &UserPtr<UffdioApi>) -> Result<(), Errno> {
    let wanted = pointer.read()?;
    if wanted.api != UFFD_API || wanted.features & !FEATURES != 0 {
        pointer.write(&UffdioApi::default())?;
        return Err(Errno::EINVAL);
    }
    pointer.write(&UffdioApi { features: FEATURES, ioctls: UFFD_API_IOCTLS, ..wanted })?;
    faults.agree(wanted.features).or_else(|error| {
        pointer.write(&UffdioApi::default())?;
        Err(error)
    })
}

fn register(faults: &Userfaults, address: u64) -> Result<(), Errno> {
    // The last field is written only.
    let [start, len, mode] = UserPtr::<[u64; 3]>::new(address).read()?;
    let mut modes = VmaFlags::empty();
    modes.set(VmaFlags::UFFD_MISSING, mode & UFFDIO_REGISTER_MODE_MISSING != 0);
    modes.set(VmaFlags::UFFD_WP, mode & UFFDIO_REGISTER_MODE_WP != 0);
    if mode == 0 || mode & !(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP) != 0 {
        return Err(Errno::EINVAL);
    }
    let space = faults.space().ok_or(Errno::ENOMEM)?;
    let registration = Registration { context: faults.context(), modes, handling: faults.handling() };
    space.register_userfaults(start, len, &registration)?;
    let write_protect = if modes.contains(VmaFlags::UFFD_WP) { UFFD_WRITEPROTECT_IOCTL } else { 0 };
    last_field::<UffdioRegister>(address)?.write(&((UFFD_API_RANGE_IOCTLS | write_protect) as i64))
}

fn copy(faults: &Userfaults, address: u64) -> Result<(), Errno> {
    const MODES: u64 = UFFDIO_COPY_MODE_DONTWAKE | UFFDIO_COPY_MODE_WP;
    let [dst, src, len, mode] = UserPtr::<[u64; 4]>::new(address).read()?;
    let space = faults.space().ok_or(Errno::ESRCH)?;
    if len == 0 || src.checked_add(len).is_none() || mode & !MODES != 0 {
        return Err(Errno::EINVAL);
    }
    space.userfault_range(dst, len)?;
    let mut write = |number: u64, frame: Frame| {
        if sched::current().attention() == Attention::Killed {
            return Err(MmError::Interrupted);
        }
        let from = UserSlice::new(src + number * PAGE_SIZE, PAGE_SIZE).map_err(|_| MmError::Fault)?;
        direct_map::with_frame_mut(frame.address().as_u64(), |to| { from }.read(to))
            .map_err(|_| MmError::Fault)
    };
    let fill = Fill::Copy { write: &mut write, protected: mode & UFFDIO_COPY_MODE_WP != 0 };
    let range = UffdioRange { start: dst, len };
    let wakes = mode & UFFDIO_COPY_MODE_DONTWAKE == 0;
    fill_pages(faults, &space, range, fill, wakes, last_field::<UffdioCopy>(address)?)
}

fn zero(faults: &Userfaults, address: u64) -> Result<(), Errno> {
    let [start, len, mode] = UserPtr::<[u64; 3]>::new(address).read()?;
    let space = faults.space().ok_or(Errno::ESRCH)?;
    space.userfault_range(start, len)?;
    if mode & !UFFDIO_ZEROPAGE_MODE_DONTWAKE != 0 {
        return Err(Errno::EINVAL);
    }
    let range = UffdioRange { start, len };
    let wakes = mode & UFFDIO_ZEROPAGE_MODE_DONTWAKE == 0;
    fill_pages(faults, &space, range, Fill::Zeroes, wakes, last_field::<UffdioZeropage>(address)?)
}

/// Fills the pages of `range`, and tells in `result` how many bytes, or why none. Errors: those of the first page; `EAGAIN` if some
/// pages are filled, but not all.
fn fill_pages(
    faults: &Userfaults,
    space: &Shared<Space>,
    range: UffdioRange,
    fill: Fill<'_>,
    wakes: bool,
    result: UserPtr<i64>,
) -> Result<(), Errno> {
    let (pages, filled) = space.fill_userfaults(range.start, range.len, fill);
    let done = pages * PAGE_SIZE;
    if let (0, Err(error)) = (pages, filled) {
        let error = Errno::from(error);
        result.write(&-i64::from(error.number()))?;
        return Err(error);
    }
    let told = result.write(&(done as i64));
    if wakes {
        wake(faults, space, UffdioRange { len: done, ..range })?;
    }
    told?;
    if done < range.len { Err(Errno::EAGAIN) } else { Ok(()) }
}

fn write_protect(faults: &Userfaults, pointer: &UserPtr<UffdioWriteprotect>) -> Result<(), Errno> {
    const MODES: u64 = UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE;
    let UffdioWriteprotect { range, mode } = pointer.read()?;
    let space = faults.space().ok_or(Errno::ESRCH)?;
    space.userfault_range(range.start, range.len)?;
    if mode & !MODES != 0 || mode == MODES {
        return Err(Errno::EINVAL);
    }
    let begins = mode & UFFDIO_WRITEPROTECT_MODE_WP != 0;
    let protection = if begins { WriteProtection::Begin } else { WriteProtection::End };
    space.write_protect_userfaults(range.start, range.len, protection)?;
    if mode == 0 { wake(faults, &space, range) } else { Ok(()) }
}

/// Wakes who waits for pages of `range`. Errors: `EINVAL`.
fn wake(faults: &Userfaults, space: &Space, range: UffdioRange) -> Result<(), Errno> {
    let range = space.userfault_range(range.start, range.len)?;
    space.wake_userfaults(faults.context(), Some(range));
    Ok(())
}

/// Where the last 8 bytes of a `T` at `address` are. Errors: `EFAULT`.
fn last_field<T: UserValue>(address: u64) -> Result<UserPtr<i64>, Errno> {
    Ok(UserPtr::new(address.checked_add(T::SIZE as u64 - 8).ok_or(Errno::EFAULT)?))
}
