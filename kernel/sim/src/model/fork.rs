//! fork.

use super::{AnonGroup, Model};

impl Model {
    /// The address space of a child, process `number`: the same, but nothing is locked, and what was written to has a group
    /// of its own for each area.
    pub(super) fn fork(&self, number: u64) -> Model {
        let mut child = Model { number, next_object: 0, next_group: 0, ..self.clone() };
        for area in child.areas.values_mut() {
            area.attributes.locked = false;
            if let Some(group) = &mut area.group {
                child.next_group += 1;
                *group = AnonGroup { number: child.next_group, inherited: true };
            }
        }
        child
    }

    /// The name of the next shared object, unique in the system.
    pub(super) fn object_name(&self) -> u64 {
        self.number << 32 | self.next_object
    }
}
