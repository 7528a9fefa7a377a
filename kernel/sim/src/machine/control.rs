//! What steers a machine from outside: the scheduler that switches threads at named points, and the bug that is put
//! back. The nodes of its trees know both as well.

use std::fmt;
use std::sync::Arc;

use explore::Engine;
use maple::{HostNodes, Node, NodeSource};
use mm::platform::Fallible;
use mm::schedule::{Point, Wait};

/// What a thread does next, for traces of schedules.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Label {
    /// What the memory manager names.
    Point(Point),
    /// It looks again whether it may go on.
    Wait(Wait),
    /// A reader without a lock goes on to the next node of the tree.
    Node,
    /// A step that may fail.
    Fallible(Fallible),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Point(point) => point.fmt(f),
            Label::Wait(wait) => wait.fmt(f),
            Label::Node => f.write_str("next node"),
            Label::Fallible(fallible) => write!(f, "may fail: {fallible:?}"),
        }
    }
}

/// A bug of the museum, in the memory manager or in its tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// Of the memory manager.
    Mm(mm::museum::Bug),
    /// Of the tree.
    Tree(maple::Bug),
}

/// Shared by a machine and the source of its tree nodes.
pub(super) struct Control {
    pub(super) engine: Engine<Label>,
    /// Never changes.
    pub(super) bug: Option<Bug>,
}

/// Memory for tree nodes, on a machine that is steered.
#[derive(Clone)]
pub struct Nodes(Arc<Control>);

impl Nodes {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Nodes(Arc::new(Control { engine: Engine::new(), bug }))
    }

    pub(super) fn control(&self) -> &Control {
        &self.0
    }
}

impl NodeSource for Nodes {
    fn allocate(&self) -> Option<&'static mut Node> {
        HostNodes.allocate()
    }

    fn free(&self, node: &'static mut Node) {
        HostNodes.free(node);
    }

    fn pause(&self) {
        self.0.engine.pause(Label::Node);
    }

    fn has(&self, bug: maple::Bug) -> bool {
        self.0.bug == Some(Bug::Tree(bug))
    }
}
