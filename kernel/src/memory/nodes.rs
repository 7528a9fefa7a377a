//! Memory for the nodes of VMA trees.

use maple::{FreeList, Node, NodeSource};
use mm::frame::FrameKind;
use spin::Mutex;

use crate::arch::direct_map::{self, NODES_PER_PAGE};

/// All nodes. Taken under the mmap lock; nothing but the frame allocator is taken inside.
static NODES: Mutex<Nodes> = Mutex::new(Nodes { free: FreeList::new(), in_use: 0 });

struct Nodes {
    free: FreeList,
    in_use: u64,
}

/// Nodes that are handed out now, to trees or waiting for their readers.
#[cfg(feature = "test")]
pub(super) fn in_use() -> u64 {
    NODES.lock().in_use
}

/// Cuts frames into nodes, and keeps nodes for the next one who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelNodes;

impl NodeSource for KernelNodes {
    #[inline]
    fn allocate(&self) -> Option<&'static mut Node> {
        let mut nodes = NODES.lock();
        let node = nodes.free.pop().or_else(|| refill(&mut nodes.free))?;
        nodes.in_use += 1;
        Some(node)
    }

    #[inline]
    fn free(&self, node: &'static mut Node) {
        let mut nodes = NODES.lock();
        nodes.in_use -= 1;
        nodes.free.push(node);
    }
}

/// Cuts another frame into nodes; one of them.
#[cold]
fn refill(free: &mut FreeList) -> Option<&'static mut Node> {
    let frame = super::frames().alloc_frame(FrameKind::Slab)?;
    let nodes: &mut [Node; NODES_PER_PAGE] = direct_map::node_page(frame.address().as_u64());
    nodes.iter_mut().for_each(|node| free.push(node));
    free.pop()
}
