//! Free nodes, linked through their own memory: what a [`NodeSource`](crate::NodeSource) keeps.

use core::ptr::{self, NonNull};

use super::{FREED, MARKS, Node};

/// Free nodes. The owner guards them by a lock.
///
/// A stack of stacks, so that a whole list joins another without a walk to its end.
#[derive(Debug)]
pub struct FreeList {
    /// Null when empty. The first word of each node has the next one and perhaps marks: that of freed nodes, so that a
    /// reader which still comes here is noticed.
    first: *mut Node,
    /// Null when there is no other stack. The second word of its first node has the next stack.
    others: *mut Node,
}

// SAFETY: the list owns its nodes, wherever it goes.
unsafe impl Send for FreeList {}

impl FreeList {
    /// An empty list.
    pub const fn new() -> Self {
        Self::of(ptr::null_mut())
    }

    /// The nodes that hang on `first`, linked by their first words, which all belong to the list from now on.
    pub(super) const fn of(first: *mut Node) -> Self {
        FreeList { first, others: ptr::null_mut() }
    }

    /// Takes a node over.
    #[inline]
    pub fn push(&mut self, node: &'static mut Node) {
        let node = ptr::from_mut(node);
        // SAFETY: the node is ours alone, and larger and more aligned than a pointer.
        unsafe { node.cast::<*mut Node>().write(self.first.map_addr(|a| a | FREED)) };
        self.first = node;
    }

    /// Takes all nodes of another list over; they are handed out first.
    #[inline]
    pub fn append(&mut self, nodes: FreeList) {
        let mut others = nodes.others;
        self.put_first(nodes.first);
        while !others.is_null() {
            let next = Self::after(others);
            self.put_first(others);
            others = next;
        }
    }

    /// Puts a stack in front of all.
    #[inline]
    fn put_first(&mut self, first: *mut Node) {
        if first.is_null() {
            return;
        }
        let old = core::mem::replace(&mut self.first, first);
        if !old.is_null() {
            // SAFETY: the node is ours alone, and larger and more aligned than two pointers.
            unsafe { old.cast::<*mut Node>().add(1).write(self.others) };
            self.others = old;
        }
    }

    /// Counts the nodes, one by one.
    pub fn len(&self) -> usize {
        let (mut at, mut others, mut count) = (self.first, self.others, 0);
        loop {
            while !at.is_null() {
                count += 1;
                // SAFETY: a node of the list, whose first word `push` or a chain has written.
                at = unsafe { at.cast::<*mut Node>().read() }.map_addr(|a| a & !MARKS);
            }
            if others.is_null() {
                return count;
            }
            at = others;
            others = Self::after(at);
        }
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.first.is_null() && self.others.is_null()
    }

    /// Hands a node out: of those that came last.
    #[inline]
    pub fn pop(&mut self) -> Option<&'static mut Node> {
        if self.first.is_null() {
            self.turn_to_others();
        }
        let node = NonNull::new(self.first)?;
        // SAFETY: it came in by `push` or in a list, with the link written, and nobody else has it.
        self.first = unsafe { node.cast::<*mut Node>().read() }.map_addr(|a| a & !MARKS);
        // SAFETY: as above; it is off the list now, so this is the only reference.
        Some(unsafe { &mut *node.as_ptr() })
    }

    #[cold]
    fn turn_to_others(&mut self) {
        self.first = self.others;
        if !self.first.is_null() {
            self.others = Self::after(self.first);
        }
    }

    /// The stack behind that of `first`.
    fn after(first: *mut Node) -> *mut Node {
        // SAFETY: the first node of one of the other stacks; `append` has written its second word.
        unsafe { first.cast::<*mut Node>().add(1).read() }
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

    #[test]
    fn a_list_that_was_appended_hands_all_its_nodes_out() {
        let mut list = FreeList::new();
        for length in [0, 3, 0, 2, 1] {
            let mut other = FreeList::new();
            (0..length).for_each(|_| other.push(Box::leak(Box::new(Node::new()))));
            list.append(other);
        }
        let mut outer = FreeList::new();
        outer.push(Box::leak(Box::new(Node::new())));
        outer.append(list);
        assert_eq!(outer.len(), 7);
        let mut seen: Vec<_> =
            std::iter::from_fn(|| outer.pop()).map(|node| ptr::from_mut(node).addr()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 7);
        assert!(outer.is_empty());
        assert_eq!(outer.len(), 0);
    }
}
