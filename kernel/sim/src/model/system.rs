//! All address spaces of a machine, and the shared objects that they map.

use std::collections::BTreeMap;

use super::access::{Fault, Home, Touch};
use super::{Area, Backing, FILE, FILE_SIZE, Model, PAGE, Settings, Sharing, Words, stored_word};

/// The model of all processes, by number. Numbers are not used again.
#[derive(Clone, Debug)]
pub struct System {
    processes: Vec<Option<Model>>,
    /// How many bytes of the file still come from the store.
    stored: u64,
    /// Size of the file in bytes.
    size: u64,
    /// Words of shared objects that were written, by object and offset in pages.
    shared: BTreeMap<(u64, u64), Words>,
}

impl Default for System {
    fn default() -> Self {
        System { processes: Vec::new(), stored: FILE_SIZE, size: FILE_SIZE, shared: BTreeMap::new() }
    }
}

impl System {
    /// The file gets another size, in bytes: what is beyond the end goes everywhere, and reads as zeroes when it comes again.
    pub fn resize(&mut self, size: u64) {
        self.stored = self.stored.min(size);
        let pages = size.div_ceil(PAGE);
        if size < self.size {
            self.shared.retain(|(object, offset), _| *object != FILE || *offset < pages);
            if let Some(last) = self.shared.get_mut(&(FILE, size / PAGE)) {
                last.retain(|index, _| (*index as u64) * 8 < size % PAGE);
            }
        }
        for model in self.processes.iter_mut().flatten() {
            model.sizes.insert(FILE, pages);
            let is_copy = |area: &&Area| {
                area.attributes.backing == Backing::File && area.attributes.sharing == Sharing::Private
            };
            for area in model.areas.values().filter(is_copy) {
                model.contents.retain(|page, _| {
                    !(area.start..area.end).contains(page) || area.offset_of(*page) < pages
                });
            }
        }
        self.size = size;
    }

    /// A new process with an empty address space, whose heap begins at `brk_start`; its number.
    pub fn spawn(&mut self, settings: Settings, brk_start: u64) -> usize {
        let number = self.processes.len();
        let mut model = Model::new(number as u64, settings);
        model.set_brk_start(brk_start);
        self.processes.push(Some(model));
        number
    }

    /// The address space of a process that lives.
    ///
    /// # Panics
    /// If it does not.
    pub fn process(&self, number: usize) -> &Model {
        self.processes[number].as_ref().expect("the process lives")
    }

    /// As [`process`](Self::process), to be changed.
    ///
    /// # Panics
    /// If the process does not live.
    pub fn process_mut(&mut self, number: usize) -> &mut Model {
        self.processes[number].as_mut().expect("the process lives")
    }

    /// The processes that live, ascending.
    pub fn live(&self) -> impl Iterator<Item = (usize, &Model)> {
        self.processes.iter().enumerate().filter_map(|(number, model)| Some((number, model.as_ref()?)))
    }

    /// Sets `vm.max_map_count`.
    pub fn set_max_map_count(&mut self, count: usize) {
        self.processes.iter_mut().flatten().for_each(|model| model.settings.max_map_count = count);
    }

    /// A new process like `parent`; its number.
    pub fn fork(&mut self, parent: usize) -> usize {
        let number = self.processes.len();
        let child = self.process(parent).fork(number as u64);
        self.processes.push(Some(child));
        number
    }

    /// The end of a process.
    pub fn exit(&mut self, number: usize) {
        self.processes[number] = None;
    }

    /// The word at `address` (a multiple of 8), as a load or fetch finds it.
    ///
    /// # Errors
    /// The fault that kills the process.
    pub fn load(&mut self, process: usize, address: u64, touch: Touch) -> Result<u64, Fault> {
        let home = self.process_mut(process).resolve(address, touch)?;
        self.process_mut(process).note_load(address / PAGE);
        Ok(self.word(process, home, address))
    }

    /// Stores `value` at `address` (a multiple of 8).
    ///
    /// # Errors
    /// The fault that kills the process.
    pub fn store(&mut self, process: usize, address: u64, value: u64) -> Result<(), Fault> {
        let model = self.process_mut(process);
        let home = model.resolve(address, Touch::Write);
        if matches!(home, Ok(_) | Err(Fault::BeyondEnd | Fault::ForProgram)) {
            model.join_group(address / PAGE);
        }
        let home = home?;
        if let Home::Copied(page, offset) = home {
            self.copy(process, page, offset);
        }
        let words = match home {
            Home::Private(page) | Home::Copied(page, _) => {
                self.process_mut(process).contents.entry(page).or_default()
            }
            Home::Shared(object, offset) => self.shared.entry((object, offset)).or_default(),
        };
        words.insert(index(address), value);
        Ok(())
    }

    /// Copies the pages of the file that a call has faulted in to be written.
    pub fn copy_faulted(&mut self, process: usize) {
        let model = self.process_mut(process);
        for page in std::mem::take(&mut model.to_copy) {
            if let Ok(Home::Copied(page, offset)) =
                self.process_mut(process).resolve(page * PAGE, Touch::Write)
            {
                self.copy(process, page, offset);
            }
        }
    }

    /// A process has pages of its own at `own`, and no others, as far as that cannot be told by contents: where it had the
    /// file's page, a copy of that; and where its page is like the file's, that again.
    pub fn adopt_copies(&mut self, process: usize, own: &[u64]) {
        let model = self.process(process);
        let is_private_of_file = |page: &u64| {
            model.area_at(*page).is_some_and(|area| {
                area.attributes.sharing == Sharing::Private && area.attributes.backing == Backing::File
            })
        };
        let copies = |page: &u64| model.contents.contains_key(page);
        let copied = own.iter().copied().filter(|page| is_private_of_file(page) && !copies(page)).collect();
        let others = model.contents.keys().filter(|page| is_private_of_file(page) && !own.contains(page));
        let same: Vec<u64> = others.copied().filter(|page| self.reads_as_the_file(process, *page)).collect();
        let model = self.process_mut(process);
        model.contents.retain(|page, _| !same.contains(page));
        model.to_copy = copied;
        self.copy_faulted(process);
    }

    /// Whether what a process has at `page`, of a private area of the file, is what the file has there.
    fn reads_as_the_file(&self, process: usize, page: u64) -> bool {
        let model = self.process(process);
        let Some(area) = model.area_at(page) else { return false };
        let (offset, words) = (area.offset_of(page), model.contents.get(&page));
        words.is_some_and(|words| {
            (0..(PAGE / 8) as usize)
                .all(|index| words.get(&index).copied().unwrap_or(0) == self.shared_word(FILE, offset, index))
        })
    }

    /// Gives a process a private copy of a page of the file.
    fn copy(&mut self, process: usize, page: u64, offset: u64) {
        let word = |index: usize| (index, self.shared_word(FILE, offset, index));
        let copy = (0..(PAGE / 8) as usize).map(word).collect();
        self.process_mut(process).contents.insert(page, copy);
    }

    /// The word at `address` without any fault, for checks: `None` where nothing is mapped.
    pub fn peek(&self, process: usize, address: u64) -> Option<u64> {
        let home = self.process(process).home_of(address / PAGE)?;
        Some(self.word(process, home, address))
    }

    /// Addresses of all words of a process that were written, are mapped, and can be read.
    pub fn written(&self, process: usize) -> Vec<u64> {
        let model = self.process(process);
        let mut written = Vec::new();
        let mut add = |page: u64, words: &Words| {
            written.extend(words.keys().map(|index| page * PAGE + *index as u64 * 8));
        };
        for area in model.areas().filter(|area| !area.attributes.prot.is_empty()) {
            match area.attributes.sharing {
                Sharing::Private => {
                    let pages = model.contents.range(area.start..area.end);
                    pages.for_each(|(page, words)| add(*page, words));
                }
                Sharing::Shared(object) => {
                    let offsets = (object, area.pgoff)..(object, area.pgoff + area.pages());
                    let pages = self.shared.range(offsets);
                    pages.for_each(|((_, offset), words)| add(area.start + offset - area.pgoff, words));
                }
            }
        }
        written
    }

    /// Empties what a process has said shall be empty, for all that map it.
    pub fn empty_objects(&mut self, process: usize) {
        for (object, offsets) in std::mem::take(&mut self.process_mut(process).emptied) {
            self.shared.retain(|(other, offset), _| *other != object || !offsets.contains(offset));
            if object == FILE {
                // What the store has does not come again.
                let zeroes: Words = (0..(PAGE / 8) as usize).map(|index| (index, 0)).collect();
                let stored = offsets.start..offsets.end.min(self.stored.div_ceil(PAGE));
                self.shared.extend(stored.map(|offset| ((FILE, offset), zeroes.clone())));
            }
        }
    }

    /// Forgets the objects that no process maps any more. The file stays.
    pub fn drop_unmapped_objects(&mut self) {
        let System { processes, shared, .. } = self;
        shared.retain(|(object, _), _| {
            let maps =
                |model: &Model| model.areas().any(|area| area.attributes.sharing == Sharing::Shared(*object));
            *object == FILE || processes.iter().flatten().any(maps)
        });
    }

    fn word(&self, process: usize, home: Home, address: u64) -> u64 {
        match home {
            Home::Private(page) => {
                let words = self.process(process).contents.get(&page);
                words.and_then(|words| words.get(&index(address))).copied().unwrap_or(0)
            }
            Home::Shared(object, offset) | Home::Copied(object, offset) => {
                self.shared_word(object, offset, index(address))
            }
        }
    }

    /// Word `index` of a page of a shared object.
    fn shared_word(&self, object: u64, offset: u64, index: usize) -> u64 {
        let written = self.shared.get(&(object, offset)).and_then(|words| words.get(&index)).copied();
        let place = offset * PAGE + index as u64 * 8;
        let stored = object == FILE && place < self.stored;
        written.unwrap_or(if stored { stored_word(place) } else { 0 })
    }
}

/// Which word of its page is at `address`.
fn index(address: u64) -> usize {
    (address % PAGE / 8) as usize
}
