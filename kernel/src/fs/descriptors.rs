//! The descriptor table of a process: small numbers that stand for open files.

use alloc::vec::Vec;

use abi::Errno;

use super::open::OpenFile;
use crate::arch::shared::Shared;

/// What becomes of a descriptor at `execve` (`FD_CLOEXEC`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnExec {
    /// It stays open.
    Keep,
    /// It is closed.
    Close,
}

/// One descriptor.
#[derive(Clone)]
pub(crate) struct Descriptor {
    /// The open file.
    pub(crate) file: Shared<OpenFile>,
    /// The descriptor flag.
    pub(crate) on_exec: OnExec,
}

/// The table.
pub(crate) struct Descriptors {
    entries: Vec<Option<Descriptor>>,
    /// Numbers at and above this one are refused (`RLIMIT_NOFILE`).
    pub(crate) limit: usize,
}

impl Descriptors {
    /// No descriptors.
    pub(crate) const fn new(limit: usize) -> Descriptors {
        Descriptors { entries: Vec::new(), limit }
    }

    /// A table with the same open files. Errors: `ENOMEM`.
    pub(crate) fn try_clone(&self) -> Result<Descriptors, Errno> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(self.entries.len()).map_err(|_| Errno::ENOMEM)?;
        entries.extend(self.entries.iter().cloned());
        Ok(Descriptors { entries, limit: self.limit })
    }

    /// The numbers that are open, ascending. Errors: `ENOMEM`.
    pub(crate) fn numbers(&self) -> Result<Vec<i32>, Errno> {
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(self.entries.len()).map_err(|_| Errno::ENOMEM)?;
        let open = self.entries.iter().enumerate().filter(|(_, entry)| entry.is_some());
        numbers.extend(open.map(|(number, _)| number as i32));
        Ok(numbers)
    }

    /// Takes out those that `execve` closes.
    pub(crate) fn take_closed_by_exec(&mut self) -> Option<Descriptor> {
        let closes = |entry: &&mut Option<Descriptor>| {
            entry.as_ref().is_some_and(|descriptor| descriptor.on_exec == OnExec::Close)
        };
        self.entries.iter_mut().find(closes)?.take()
    }

    /// The descriptor with this number; `EBADF` if it is not open.
    pub(crate) fn get(&self, number: i32) -> Result<&Descriptor, Errno> {
        let entry = usize::try_from(number).ok().and_then(|index| self.entries.get(index));
        entry.and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// The lowest free number from `lowest` on and below the limit; `EMFILE` if there is none, `ENOMEM` if the
    /// table cannot grow. The slot is ready: the [`set`](Self::set) that follows succeeds.
    pub(crate) fn reserve_lowest(&mut self, lowest: usize) -> Result<usize, Errno> {
        let free = (lowest..self.entries.len()).find(|&index| self.entries[index].is_none());
        let number = free.unwrap_or(self.entries.len().max(lowest));
        if number >= self.limit {
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
            self.entries.resize_with(number + 1, || None);
        }
        Ok(())
    }

    /// Writes a reserved slot and returns what was in it.
    pub(crate) fn set(&mut self, number: usize, descriptor: Descriptor) -> Option<Descriptor> {
        self.entries.get_mut(number)?.replace(descriptor)
    }

    /// Sets the descriptor flag; `EBADF`.
    pub(crate) fn set_on_exec(&mut self, number: i32, on_exec: OnExec) -> Result<(), Errno> {
        let file = self.get(number)?.file.clone();
        self.set(number as usize, Descriptor { file, on_exec });
        Ok(())
    }

    /// Frees a number and returns what it stood for; `EBADF`.
    pub(crate) fn remove(&mut self, number: i32) -> Result<Descriptor, Errno> {
        self.get(number)?;
        self.entries[number as usize].take().ok_or(Errno::EBADF)
    }
}
