//! The content of regular files.
//!
//! A file of the ramdisk is read in place. Once it is mapped or written to it has an object ([`mm::object::file`]), whose pages
//! come from the ramdisk when they are touched; a file that a program makes has one from its first byte.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::fs::{F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE};
use mm::PAGE_SIZE;
use mm::object::{FileObject, Origin, Pinned};
use mm::space::Copies;
use spin::Mutex;

use super::transfer::{Sink, Source, put_zeroes};
use crate::arch::direct_map;
use crate::arch::shared::Shared;
use crate::memory::{KERNEL, Kernel};
use crate::process::spaces;
use crate::ramdisk;
use crate::sched;

/// Files are no longer than this (`s_maxbytes`).
pub(crate) const SIZE_MAX: u64 = i64::MAX as u64;

/// Seals that keep what is written.
pub(crate) const WRITE_SEALS: u32 = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

/// The object of a file.
pub(crate) type File = FileObject<'static, Kernel>;

/// Where the bytes are.
#[derive(Clone)]
enum Data {
    /// In the ramdisk.
    Static(&'static [u8]),
    /// In an object.
    Object(Shared<File>),
}

/// The content of a regular file.
pub(crate) struct Content {
    data: Mutex<Data>,
    /// Held by whoever writes or changes the size. User memory is touched under it.
    writing: sched::mutex::Mutex<()>,
    /// `F_SEAL_` bits; changed under `writing`.
    seals: AtomicU32,
}

impl Content {
    /// That of a file of the ramdisk. It can be sealed no more.
    pub(crate) const fn of(bytes: &'static [u8]) -> Content {
        let data = Mutex::new(Data::Static(bytes));
        Content { data, writing: sched::mutex::Mutex::new(()), seals: AtomicU32::new(F_SEAL_SEAL) }
    }

    /// Nothing.
    pub(crate) const fn empty() -> Content {
        Content::of(&[])
    }

    /// Nothing, to be sealed later.
    pub(crate) const fn sealable() -> Content {
        let data = Mutex::new(Data::Static(&[]));
        Content { data, writing: sched::mutex::Mutex::new(()), seals: AtomicU32::new(0) }
    }

    fn data(&self) -> Data {
        self.data.lock().clone()
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        match &*self.data.lock() {
            Data::Static(bytes) => bytes.len() as u64,
            Data::Object(object) => object.size(),
        }
    }

    /// The space it takes, in bytes.
    pub(crate) fn space(&self) -> u64 {
        match self.data() {
            Data::Static(bytes) => (bytes.len() as u64).next_multiple_of(PAGE_SIZE),
            Data::Object(object) => object.resident(0, u64::MAX) * PAGE_SIZE,
        }
    }

    /// Its object, made if there is none yet; `number` is that of the inode. Errors: `ENOMEM`.
    pub(crate) fn object(&self, number: u64) -> Result<Shared<File>, Errno> {
        let bytes = match self.data() {
            Data::Static(bytes) => bytes,
            Data::Object(object) => return Ok(object),
        };
        let origin = ramdisk::offset_of(bytes);
        let object = Shared::new(File::new(
            &KERNEL,
            number,
            origin.map(|place| Origin { place, bytes: bytes.len() as u64 }),
        )?)?;
        if origin.is_none() {
            for (index, piece) in (0..).zip(bytes.chunks(PAGE_SIZE as usize)) {
                let page = object.page_to_write(index)?;
                with_bytes_mut(&page, |page| page[..piece.len()].copy_from_slice(piece));
            }
            object.extend(bytes.len() as u64)?;
        }
        // Somebody else may have been first.
        let mut data = self.data.lock();
        if let Data::Object(object) = &*data {
            return Ok(object.clone());
        }
        *data = Data::Object(object.clone());
        Ok(object)
    }

    /// Its object, if it has one.
    pub(super) fn own_object(&self) -> Option<Shared<File>> {
        match self.data() {
            Data::Static(_) => None,
            Data::Object(object) => Some(object),
        }
    }

    /// Moves bytes from `offset` on to `sink`; returns how many, 0 at the end. Errors: `EFAULT`, `ENOMEM`.
    pub(crate) fn read(&self, offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
        let object = match self.data() {
            Data::Static(bytes) => return copy_out(bytes, offset, sink),
            Data::Object(object) => object,
        };
        let length = object.size().saturating_sub(offset).min(sink.room() as u64);
        let mut done = 0;
        while done < length {
            let at = offset + done;
            let start = (at % PAGE_SIZE) as usize;
            let wanted = (PAGE_SIZE - at % PAGE_SIZE).min(length - done) as usize;
            let moved = match object.page(at / PAGE_SIZE) {
                Ok(Some(page)) => with_bytes(&page, |bytes| sink.put(&bytes[start..start + wanted])),
                Ok(None) => put_zeroes(sink, wanted),
                Err(_) if done > 0 => break,
                Err(error) => return Err(error.into()),
            };
            done += moved as u64;
            if moved < wanted {
                break;
            }
        }
        if done == 0 && length > 0 { Err(Errno::EFAULT) } else { Ok(done as usize) }
    }

    /// The first `bytes.len()` bytes, or fewer if there are not as many; returns how many. Errors: `ENOMEM`.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.read(offset, &mut KernelBuffer { bytes, done: 0 })
    }

    /// Moves bytes from `source` to the file, from `offset` on, or from its end on (`None`); returns where the last one is, and
    /// how many. Errors: `EFAULT`, `ENOMEM`, `EFBIG`, `EPERM` for what is sealed.
    pub(crate) fn write(
        &self,
        number: u64,
        offset: Option<u64>,
        source: &mut dyn Source,
    ) -> Result<(u64, usize), Errno> {
        let length = source.left() as u64;
        let _writing = self.writing.lock();
        let object = self.object(number)?;
        let size = object.size();
        let offset = offset.unwrap_or(size);
        if length == 0 {
            return Ok((offset, 0));
        }
        if offset >= SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let mut length = length.min(SIZE_MAX - offset);
        let seals = self.seals();
        if seals & WRITE_SEALS != 0 {
            return Err(Errno::EPERM);
        }
        if seals & F_SEAL_GROW != 0 && offset + length > size {
            // As on Linux, what fits in the file's pages can still be written.
            if offset >= size {
                return Err(Errno::EPERM);
            }
            length = size - offset;
        }
        let mut done = 0;
        let mut error = Errno::EFAULT;
        while done < length {
            let at = offset + done;
            let start = (at % PAGE_SIZE) as usize;
            let wanted = (PAGE_SIZE - at % PAGE_SIZE).min(length - done) as usize;
            let page = match object.page_to_write(at / PAGE_SIZE) {
                Ok(page) => page,
                Err(problem) => {
                    error = problem.into();
                    break;
                }
            };
            let taken = with_bytes_mut(&page, |bytes| source.take(&mut bytes[start..start + wanted]));
            done += taken as u64;
            if taken < wanted {
                break;
            }
        }
        if done == 0 {
            return Err(error);
        }
        object.extend(offset + done)?;
        Ok((offset + done, done as usize))
    }

    /// Sets the size. Errors: `EFBIG`, `ENOMEM`, `EPERM` for what is sealed.
    pub(crate) fn set_size(&self, number: u64, size: u64) -> Result<(), Errno> {
        if size > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let _writing = self.writing.lock();
        let old = self.size();
        let seal = if size < old { F_SEAL_SHRINK } else { F_SEAL_GROW };
        if size == old {
            return Ok(());
        }
        if self.seals() & seal != 0 {
            return Err(Errno::EPERM);
        }
        let object = self.object(number)?;
        if size > old {
            object.extend(size)?;
        } else {
            object.cut(size, |from| unmap(&object, from..u64::MAX, Copies::Go));
        }
        Ok(())
    }

    /// Makes sure that `[offset, offset + length)` takes space, and unless `keep_size` that the file is that long. Errors: as
    /// [`set_size`](Self::set_size).
    pub(crate) fn allocate(&self, number: u64, offset: u64, length: u64, size: Size) -> Result<(), Errno> {
        let end = offset.checked_add(length).filter(|&end| end <= SIZE_MAX).ok_or(Errno::EFBIG)?;
        let _writing = self.writing.lock();
        let object = self.object(number)?;
        if size == Size::Grows && end > object.size() && self.seals() & F_SEAL_GROW != 0 {
            return Err(Errno::EPERM);
        }
        for index in offset / PAGE_SIZE..end.div_ceil(PAGE_SIZE) {
            object.page_to_write(index).map_err(|_| Errno::ENOSPC)?;
        }
        if size == Size::Grows {
            object.extend(end)?;
        }
        Ok(())
    }

    /// Lets `[offset, offset + length)` read as zeroes, and its whole pages take no space. Errors: `ENOMEM`, `EPERM`.
    pub(crate) fn punch(&self, number: u64, offset: u64, length: u64) -> Result<(), Errno> {
        let end = offset.checked_add(length).filter(|&end| end <= SIZE_MAX).ok_or(Errno::EFBIG)?;
        let _writing = self.writing.lock();
        if self.seals() & WRITE_SEALS != 0 {
            return Err(Errno::EPERM);
        }
        let object = self.object(number)?;
        let (first, last) = (offset.div_ceil(PAGE_SIZE), end / PAGE_SIZE);
        zero(&object, offset, end.min(first * PAGE_SIZE))?;
        zero(&object, offset.max(last * PAGE_SIZE), end)?;
        if first < last {
            object.punch(first, last, |from, to| unmap(&object, from..to, Copies::Stay))?;
        }
        Ok(())
    }

    /// The first data (`true`) or hole from `offset` on, below the end; `None` if there is none.
    pub(crate) fn find(&self, offset: u64, wanted: Extent) -> Option<u64> {
        let size = self.size();
        if offset >= size {
            return None;
        }
        let Data::Object(object) = self.data() else {
            return Some(if wanted == (Extent::Data) { offset } else { size });
        };
        let mut at = offset / PAGE_SIZE;
        let found = loop {
            let next = object.next_resident(at);
            match wanted {
                Extent::Data => break next?,
                Extent::Hole if next != Some(at) => break at,
                Extent::Hole => at += 1,
            }
        };
        Some((found * PAGE_SIZE).max(offset).min(size))
    }

    /// The seals.
    pub(crate) fn seals(&self) -> u32 {
        self.seals.load(Ordering::Acquire)
    }

    /// Adds seals. Errors: `EPERM` if no more may be added; `EBUSY` if the file is mapped to be written, and shall not be.
    pub(crate) fn add_seals(&self, number: u64, seals: u32) -> Result<(), Errno> {
        let _writing = self.writing.lock();
        if self.seals() & F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        let object = self.object(number)?;
        let adds_write = seals & F_SEAL_WRITE != 0 && self.seals() & F_SEAL_WRITE == 0;
        if adds_write && object.is_mapped() && spaces::may_write(object.object_id()) {
            return Err(Errno::EBUSY);
        }
        self.seals.fetch_or(seals, Ordering::AcqRel);
        Ok(())
    }
}

/// Whether a file may become longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// It may.
    Grows,
    /// It does not.
    Stays,
}

/// What is looked for in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// Pages that are there.
    Data,
    /// Pages that are not.
    Hole,
}

/// Unmaps the pages at `offsets` wherever they are mapped.
fn unmap(object: &File, offsets: Range<u64>, copies: Copies) {
    if object.is_mapped() {
        spaces::unmap(object.object_id(), &offsets, copies);
    }
}

/// Stores zeroes in `[start, end)`, where there is a page. Errors: `ENOMEM`.
fn zero(object: &File, start: u64, end: u64) -> Result<(), Errno> {
    if start < end
        && let Some(page) = object.page(start / PAGE_SIZE)?
    {
        let start = start % PAGE_SIZE;
        let length = (end - 1) % PAGE_SIZE + 1 - start;
        with_bytes_mut(&page, |bytes| bytes[start as usize..][..length as usize].fill(0));
    }
    Ok(())
}

fn with_bytes<R>(page: &Pinned<'_, Kernel>, read: impl FnOnce(&[u8]) -> R) -> R {
    direct_map::with_frame(page.frame().address().as_u64(), read)
}

fn with_bytes_mut<R>(page: &Pinned<'_, Kernel>, write: impl FnOnce(&mut [u8]) -> R) -> R {
    direct_map::with_frame_mut(page.frame().address().as_u64(), write)
}

/// Moves the bytes of `content` from `offset` on to `sink`; returns how many. Errors: `EFAULT`.
pub(crate) fn copy_out(content: &[u8], offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
    let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
    let wanted = rest.len().min(sink.room());
    let done = sink.put(&rest[..wanted]);
    if done == 0 && wanted > 0 { Err(Errno::EFAULT) } else { Ok(done) }
}

/// A buffer of the kernel that is read into.
pub(crate) struct KernelBuffer<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) done: usize,
}

impl Sink for KernelBuffer<'_> {
    fn room(&self) -> usize {
        self.bytes.len() - self.done
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.bytes[self.done..self.done + taken].copy_from_slice(&bytes[..taken]);
        self.done += taken;
        taken
    }
}
