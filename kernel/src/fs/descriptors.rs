//! The descriptor table of a process: small numbers that stand for open files.

use alloc::vec::Vec;

use abi::Errno;

use super::open::FileId;

/// What becomes of a descriptor at `execve` (`FD_CLOEXEC`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnExec {
    /// It stays open.
    Keep,
    /// It is closed.
    Close,
}

/// One descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Descriptor {
    /// The open file.
    pub(crate) file: FileId,
    /// The descriptor flag.
    pub(crate) on_exec: OnExec,
}

/// The table. The owner counts references to open files: each entry holds one.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    entries: Vec<Option<Descriptor>>,
}

impl Descriptors {
    /// No descriptors.
    pub(crate) const fn new() -> Descriptors {
        Descriptors { entries: Vec::new() }
    }

    /// One more than the highest number that was ever open.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The descriptor with this number; `EBADF` if it is not open.
    pub(crate) fn get(&self, number: i32) -> Result<Descriptor, Errno> {
        usize::try_from(number).ok().and_then(|index| *self.entries.get(index)?).ok_or(Errno::EBADF)
    }

    /// The lowest free number from `lowest` on and below `limit`; `EMFILE` if there is none, `ENOMEM` if the
    /// table cannot grow. The slot is ready: the [`set`](Self::set) that follows succeeds.
    pub(crate) fn reserve_lowest(&mut self, lowest: usize, limit: usize) -> Result<usize, Errno> {
        let free = (lowest..self.entries.len()).find(|&index| self.entries[index].is_none());
        let number = free.unwrap_or(self.entries.len().max(lowest));
        if number >= limit {
            return Err(Errno::EMFILE);
        }
        self.reserve(number)?;
        Ok(number)
    }

    /// Makes sure that the table has this slot; `ENOMEM`.
    pub(crate) fn reserve(&mut self, number: usize) -> Result<(), Errno> {
        if number >= self.entries.len() {
            let more = number + 1 - self.entries.len();
            self.entries.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.entries.resize(number + 1, None);
        }
        Ok(())
    }

    /// Writes a reserved slot and returns what was in it.
    pub(crate) fn set(&mut self, number: usize, descriptor: Descriptor) -> Option<Descriptor> {
        self.entries.get_mut(number)?.replace(descriptor)
    }

    /// Sets the descriptor flag; `EBADF`.
    pub(crate) fn set_on_exec(&mut self, number: i32, on_exec: OnExec) -> Result<(), Errno> {
        let descriptor = Descriptor { on_exec, ..self.get(number)? };
        self.entries[number as usize] = Some(descriptor);
        Ok(())
    }

    /// Frees a number and returns what it stood for; `EBADF`.
    pub(crate) fn remove(&mut self, number: i32) -> Result<Descriptor, Errno> {
        let descriptor = self.get(number)?;
        self.entries[number as usize] = None;
        Ok(descriptor)
    }
}
