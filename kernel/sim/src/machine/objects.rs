//! The oracle of shared objects: reads them as raw words, and shares no code with `mm`.

use std::collections::BTreeMap;

use mm::frame::{Frame, FrameKind};
use mm::platform::Platform;

use super::Machine;
use super::walker::frame_of;

/// Entries of the root of an object; further words of it are none.
const ROOT_ENTRIES: usize = 256;
const ENTRIES: usize = 512;

/// Which frames are in objects.
pub(super) struct Contents {
    /// By frame: how many objects have it as a page.
    pub(super) pages: Vec<u32>,
    /// By frame: whether it is a node.
    pub(super) is_node: Vec<bool>,
}

impl Machine {
    /// Every object has as many references as VMAs map it, and its nodes and pages are its alone. `maps` has the root of
    /// the object of every VMA that maps one.
    pub(super) fn check_objects(&self, maps: impl Iterator<Item = Frame>) -> Contents {
        let mut contents =
            Contents { pages: vec![0; self.arena.len()], is_node: vec![false; self.arena.len()] };
        let mut vmas: BTreeMap<Frame, u32> = BTreeMap::new();
        // The file is there of its own accord.
        let file = super::lock(&self.file).map(|file| file.root());
        file.into_iter().chain(maps).for_each(|root| *vmas.entry(root).or_default() += 1);
        for (&root, &count) in &vmas {
            let references = self.frames().reference_count(root);
            if references != count {
                self.violate(format!("the object at {root:?} has {references} references, but {count} vmas"));
            }
            self.check_node(u64::from(root.number()), ROOT_ENTRIES, &mut contents);
        }
        let live = self.objects().live();
        if live != vmas.len() as u64 {
            self.violate(format!("there are {live} objects, but {} are mapped", vmas.len()));
        }
        contents
    }

    /// Offset and first word of every page that the object with this root has.
    pub(crate) fn words_of_object(&self, root: u64) -> Vec<(u64, u64)> {
        let mut words = Vec::new();
        self.words_below(root, ROOT_ENTRIES, 0, &mut words);
        words
    }

    fn words_below(&self, node: u64, entries: usize, node_offset: u64, words: &mut Vec<(u64, u64)>) {
        for index in 0..entries {
            let entry = self.arena.load(node, index);
            let (frame, offset) = (frame_of(entry), node_offset * ENTRIES as u64 + index as u64);
            if entry == 0 {
                continue;
            }
            match self.kind_of(frame) {
                FrameKind::Object => self.words_below(frame, ENTRIES, offset, words),
                _ => words.push((offset, self.arena.load(frame, 0))),
            }
        }
    }

    fn check_node(&self, node: u64, entries: usize, contents: &mut Contents) {
        if self.kind_of(node) != FrameKind::Object {
            self.violate(format!("frame {node:#x} is {:?}, but a node of an object", self.kind_of(node)));
            return;
        }
        if std::mem::replace(&mut contents.is_node[node as usize], true) {
            self.violate(format!("frame {node:#x} is a node of an object twice"));
            return;
        }
        for entry in (0..entries).map(|index| self.arena.load(node, index)).filter(|entry| *entry != 0) {
            let frame = frame_of(entry);
            match self.kind_of(frame) {
                FrameKind::Object => self.check_node(frame, ENTRIES, contents),
                FrameKind::Shared | FrameKind::Cache => contents.pages[frame as usize] += 1,
                kind => self.violate(format!("frame {frame:#x} of an object is {kind:?}")),
            }
        }
    }
}
