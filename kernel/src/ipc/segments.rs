//! Segments of shared memory: an object that lives without being mapped, until somebody says that it may go.
//!
//! ```text
//! identifier = sequence number << 15 | index         index: the lowest free place of the table
//! ```
//!
//! What is attached is a VMA of a kind of its own ([`VmaFlags::ATTACHED`](mm::vma::VmaFlags)): pieces of it never become one again, so
//! the number of VMAs is the number of attachments that the program sees. The memory manager tells of each that comes or goes. The
//! lock of the table is inside of the mmap lock.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use abi::Errno;
use abi::ipc::{
    IPC_CREAT, IPC_EXCL, IPC_PRIVATE, IpcInfo, IpcPerm, SHM_DEST, SHM_HUGETLB, SHM_LOCKED, ShmInfo, ShmidDs,
};
use mm::PAGE_SIZE;
use mm::object::{ObjectId, SharedObject};
use spin::Mutex;

use super::limits::{COUNT_MAX, INDEX_BITS, INDICES, PAGES_MAX, SIZE_MAX};
use crate::memory::{KERNEL, Kernel};
use crate::{sched, time};

/// Permissions in a mode.
const PERMISSIONS: u32 = 0o777;
/// Sequence numbers are below this.
const SEQUENCES: u32 = 1 << (31 - INDEX_BITS);

/// A segment.
struct Segment {
    /// All that programs may ask, but for the number of attachments.
    about: ShmidDs,
    /// The key that it was made with: its name in maps.
    name: i32,
    /// Attachments, and calls that are about to attach it.
    attached: u64,
    object: SharedObject<'static, Kernel>,
}

/// All segments.
struct Table {
    /// By index.
    places: Vec<Option<Segment>>,
    /// The index that was given last.
    last: Option<usize>,
    /// How often that was not above the one before.
    sequence: u32,
    /// Pages of all segments.
    pages: u64,
}

static TABLE: Mutex<Table> = Mutex::new(Table { places: Vec::new(), last: None, sequence: 0, pages: 0 });

/// A segment that is about to be attached; it stays as long as this does.
pub(crate) struct Held {
    /// Its object.
    pub(crate) object: ObjectId,
    /// Its size in bytes.
    pub(crate) size: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let gone = TABLE.lock().detach(self.object);
        drop(gone);
    }
}

impl Segment {
    fn identifier(&self, index: usize) -> i32 {
        (i32::from(self.about.perm.seq) << INDEX_BITS) | index as i32
    }

    fn pages(&self) -> u64 {
        self.about.segsz.div_ceil(PAGE_SIZE)
    }

    fn status(&self) -> ShmidDs {
        ShmidDs { nattch: self.attached, ..self.about }
    }
}

impl Table {
    /// The segments with their indices.
    fn all(&self) -> impl Iterator<Item = (usize, &Segment)> {
        self.places.iter().enumerate().filter_map(|(index, place)| Some((index, place.as_ref()?)))
    }

    /// The segment with this identifier. Errors: `EINVAL`.
    fn get(&mut self, identifier: i32) -> Result<(usize, &mut Segment), Errno> {
        let index = usize::try_from(identifier).map_err(|_| Errno::EINVAL)? % INDICES as usize;
        let segment = self.places.get_mut(index).and_then(Option::as_mut).ok_or(Errno::EINVAL)?;
        if segment.identifier(index) == identifier { Ok((index, segment)) } else { Err(Errno::EINVAL) }
    }

    fn of(&mut self, object: ObjectId) -> Option<(usize, &mut Segment)> {
        let found =
            self.all().find(|(_, segment)| segment.object.object_id() == object).map(|(index, _)| index);
        found.and_then(|index| Some((index, self.places[index].as_mut()?)))
    }

    /// One attachment less. The segment, if it goes with it: to be dropped without the lock.
    fn detach(&mut self, object: ObjectId) -> Option<Segment> {
        let (index, segment) = self.of(object)?;
        segment.attached -= 1;
        self.take_if_unused(index)
    }

    /// Takes out a segment that is to go, and that nobody has attached.
    fn take_if_unused(&mut self, index: usize) -> Option<Segment> {
        let place = &mut self.places[index];
        let goes = |segment: &Segment| segment.attached == 0 && segment.about.perm.mode & SHM_DEST != 0;
        let gone = place.take_if(|segment| goes(segment))?;
        self.pages -= gone.pages();
        Some(gone)
    }

    /// The highest index in use; 0 if none is.
    fn highest(&self) -> u64 {
        self.all().last().map_or(0, |(index, _)| index as u64)
    }
}

fn now() -> i64 {
    time::wall_clock().as_secs() as i64
}

/// The process at work; 0 if none is.
fn own_process() -> i32 {
    sched::current().pid()
}

/// `shmget(2)`: the identifier. Errors: `EINVAL` for a size that is out of range, or more than there is; `ENOENT`, `EEXIST`;
/// `ENOSPC` at a limit; `ENOMEM`.
pub(crate) fn get(key: i32, size: u64, flags: u32) -> Result<i32, Errno> {
    let find = |table: &Table| -> Option<Result<i32, Errno>> {
        let is_wanted =
            |(_, segment): &(usize, &Segment)| key != IPC_PRIVATE && segment.about.perm.key == key;
        let (index, segment) = table.all().find(is_wanted)?;
        Some(match () {
            () if flags & (IPC_CREAT | IPC_EXCL) == IPC_CREAT | IPC_EXCL => Err(Errno::EEXIST),
            () if size > segment.about.segsz => Err(Errno::EINVAL),
            () => Ok(segment.identifier(index)),
        })
    };
    if let Some(found) = find(&TABLE.lock()) {
        return found;
    }
    if key != IPC_PRIVATE && flags & IPC_CREAT == 0 {
        return Err(Errno::ENOENT);
    }
    if size == 0 || size > SIZE_MAX.load(Ordering::Relaxed) {
        return Err(Errno::EINVAL);
    }
    let pages = size.div_ceil(PAGE_SIZE);
    let has_room = |table: &Table| {
        let sum = table.pages.checked_add(pages);
        sum.is_some_and(|sum| sum <= PAGES_MAX.load(Ordering::Relaxed))
    };
    if pages > u64::MAX >> 12 || !has_room(&TABLE.lock()) {
        return Err(Errno::ENOSPC);
    }
    // There are no huge pages to be had.
    if flags & SHM_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    let object = SharedObject::new(&KERNEL, pages)?;
    let mut table = TABLE.lock();
    // Somebody else may have been first.
    if let Some(found) = find(&table) {
        drop(table);
        return found;
    }
    let index = table.places.iter().position(Option::is_none).unwrap_or(table.places.len());
    let room = table.all().count() < COUNT_MAX.load(Ordering::Relaxed) as usize && index < INDICES as usize;
    if !room || !has_room(&table) {
        drop(table);
        return Err(Errno::ENOSPC);
    }
    if index == table.places.len() {
        if table.places.try_reserve(1).is_err() {
            drop(table);
            return Err(Errno::ENOMEM);
        }
        table.places.push(None);
    }
    if table.last.is_some_and(|last| index <= last) {
        table.sequence = (table.sequence + 1) % SEQUENCES;
    }
    table.last = Some(index);
    let perm = IpcPerm { key, mode: flags & PERMISSIONS, seq: table.sequence as u16, ..IpcPerm::default() };
    let about = ShmidDs { perm, segsz: size, ctime: now(), cpid: own_process(), ..ShmidDs::default() };
    let segment = Segment { about, name: key, attached: 0, object };
    let identifier = segment.identifier(index);
    table.places[index] = Some(segment);
    table.pages += pages;
    Ok(identifier)
}

/// The segment with this identifier, to be attached. Errors: `EINVAL`.
pub(crate) fn hold(identifier: i32) -> Result<Held, Errno> {
    let mut table = TABLE.lock();
    let (_, segment) = table.get(identifier)?;
    segment.attached += 1;
    Ok(Held { object: segment.object.object_id(), size: segment.about.segsz })
}

/// A VMA that maps `object` has come.
pub(crate) fn attached(object: ObjectId) {
    let mut table = TABLE.lock();
    let Some((_, segment)) = table.of(object) else { return };
    segment.attached += 1;
    (segment.about.atime, segment.about.lpid) = (now(), own_process());
}

/// A VMA that mapped `object` has gone, and the segment with it if it is to go.
pub(crate) fn detached(object: ObjectId) {
    let mut table = TABLE.lock();
    let Some((_, segment)) = table.of(object) else { return };
    (segment.about.dtime, segment.about.lpid) = (now(), own_process());
    let gone = table.detach(object);
    drop(table);
    drop(gone);
}

/// The size in bytes of the segment with this object; 0 if it is none any more.
pub(crate) fn size_of(object: ObjectId) -> u64 {
    TABLE.lock().of(object).map_or(0, |(_, segment)| segment.about.segsz)
}

/// What is known of a segment. Errors: `EINVAL`.
pub(crate) fn status(identifier: i32) -> Result<ShmidDs, Errno> {
    Ok(TABLE.lock().get(identifier)?.1.status())
}

/// What is known of the segment with this index, and its identifier. Errors: `EINVAL`.
pub(crate) fn status_at(index: i32) -> Result<(ShmidDs, i32), Errno> {
    let table = TABLE.lock();
    let index = usize::try_from(index).map_err(|_| Errno::EINVAL)? % INDICES as usize;
    let segment = table.places.get(index).and_then(Option::as_ref).ok_or(Errno::EINVAL)?;
    Ok((segment.status(), segment.identifier(index)))
}

/// Sets owner and permissions. Errors: `EINVAL`.
pub(crate) fn set(identifier: i32, new: &IpcPerm) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let (_, segment) = table.get(identifier)?;
    if new.uid == u32::MAX || new.gid == u32::MAX {
        return Err(Errno::EINVAL);
    }
    let about = &mut segment.about;
    (about.perm.uid, about.perm.gid, about.ctime) = (new.uid, new.gid, now());
    about.perm.mode = about.perm.mode & !PERMISSIONS | new.mode & PERMISSIONS;
    Ok(())
}

/// Lets a segment go, as soon as nobody has it attached. Its key is nobody's then. Errors: `EINVAL`.
pub(crate) fn remove(identifier: i32) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let (index, segment) = table.get(identifier)?;
    segment.about.perm.mode |= SHM_DEST;
    segment.about.perm.key = IPC_PRIVATE;
    let gone = table.take_if_unused(index);
    drop(table);
    drop(gone);
    Ok(())
}

/// Whether a segment is to stay in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stay {
    /// It stays.
    Locked,
    /// It need not.
    Free,
}

/// Notes whether a segment stays in memory; all do. Errors: `EINVAL`.
pub(crate) fn lock(identifier: i32, stay: Stay) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let mode = &mut table.get(identifier)?.1.about.perm.mode;
    match stay {
        Stay::Locked => *mode |= SHM_LOCKED,
        Stay::Free => *mode &= !SHM_LOCKED,
    }
    Ok(())
}

/// The limits, and the highest index.
pub(crate) fn limits() -> (IpcInfo, u64) {
    let count = u64::from(COUNT_MAX.load(Ordering::Relaxed));
    let info = IpcInfo {
        shmmax: SIZE_MAX.load(Ordering::Relaxed),
        shmmin: 1,
        shmmni: count,
        shmseg: count,
        shmall: PAGES_MAX.load(Ordering::Relaxed),
        unused: [0; 4],
    };
    (info, TABLE.lock().highest())
}

/// What is in use, and the highest index.
pub(crate) fn usage() -> (ShmInfo, u64) {
    let table = TABLE.lock();
    let (mut used_ids, mut shm_rss) = (0, 0);
    for (_, segment) in table.all() {
        used_ids += 1;
        shm_rss += segment.object.resident();
    }
    (ShmInfo { used_ids, shm_tot: table.pages, shm_rss, ..ShmInfo::default() }, table.highest())
}

/// The identifier of the segment whose object has this number, and the key that it was made with.
pub(crate) fn name_of(object: u64) -> Option<(i32, i32)> {
    let table = TABLE.lock();
    let (index, segment) = table.all().find(|(_, segment)| segment.object.number() == object)?;
    Some((segment.identifier(index), segment.name))
}

/// Calls `visit` with identifier, status and pages in memory of every segment, in the order of indices, until it fails.
pub(crate) fn for_each<E>(mut visit: impl FnMut(i32, &ShmidDs, u64) -> Result<(), E>) -> Result<(), E> {
    let table = TABLE.lock();
    let mut all = table.all();
    all.try_for_each(|(index, segment)| {
        visit(segment.identifier(index), &segment.status(), segment.object.resident())
    })
}
