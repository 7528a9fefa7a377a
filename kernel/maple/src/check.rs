//! Re-derives every invariant of a tree.

use core::{fmt, ops::Range};

use crate::{
    geometry::{FANOUT, FANOUT_MIN, LEAF_MIN, LEVELS, LIMIT, NARROW, WIDE},
    node::{Inner, Kind, Leaf},
    source::NodeSource,
    tree::{Token, Tree},
};

/// The first broken invariant that [`Tree::check`] met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong.
    pub what: &'static str,
    /// Where the node begins, in pages.
    pub page: u64,
    /// The node's level; leaves are at level 0.
    pub level: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the node of level {} at page {:#x}", self.what, self.level, self.page)
    }
}

/// An inner node whose children are being checked.
struct Open<'m, T> {
    inner: Inner<'m, T>,
    bounds: Range<u64>,
    /// Children checked so far.
    checked: usize,
}

impl<'m, T, S: NodeSource> Tree<'m, T, S> {
    /// Checks order, bounds, fill, gaps, depth, separators and links of every node, and the number of entries.
    ///
    /// # Errors
    /// The first violation, from the left.
    pub fn check(&self, token: &Token<'m, T, S>) -> Result<(), Violation> {
        assert!(token.names(self), "the token shown belongs to another tree");
        let height = self.height();
        let mut entries = 0;
        let mut stack: [Option<Open<'_, T>>; LEVELS] = [const { None }; LEVELS];
        let mut depth = 0;
        let mut at = self.root().map(|root| (root, 0..LIMIT));
        // Largest gap of the node that was left last, for its parent to compare.
        let mut gap;
        while let Some((link, bounds)) = at.take() {
            let level = height.wrapping_sub(depth);
            let fail = |what| Err(Violation { what, page: bounds.start, level });
            if link.is_dead() {
                return fail("dead node");
            }
            match link.kind() {
                Kind::Leaf(_) if level != 0 => return fail("leaf above the lowest level"),
                Kind::Leaf(leaf) => {
                    check_leaf(leaf, &bounds, height == 0).or_else(fail)?;
                    entries += leaf.live();
                    gap = leaf.gap(bounds.start, bounds.end);
                }
                Kind::Inner(_) if level == 0 || level > height => {
                    return fail("inner node at the lowest level");
                }
                Kind::Inner(inner) => {
                    check_inner(inner, &bounds, depth == 0).or_else(fail)?;
                    stack[depth] = Some(Open { inner, bounds, checked: 0 });
                    depth += 1;
                    at = stack[depth - 1].as_ref().map(|open| (inner.child(0), open.inner.bounds(0)));
                    continue;
                }
            }
            while let Some(open) = depth.checked_sub(1).and_then(|top| stack[top].as_mut()) {
                let page = open.bounds.start;
                if open.inner.gap(open.checked) != gap {
                    return Err(Violation { what: "wrong gap of a child", page, level: height + 1 - depth });
                }
                open.checked += 1;
                if open.checked < open.inner.count() {
                    at = Some((open.inner.child(open.checked), open.inner.bounds(open.checked)));
                    break;
                }
                gap = open.inner.max_gap();
                depth -= 1;
            }
        }
        if entries != self.len() {
            return Err(Violation { what: "wrong number of entries", page: 0, level: height });
        }
        Ok(())
    }
}

fn check_leaf<T>(leaf: Leaf<'_, T>, bounds: &Range<u64>, is_root: bool) -> Result<(), &'static str> {
    let count = leaf.count();
    let most = if leaf.is_packed() { NARROW } else { WIDE };
    let least = if is_root { 1 } else { LEAF_MIN };
    if leaf.live() < least {
        return Err("too few entries");
    }
    if count > most {
        return Err("too many entries");
    }
    let (mut end, mut vacant) = (bounds.start, 0);
    for index in 0..count {
        let item = leaf.item(index);
        if item.entry.is_none() && item.start == item.end {
            if index == 0 || item.start != end {
                return Err("vacant entry is not at the end of the one below");
            }
            vacant += 1;
            continue;
        }
        if item.start >= item.end {
            return Err("empty entry");
        }
        if item.start < end {
            return Err("entries out of order or below the bounds");
        }
        if item.entry.is_none() {
            return Err("entry without a value");
        }
        if leaf.search(item.start) != index + 1 || leaf.search(item.end - 1) != index + 1 {
            return Err("search misses an entry");
        }
        end = item.end;
    }
    if vacant != count - leaf.live() {
        return Err("wrong number of vacant entries");
    }
    if end > bounds.end {
        return Err("entry beyond the bounds");
    }
    if bounds.start > 0 && leaf.range(0).start != bounds.start {
        return Err("first entry is not at the separator");
    }
    if leaf.search(LIMIT - 1) != count {
        return Err("unused slot is not empty");
    }
    Ok(())
}

fn check_inner<T>(inner: Inner<'_, T>, bounds: &Range<u64>, is_root: bool) -> Result<(), &'static str> {
    let count = inner.count();
    if count < if is_root { 2 } else { FANOUT_MIN } {
        return Err("too few children");
    }
    if count > FANOUT {
        return Err("too many children");
    }
    if inner.bounds(0).start != bounds.start || inner.bounds(count - 1).end != bounds.end {
        return Err("keys do not say where the node begins and ends");
    }
    if (0..count).any(|index| inner.bounds(index).is_empty()) {
        return Err("keys out of order");
    }
    if !inner.ends_with_its_count() {
        return Err("unused key is not empty");
    }
    Ok(())
}
