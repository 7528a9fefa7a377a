//! Memory for the nodes of VMA trees.

use maple::{FreeList, Node, NodeSource};
use mm::frame::FrameKind;
use spin::Mutex;

use crate::arch::direct_map::{self, NODES_PER_PAGE};

/// All nodes. Taken under the mmap lock; nothing but the frame allocator is taken inside.
static NODES: Mutex<Nodes> = Mutex::new(Nodes { free: FreeList::new(), cut: 0 });

struct Nodes {
    free: FreeList,
    /// Nodes that frames have been cut into so far, free or not.
    cut: usize,
}

/// Nodes that are handed out now, to trees or waiting for their readers.
#[cfg(feature = "test")]
pub(super) fn in_use() -> u64 {
    let nodes = NODES.lock();
    (nodes.cut - nodes.free.len()) as u64
}

/// Cuts frames into nodes, and keeps nodes for the next one who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelNodes;

impl NodeSource for KernelNodes {
    #[inline]
    fn allocate(&self) -> Option<&'static mut Node> {
        let mut nodes = NODES.lock();
        nodes.free.pop().or_else(|| refill(&mut nodes))
    }

    #[inline]
    fn free(&self, node: &'static mut Node) {
        NODES.lock().free.push(node);
    }

    #[inline]
    fn free_all(&self, nodes: FreeList) {
        NODES.lock().free.append(nodes);
    }
}

/// Cuts another frame into nodes; one of them.
#[cold]
fn refill(all: &mut Nodes) -> Option<&'static mut Node> {
    let frame = super::frames().alloc_frame(FrameKind::Slab)?;
    let nodes: &mut [Node; NODES_PER_PAGE] = direct_map::node_page(frame.address().as_u64());
    nodes.iter_mut().for_each(|node| all.free.push(node));
    all.cut += NODES_PER_PAGE;
    all.free.pop()
}
