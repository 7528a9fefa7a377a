//! Which VMAs merge.

use super::*;
use crate::vma::merge::tests_support::*;

const A: Option<AnonId> = Some(AnonId(1));
const B: Option<AnonId> = Some(AnonId(2));

#[test]
fn equal_neighbours_merge_on_both_sides() {
    assert_eq!(reach(part(0, 4), part(4, 6), part(6, 9)), "both");
}

#[test]
fn neighbours_with_other_properties_stay_apart() {
    let read_only = VmaInfo { flags: VmaFlags::READ, ..part(0, 4) };
    assert_eq!(reach(read_only, part(4, 6), part(6, 9)), "next");
    let shared =
        VmaInfo { backing: Backing::SharedAnonymous { object: ObjectId::new(Frame::new(7)) }, ..part(6, 9) };
    assert_eq!(reach(read_only, part(4, 6), shared), "alone");
}

#[test]
fn a_gap_or_a_jump_of_the_offset_keeps_vmas_apart() {
    assert_eq!(reach(part(0, 3), part(4, 6), part(7, 9)), "alone");
    let moved = VmaInfo { pgoff: 100, ..part(6, 9) };
    assert_eq!(reach(part(0, 4), part(4, 6), moved), "prev");
}

#[test]
fn vmas_with_different_anonymous_memory_never_become_one() {
    let (below, above) = (VmaInfo { anon: A, ..part(0, 4) }, VmaInfo { anon: B, ..part(6, 9) });
    assert_eq!(reach(below, part(4, 6), above), "prev");
    assert_eq!(reach(below, VmaInfo { anon: B, ..part(4, 6) }, above), "next");
    assert_eq!(reach(below, VmaInfo { anon: A, ..part(4, 6) }, part(6, 9)), "both");
}

#[test]
fn a_part_keeps_the_offset_of_its_pages() {
    let whole = VmaInfo { pgoff: 100, ..part(10, 20) };
    let range = PageRange::new(Page::new(13), Page::new(15)).unwrap();
    assert_eq!(whole.part(range).pgoff, 103);
}
