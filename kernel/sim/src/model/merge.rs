//! When neighbours become one area.
//!
//! Two adjacent areas merge if their attributes are equal, the offset runs on, and their groups
//! (`anon_vma`) do not forbid it, if they are private: at most one has been written to, and not before a fork, or both
//! belong to the same group.

use super::area::{AnonGroup, Area};
use super::{Model, Sharing};

impl Model {
    /// Whether `left` and `right` may be one area.
    fn can_merge(left: &Area, right: &Area) -> bool {
        left.end == right.start
            && left.attributes == right.attributes
            && left.offset_of(right.start) == right.pgoff
            && groups_agree(left, right)
    }

    /// Stores `area` (whose range is free) and merges it with the areas on both sides; the left one has
    /// precedence where the groups of the outer two disagree.
    pub(crate) fn put_merged(&mut self, area: Area) {
        let left = self.before(area.start).copied().filter(|left| Self::can_merge(left, &area));
        let right = self.areas.get(&area.end).copied().filter(|right| {
            let both = |left: Area| groups_agree(&left, right) && !area.attributes.attached;
            Self::can_merge(&area, right) && left.is_none_or(both)
        });
        let mut merged = area;
        if let Some(right) = right {
            self.areas.remove(&right.start);
            merged.end = right.end;
            merged.group = merged.group.or(right.group);
        }
        if let Some(left) = left {
            merged.start = left.start;
            merged.pgoff = left.pgoff;
            merged.group = left.group.or(merged.group);
        }
        self.put(merged);
    }

    /// Merges `area` (already stored) with the one on its left, if that is allowed.
    pub(crate) fn put_merged_left(&mut self, area: Area) {
        match self.before(area.start).copied().filter(|left| Self::can_merge(left, &area)) {
            Some(left) => self.put(Area { end: area.end, group: left.group.or(area.group), ..left }),
            None => self.put(area),
        }
    }

    /// The group that the first write into `area` joins: that of a neighbour that it could merge with but for
    /// its protection (Linux: `find_mergeable_anon_vma`, the next one before the previous), or a new one.
    pub(crate) fn join_group(&mut self, page: u64) {
        if self.area_at(page).is_some_and(|area| area.attributes.sharing == Sharing::Private) {
            self.found_group(page);
        }
    }

    /// As [`join_group`](Self::join_group), whatever the area is: guards need a group, so that a fork copies them.
    pub(crate) fn found_group(&mut self, page: u64) {
        let Some(area) = self.area_at(page).copied() else { return };
        if area.group.is_some() {
            return;
        }
        let like = |left: &Area, right: &Area| {
            let mut attributes = left.attributes;
            attributes.prot = right.attributes.prot;
            left.end == right.start
                && attributes == right.attributes
                && left.offset_of(right.start) == right.pgoff
        };
        let own = |area: &Area| area.group.filter(|group| !group.inherited);
        let next = self.areas.get(&area.end).filter(|next| like(&area, next)).and_then(own);
        let previous = self.before(area.start).filter(|left| like(left, &area)).and_then(own);
        let group = next.or(previous).unwrap_or_else(|| {
            self.next_group += 1;
            AnonGroup { number: self.next_group, inherited: false }
        });
        self.put(Area { group: Some(group), ..area });
    }

    /// The area at `page` belongs to `group` if it belongs to none yet; without a group named, to the one that the
    /// first write would make it join.
    pub(crate) fn enter_group(&mut self, page: u64, group: Option<AnonGroup>) {
        match (self.area_at(page).copied(), group) {
            (Some(area), Some(_)) if area.group.is_none() => self.put(Area { group, ..area }),
            _ => self.found_group(page),
        }
    }

    /// The area at `page` has not been written to after all.
    pub(crate) fn leave_group(&mut self, page: u64) {
        if let Some(area) = self.area_at(page).copied() {
            self.put(Area { group: None, ..area });
        }
    }
}

fn groups_agree(left: &Area, right: &Area) -> bool {
    if left.attributes.sharing != Sharing::Private {
        return true;
    }
    match (left.group, right.group) {
        (Some(left), Some(right)) => left == right,
        (Some(group), None) | (None, Some(group)) => !group.inherited,
        (None, None) => true,
    }
}
