//! The tree as text, for logs and bug reports.

use core::fmt;

use crate::{
    geometry::LIMIT,
    path::Path,
    source::NodeSource,
    tree::{Token, Tree},
};

/// See [`Tree::dump`].
pub struct Dump<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    /// Keeps writers out while the dump exists.
    _token: &'t Token<'m, T, S>,
}

impl<'m, T, S: NodeSource> Tree<'m, T, S> {
    /// Text with one line a leaf: child indexes from the root, bounds, form, and the ranges of its entries in pages.
    pub fn dump<'t>(&'t self, token: &'t Token<'m, T, S>) -> Dump<'t, 'm, T, S> {
        assert!(token.names(self), "the token shown belongs to another tree");
        Dump { tree: self, _token: token }
    }
}

impl<T, S: NodeSource> fmt::Display for Dump<'_, '_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = self.tree;
        writeln!(f, "{} entries, height {}, version {}", tree.len(), tree.height(), tree.version())?;
        let mut path = Path::new();
        let mut page = 0;
        while page < LIMIT {
            let bounds = path.walk(tree, page).bounds();
            let Some(leaf) = path.leaf else { break };
            for level in (1..=path.height).rev() {
                write!(f, "{}.", path.index(level))?;
            }
            let form = match () {
                () if leaf.is_narrow() => "narrow",
                () if leaf.is_twin() => "twin",
                () => "wide",
            };
            write!(f, " {:#x}..{:#x} {form}", bounds.start, bounds.end)?;
            if path.height > 0 {
                write!(f, " gap {:#x}", path.node(1).gap(path.index(1)))?;
            }
            for index in 0..leaf.count() {
                let range = leaf.range(index);
                if range.is_empty() {
                    write!(f, " -")?;
                    continue;
                }
                write!(f, " {:x}-{:x}", range.start, range.end)?;
            }
            writeln!(f)?;
            page = bounds.end;
        }
        Ok(())
    }
}
