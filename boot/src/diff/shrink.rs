//! Makes a list that has a property smaller, many attempts at a time.

use std::ops::Range;

/// Attempts that are tried together.
const TOGETHER: usize = 64;

/// A short part of `items` for which `find` still holds. `find` gets lists and tells the first that has the property.
///
/// # Errors
/// What `find` fails with.
pub(super) fn shrink<T: Clone, E>(
    items: Vec<T>,
    mut find: impl FnMut(&[Vec<T>]) -> Result<Option<usize>, E>,
) -> Result<Vec<T>, E> {
    let mut items = items;
    let mut chunk = items.len().div_ceil(2).max(1);
    loop {
        let mut shorter = None;
        let cuts: Vec<Range<usize>> = (0..items.len())
            .step_by(chunk)
            .map(|start| start..(start + chunk).min(items.len()))
            .filter(|cut| cut.len() < items.len())
            .collect();
        // From the end, where the lines are that only look.
        for cuts in cuts.rchunks(TOGETHER) {
            let attempts: Vec<Vec<T>> = cuts.iter().map(|cut| without(&items, cut)).collect();
            if let Some(index) = find(&attempts)? {
                shorter = attempts.into_iter().nth(index);
                break;
            }
        }
        match shorter {
            Some(shorter) => {
                items = shorter;
                chunk = chunk.min(items.len().div_ceil(2).max(1));
            }
            None if chunk == 1 => return Ok(items),
            None => chunk = chunk.div_ceil(2),
        }
    }
}

fn without<T: Clone>(items: &[T], cut: &Range<usize>) -> Vec<T> {
    items[..cut.start].iter().chain(&items[cut.end..]).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_stays() {
        let needed = [3, 500, 501, 997];
        let mut rounds = 0;
        let found = shrink((0..1000).collect(), |attempts: &[Vec<i32>]| {
            rounds += 1;
            Ok::<_, ()>(attempts.iter().position(|items| needed.iter().all(|item| items.contains(item))))
        });
        assert_eq!(found, Ok(needed.to_vec()));
        assert!(rounds < 100, "{rounds} rounds");
    }

    #[test]
    fn a_single_item_stays() {
        assert_eq!(shrink(vec![1], |_: &[Vec<i32>]| Ok::<_, ()>(None)), Ok(vec![1]));
    }
}
