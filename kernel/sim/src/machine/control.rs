//! What steers a machine from outside: the scheduler that switches threads at named points, and the bug that is put
//! back. The nodes of its trees know both as well.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use explore::Engine;
use maple::{HostNodes, Node, NodeSource};
use mm::schedule::Label;

/// A bug of the museum, in the memory manager or in its tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// Of the memory manager.
    Mm(mm::museum::Bug),
    /// Of the tree.
    Tree(maple::Bug),
}

impl Bug {
    fn all() -> impl Iterator<Item = Bug> {
        let of_mm = mm::museum::Bug::ALL.iter().copied().map(Bug::Mm);
        of_mm.chain(maple::Bug::ALL.iter().copied().map(Bug::Tree))
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bug::Mm(bug) => write!(f, "{bug:?}"),
            Bug::Tree(bug) => write!(f, "{bug:?}"),
        }
    }
}

/// There is no bug of this name. Prints the names that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownBug;

impl fmt::Display for UnknownBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = Bug::all().map(|bug| bug.to_string()).collect();
        write!(f, "no such bug; there are {}", names.join(", "))
    }
}

impl std::error::Error for UnknownBug {}

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        Bug::all().find(|bug| bug.to_string() == name).ok_or(UnknownBug)
    }
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
