//! Any sequence of operations against the flat model: `cargo +nightly fuzz run operations`.
//!
//! Four bytes are one operation: what, start, pages, and a value or a budget of nodes.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::Pair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut pair = Pair::new();
    for operation in bytes.chunks_exact(4) {
        let [what, start, pages, extra] = *operation else { continue };
        // Two islands, so that leaves are narrow and wide.
        let far = if what & 0x80 == 0 { 0 } else { 1 << 35 };
        let start = u64::from(start) + far;
        let range = start..start + 1 + u64::from(pages);
        let id = Some(usize::from(extra));
        match what % 8 {
            0..3 => pair.store(range, id),
            3 | 4 => pair.store(range, None),
            5 => {
                let before = pair.tree.dump(&pair.token).to_string();
                pair.rcu.source().budget.store(usize::from(extra % 8), SeqCst);
                let result = pair.try_store(range, id.filter(|id| id % 2 == 0));
                pair.rcu.source().budget.store(usize::MAX, SeqCst);
                if result.is_err() {
                    assert_eq!(pair.tree.dump(&pair.token).to_string(), before);
                }
                pair.verify();
            }
            6 => {
                let size = u64::from(extra).max(1);
                let (tree, token, model) = (pair.tree, &pair.token, &pair.model);
                assert_eq!(tree.find_area(token, range.clone(), size), model.find_area(range.clone(), size));
                assert_eq!(tree.find_area_rev(token, range.clone(), size), model.find_area_rev(range, size));
            }
            _ => {
                let mut cursor = pair.tree.cursor(&pair.token, range.start);
                let found = cursor.find(range.end).map(|(range, id)| (range, *id));
                let met = |entry: &&(std::ops::Range<u64>, u32)| entry.0.end > range.start && entry.0.start < range.end;
                assert_eq!(found, pair.model.0.iter().find(met).cloned());
                let here = cursor.range().start;
                let mut seen = Vec::new();
                let _ = cursor.visit_below(range.end + u64::from(extra), |values| {
                    seen.extend(values.iter().map(|id| **id));
                    std::ops::ControlFlow::<()>::Continue(())
                });
                let behind = pair.model.0.iter().filter(|entry| entry.0.start > here);
                let behind = behind.take_while(|entry| entry.0.start < range.end + u64::from(extra));
                assert_eq!(seen, behind.map(|entry| entry.1).collect::<Vec<_>>());
                let back = start.saturating_sub(u64::from(extra));
                cursor.walk_back(back);
                assert!(cursor.range().contains(&back));
            }
        }
    }
    pair.finish();
});
