//! Where node memory comes from: the crate's one seam.

use crate::node::{FreeList, Node};

/// Hands out the memory of nodes and takes it back.
///
/// Both may be called under the caller's locks; [`free`](NodeSource::free) also runs from [`Rcu::poll`](crate::Rcu::poll)
/// on any CPU. Nodes come back only after their grace period.
pub trait NodeSource {
    /// Memory for one node, or `None` when there is none.
    fn allocate(&self) -> Option<&'static mut Node>;

    /// Takes back memory that [`allocate`](NodeSource::allocate) handed out.
    fn free(&self, node: &'static mut Node);

    /// Takes back many at once.
    #[inline]
    fn free_all(&self, mut nodes: FreeList) {
        while let Some(node) = nodes.pop() {
            self.free(node);
        }
    }

    /// Called by readers without a lock, and by nobody else, between the nodes of a descent or of an iteration: an explorer of
    /// schedules can let the writer go on there.
    #[inline(always)]
    fn pause(&self) {}

    /// Whether the trees of this source shall behave as if `bug` had never been fixed. For tests of tests.
    #[inline(always)]
    fn has(&self, _bug: Bug) -> bool {
        false
    }
}

/// Makes the bugs, and the list of them.
macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Bugs that trees like this one have had, each of which a test can put back: it must then fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$name,)*];
        }
    };
}

bugs! {
    /// A store that spans leaves and ends with the last entry of one leaves a second copy of that entry behind
    /// (CVE-2024-50200).
    SpanningStoreDuplicate,
    /// A replaced node goes back to the source at once (CVE-2023-3269, "StackRot").
    NodeFreedWithoutGracePeriod,
    /// A cursor without a lock steps on in a node that a store has replaced.
    DeadNodeNotChecked,
    /// A leaf's new largest gap is written into its parent only.
    GapNotPropagated,
}

impl<S: NodeSource> NodeSource for &S {
    fn allocate(&self) -> Option<&'static mut Node> {
        (**self).allocate()
    }

    fn free(&self, node: &'static mut Node) {
        (**self).free(node);
    }

    #[inline]
    fn free_all(&self, nodes: FreeList) {
        (**self).free_all(nodes);
    }

    #[inline(always)]
    fn pause(&self) {
        (**self).pause();
    }

    #[inline(always)]
    fn has(&self, bug: Bug) -> bool {
        (**self).has(bug)
    }
}
