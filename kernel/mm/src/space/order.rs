//! The four orders of the munmap steps (design, section 1). An order is three choices, all known at compile time.

use core::fmt;
use core::str::FromStr;

use crate::space::edit::NewHalf;

/// When the neighbours of the unmapped range are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NeighboursRead {
    /// The previous one before the gather, the next one after it, both before the clear.
    BeforeClear,
    /// Both after the clear and the downgrade.
    AfterClear,
    /// Not at all: after the clear the bounds of the gap are their ends.
    FromGap,
}

/// How the iterator returns to the start of the range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Return {
    /// Reset: walk again from the root.
    Reset,
    /// Walk back: inside the leaf at hand straight to the slot, else by way of the leaves between.
    WalkBack,
    /// Walk back if the leaf at hand holds the start, else walk once from the root.
    WalkBackInLeaf,
}

/// An order of the munmap steps.
pub(super) trait Order {
    /// Which half of the start split is the new object.
    const START_SPLIT: NewHalf;
    /// When the neighbours are read.
    const NEIGHBOURS: NeighboursRead;
    /// How the iterator returns to the start.
    const RETURN: Return;
}

/// Linux up to 6.5.
pub(super) struct Prepatch;
/// Linux 6.6, the seed.
pub(super) struct Reordered;
/// Linux 6.12 and later.
pub(super) struct Vms;
/// Ours: as reordered, without a way back that a walk from the root is cheaper than.
pub(super) struct Adaptive;

impl Order for Prepatch {
    const START_SPLIT: NewHalf = NewHalf::Upper;
    const NEIGHBOURS: NeighboursRead = NeighboursRead::BeforeClear;
    const RETURN: Return = Return::Reset;
}

impl Order for Reordered {
    const START_SPLIT: NewHalf = NewHalf::Lower;
    const NEIGHBOURS: NeighboursRead = NeighboursRead::AfterClear;
    const RETURN: Return = Return::WalkBack;
}

impl Order for Vms {
    const START_SPLIT: NewHalf = NewHalf::Lower;
    const NEIGHBOURS: NeighboursRead = NeighboursRead::BeforeClear;
    const RETURN: Return = Return::WalkBack;
}

impl Order for Adaptive {
    const START_SPLIT: NewHalf = NewHalf::Lower;
    const NEIGHBOURS: NeighboursRead = NeighboursRead::FromGap;
    const RETURN: Return = Return::WalkBackInLeaf;
}

/// The order of the munmap steps, chosen per address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MunmapOrder {
    /// Linux up to 6.5.
    Prepatch,
    /// Linux 6.6, the seed.
    #[default]
    Reordered,
    /// Linux 6.12 and later.
    Vms,
    /// Ours: as reordered, without a way back that a walk from the root is cheaper than.
    Adaptive,
}

impl MunmapOrder {
    /// All orders.
    pub const ALL: [MunmapOrder; 4] =
        [MunmapOrder::Prepatch, MunmapOrder::Reordered, MunmapOrder::Vms, MunmapOrder::Adaptive];

    fn name(self) -> &'static str {
        match self {
            MunmapOrder::Prepatch => "prepatch",
            MunmapOrder::Reordered => "reordered",
            MunmapOrder::Vms => "vms",
            MunmapOrder::Adaptive => "adaptive",
        }
    }
}

impl fmt::Display for MunmapOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no order of this name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownOrder;

impl FromStr for MunmapOrder {
    type Err = UnknownOrder;
    fn from_str(name: &str) -> Result<Self, UnknownOrder> {
        MunmapOrder::ALL.into_iter().find(|order| order.name() == name).ok_or(UnknownOrder)
    }
}

/// Calls a method that is generic over the order with the order at hand: the one branch on it.
macro_rules! in_order {
    ($order:expr, $self:ident.$method:ident($($argument:expr),*)) => {
        match $order {
            $crate::space::MunmapOrder::Prepatch => $self.$method::<$crate::space::order::Prepatch>($($argument),*),
            $crate::space::MunmapOrder::Reordered => $self.$method::<$crate::space::order::Reordered>($($argument),*),
            $crate::space::MunmapOrder::Vms => $self.$method::<$crate::space::order::Vms>($($argument),*),
            $crate::space::MunmapOrder::Adaptive => $self.$method::<$crate::space::order::Adaptive>($($argument),*),
        }
    };
}
pub(super) use in_order;
