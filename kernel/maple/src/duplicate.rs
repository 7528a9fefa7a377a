//! Copying a whole tree, for fork.

use core::ops::Range;

use crate::{
    geometry::{LEVELS, LIMIT, NARROW},
    node::{Chain, Children, Inner, Item, Kind, Leaf, Link, pack_inner},
    path::Path,
    reserve::{NoMemory, Store},
    source::NodeSource,
    tree::{Token, Tree},
};

/// Why a duplication failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateError<E> {
    /// The node source has no memory.
    NoMemory,
    /// The mapping of a value failed.
    Value(E),
}

impl<E> From<NoMemory> for DuplicateError<E> {
    fn from(NoMemory: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl<'m, T, S: NodeSource> Tree<'m, T, S> {
    /// Copies this tree into the empty tree `into`, node by node. `map` is called for each entry in ascending order and
    /// gives the copy's value, or `None` for an entry that the copy shall not have.
    ///
    /// # Errors
    /// No memory, or the first error of `map`. Then `into` is empty; what `map` has made is its owner's to take back.
    ///
    /// # Panics
    /// If `into` is not empty.
    pub fn duplicate<E>(
        &self,
        token: &Token<'m, T, S>,
        into: &Self,
        into_token: &mut Token<'m, T, S>,
        map: impl FnMut(Range<u64>, &'m T) -> Result<Option<&'m T>, E>,
    ) -> Result<(), DuplicateError<E>> {
        assert!(token.names(self) && into_token.names(into), "a token shown belongs to another tree");
        assert!(into.is_empty(), "the destination of a duplicate is not empty");
        let Some(root) = self.root() else { return Ok(()) };
        let mut copy = Copy { into, prepared: Chain::new(), left_out: 0, map };
        match copy.subtree(root) {
            Ok(root) => {
                into.publish_root(Some(root), self.height());
                into.changed(self.len());
            }
            Err(error) => {
                into.rcu().give_back(copy.prepared);
                return Err(error);
            }
        }
        let left_out = copy.left_out;
        erase_left_out(into, into_token, left_out).map_err(|NoMemory| {
            into.clear(into_token);
            DuplicateError::NoMemory
        })
    }
}

/// A copy on its way.
struct Copy<'t, 'm, T, S: NodeSource, F> {
    into: &'t Tree<'m, T, S>,
    prepared: Chain,
    /// Entries that were copied without a value.
    left_out: usize,
    map: F,
}

impl<'m, T, S, F, E> Copy<'_, 'm, T, S, F>
where
    S: NodeSource,
    F: FnMut(Range<u64>, &'m T) -> Result<Option<&'m T>, E>,
{
    /// Copies the nodes at and below `root`, parents first: a copied inner node leads to the old children until those are
    /// copied.
    fn subtree(&mut self, root: Link<'m, T>) -> Result<Link<'m, T>, DuplicateError<E>> {
        let mut stack: [Option<(Inner<'m, T>, usize)>; LEVELS] = [None; LEVELS];
        let mut depth = 0usize;
        let mut old = root;
        let mut new_root = None;
        loop {
            let new = match old.kind() {
                Kind::Leaf(leaf) => self.leaf(leaf)?.link(),
                Kind::Inner(inner) => self.inner(inner)?.link(),
            };
            new_root.get_or_insert(new);
            if let Some((parent, index)) = depth.checked_sub(1).and_then(|top| stack[top]) {
                parent.set_child(index, new);
            }
            if let Kind::Inner(inner) = new.kind() {
                stack[depth] = Some((inner, 0));
                depth += 1;
                old = inner.child(0);
                continue;
            }
            loop {
                let Some((parent, index)) = depth.checked_sub(1).and_then(|top| stack[top].as_mut()) else {
                    return Ok(new_root.unwrap_or(new));
                };
                *index += 1;
                if *index < parent.count() {
                    old = parent.child(*index);
                    break;
                }
                depth -= 1;
            }
        }
    }

    fn leaf(&mut self, leaf: Leaf<'m, T>) -> Result<Leaf<'m, T>, DuplicateError<E>> {
        let mut items = [Item::EMPTY; NARROW];
        let mut count = 0;
        for item in (0..leaf.count()).map(|index| leaf.item(index)) {
            // A vacant entry stays behind.
            let Some(entry) = item.entry else { continue };
            let entry = (self.map)(item.start..item.end, entry).map_err(DuplicateError::Value)?;
            self.left_out += usize::from(entry.is_none());
            items[count] = Item { entry, ..item };
            count += 1;
        }
        let memory = self.into.rcu().allocate().ok_or(NoMemory)?;
        Ok(Leaf::build(memory, &mut self.prepared, &items[..count]))
    }

    fn inner(&mut self, inner: Inner<'m, T>) -> Result<Inner<'m, T>, DuplicateError<E>> {
        let memory = self.into.rcu().allocate().ok_or(NoMemory)?;
        let count = inner.count();
        let all = [Children::Run { inner, from: 0, to: count }];
        Ok(pack_inner(memory, &mut self.prepared, &all, &(0..count), inner.key(count)).0)
    }
}

/// Erases the entries that were copied without a value.
fn erase_left_out<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    token: &mut Token<'m, T, S>,
    left_out: usize,
) -> Result<(), NoMemory> {
    let mut path = Path::new();
    let mut page = 0;
    for _ in 0..left_out {
        let item = loop {
            let high = path.walk(tree, page).bounds().end;
            let Some(leaf) = path.leaf else { return Ok(()) };
            let mut items = (0..leaf.count()).map(|index| leaf.item(index));
            // Unlike a vacant entry it has pages.
            if let Some(item) = items.find(|item| item.entry.is_none() && item.start < item.end) {
                break item;
            }
            page = high;
            if page == LIMIT {
                return Ok(());
            }
        };
        let mut cursor = tree.cursor_mut(token, item.start);
        let reservation = cursor.reserve(item.start..item.end, Store::Erase)?;
        cursor.store(reservation, None);
        page = item.start;
    }
    Ok(())
}
