//! Node memory on a host: for simulations and tests of users of the tree.

extern crate std;

use std::boxed::Box;
use std::sync::{Mutex, PoisonError};

use crate::node::{FreeList, Node};
use crate::source::NodeSource;

/// Free nodes of all [`HostNodes`]; they never go back to the heap.
static FREE: Mutex<FreeList> = Mutex::new(FreeList::new());

/// Takes nodes from the heap and keeps them for the next one who asks; poisons what comes back.
#[derive(Clone, Copy, Default, Debug)]
pub struct HostNodes;

impl NodeSource for HostNodes {
    fn allocate(&self) -> Option<&'static mut Node> {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Some(free.unwrap_or_else(|| Box::leak(Box::new(Node::new()))))
    }

    fn free(&self, node: &'static mut Node) {
        node.poison();
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(node);
    }
}
