//! What Linux 7.0's maple tree costs, and the share of it that this tree may cost.
//!
//! Instructions, measured on its code built for user space: single operations on a tree of 1,000 ranges, the munmap pattern
//! on 10,000 (whole ranges, gathered into an array). The bars are those of the tree's issue.

/// Node bytes a range.
pub(crate) const BYTES: f64 = 34.8;

/// Linux's instructions for the operation `name`.
pub(crate) fn instructions(name: &str) -> Option<f64> {
    Some(match name {
        "lookup" | "lookup under rcu" => 229.0,
        "insert" => 1501.0,
        "erase" => 1225.0,
        "free area, only the last fits" | "free area, window" | "free area, highest" => 794.0,
        "next" | "prev" | "next under rcu" | "next_range" => 141.0,
        _ => {
            let (k, order) = name.strip_prefix("munmap ")?.split_once(" Whole ")?;
            // Linux's order before the patch; and what the order that steps back (slot by slot) costs against it.
            let (before, stepping) = match k {
                "1" => (2_945.0, 0.84),
                "3" => (4_510.0, 1.0),
                "10" => (7_558.0, 1.19),
                "100" => (25_203.0, 1.67),
                "1000" => (164_187.0, 2.02),
                _ => return None,
            };
            match order {
                "reordered" | "vms" => before * stepping,
                "adaptive" if k == "1" => before * stepping,
                _ => before,
            }
        }
    })
}

/// The share of Linux's instructions that `name` may cost with `n` ranges in the tree.
pub(crate) fn share(name: &str, n: usize) -> Option<f64> {
    if let Some(munmap) = name.strip_prefix("munmap ") {
        return match (munmap.split_once(' ')?.0, n) {
            ("1", 1_000) => Some(0.3),
            // A thousand do not fit into a tree of a thousand.
            ("100", 1_000) | ("1000", 65_000) => Some(0.15),
            _ => None,
        };
    }
    match name {
        _ if n != 1_000 => None,
        "insert" | "erase" | "next" | "prev" | "next under rcu" | "next_range" => Some(0.3),
        _ => Some(0.5),
    }
}
