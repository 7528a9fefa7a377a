//! Where node memory comes from: the crate's one seam.

use crate::node::Node;

/// Hands out the memory of nodes and takes it back.
///
/// Both may be called under the caller's locks; [`free`](NodeSource::free) also runs from [`Rcu::poll`](crate::Rcu::poll)
/// on any CPU. Nodes come back only after their grace period.
pub trait NodeSource {
    /// Memory for one node, or `None` when there is none.
    fn allocate(&self) -> Option<&'static mut Node>;

    /// Takes back memory that [`allocate`](NodeSource::allocate) handed out.
    fn free(&self, node: &'static mut Node);
}

impl<S: NodeSource> NodeSource for &S {
    fn allocate(&self) -> Option<&'static mut Node> {
        (**self).allocate()
    }

    fn free(&self, node: &'static mut Node) {
        (**self).free(node);
    }
}
