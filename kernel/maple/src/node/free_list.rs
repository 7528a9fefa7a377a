//! Free nodes, linked through their own memory: what a [`NodeSource`](crate::NodeSource) keeps.

use core::ptr::{self, NonNull};

use super::{FREED, Node};

/// A stack of free nodes. The owner guards it by a lock.
#[derive(Debug)]
pub struct FreeList {
    /// Begins with the pointer to the next (null at the end) and the mark of freed nodes, so that a reader which still comes
    /// here is noticed.
    first: *mut Node,
}

// SAFETY: the list owns its nodes, wherever it goes.
unsafe impl Send for FreeList {}

impl FreeList {
    /// An empty list.
    pub const fn new() -> Self {
        FreeList { first: ptr::null_mut() }
    }

    /// Takes a node over.
    #[inline]
    pub fn push(&mut self, node: &'static mut Node) {
        let node = ptr::from_mut(node);
        // SAFETY: the node is ours alone, and larger and more aligned than a pointer.
        unsafe { node.cast::<*mut Node>().write(self.first.map_addr(|a| a | FREED)) };
        self.first = node;
    }

    /// Hands the node out that was pushed last.
    #[inline]
    pub fn pop(&mut self) -> Option<&'static mut Node> {
        let node = NonNull::new(self.first)?;
        // SAFETY: it came in by `push`, which wrote the link, and nobody else has it.
        self.first = unsafe { node.cast::<*mut Node>().read() }.map_addr(|a| a & !FREED);
        // SAFETY: as above; it is off the list now, so this is the only reference.
        Some(unsafe { &mut *node.as_ptr() })
    }
}

impl Default for FreeList {
    fn default() -> Self {
        FreeList::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_back_last_in_first_out() {
        let nodes = [(); 3].map(|()| Box::leak(Box::new(Node::new())));
        let addresses = nodes.each_ref().map(|node| ptr::from_ref::<Node>(node));
        let mut list = FreeList::new();
        nodes.into_iter().for_each(|node| list.push(node));
        for address in addresses.into_iter().rev() {
            assert!(ptr::eq(list.pop().expect("a node that was pushed"), address));
        }
        assert!(list.pop().is_none());
    }
}
