//! fork.

use super::{Advice, AnonGroup, Locking, Model, Registered};

impl Model {
    /// The address space of a child, process `number`: the same, but nothing is locked, what was written to has a group of its
    /// own for each area, and some areas are left out or begin empty.
    pub(super) fn fork(&self, number: u64) -> Model {
        let mut child =
            Model { number, next_object: 0, next_group: 0, future: Locking::None, ..self.clone() };
        for area in self.areas() {
            if area.attributes.advice.contains(Advice::DONTFORK) {
                child.remove(area.start, area.end);
            } else if area.attributes.advice.contains(Advice::WIPEONFORK) {
                child.empty(area.start, area.end);
                child.guards.retain(|page| !(area.start..area.end).contains(page));
                child.leave_group(area.start);
            }
        }
        for area in child.areas.values_mut() {
            area.attributes.locking = Locking::None;
            area.attributes.registered = Registered::default();
            if let Some(group) = &mut area.group {
                child.next_group += 1;
                *group = AnonGroup { number: child.next_group, inherited: true };
            }
        }
        child.protected.clear();
        child
    }

    /// The name of the next shared object, unique in the system.
    pub(super) fn object_name(&self) -> u64 {
        self.number << 32 | self.next_object
    }
}
