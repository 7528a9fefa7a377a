//! Memory for the nodes of VMA trees.

use maple::{FreeList, Node, NodeSource};
use mm::frame::FrameKind;
use spin::Mutex;

use crate::arch::direct_map::{self, NODES_PER_PAGE};

/// Free nodes. Taken under the mmap lock; nothing but the frame allocator is taken inside.
static FREE: Mutex<FreeList> = Mutex::new(FreeList::new());

/// Cuts frames into nodes, and keeps nodes for the next one who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelNodes;

impl NodeSource for KernelNodes {
    #[inline]
    fn allocate(&self) -> Option<&'static mut Node> {
        let mut free = FREE.lock();
        free.pop().or_else(|| refill(&mut free))
    }

    #[inline]
    fn free(&self, node: &'static mut Node) {
        FREE.lock().push(node);
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
