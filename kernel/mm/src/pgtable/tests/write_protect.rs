//! Leaves that the program has write-protected.

use super::*;
use crate::pgtable::Writable;

fn protected(space: &Space<'_>, page: u64) -> bool {
    space.tables.traverse(Page::new(page)).is_write_protected()
}

fn with_gather<'m, R>(space: &Space<'m>, act: impl FnOnce(&mut Gather<'_, 'm, Machine>) -> R) {
    let mut gather = Gather::new(space.machine, &space.tlb);
    act(&mut gather);
    gather.finish();
}

#[test]
fn write_protection_takes_the_right_to_write_and_gives_none_back() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    space.map_all(510..514, ReadWriteExecute);
    machine.take_flushes();
    with_gather(&space, |gather| space.tables.write_protect(range(511, 600), gather));
    assert_eq!(machine.take_flushes().len(), 1, "TLBs know the right");
    let rights = |page| space.access(page).map(|(_, protection)| protection);
    assert_eq!([510, 511, 513].map(rights), [Some(ReadWriteExecute), Some(ReadExecute), Some(ReadExecute)]);
    assert_eq!([510, 511, 513, 514].map(|page| protected(&space, page)), [false, true, true, false]);
    assert!(space.tables.traverse(Page::new(514)).is_absent(), "what is not there is not protected");
    with_gather(&space, |gather| space.tables.write_unprotect(range(0, 513), gather));
    assert_eq!([511, 512, 513].map(|page| protected(&space, page)), [false, false, true]);
    assert_eq!(rights(511), Some(ReadExecute));
    assert_eq!(machine.take_flushes(), [], "nobody has lost anything");
    with_gather(&space, |gather| {
        space.tables.zap(range(0, 1024), gather);
    });
    with_gather(&space, |gather| space.tables.free(range(0, 1024), Page::ZERO, Page::USER_END, gather));
}

#[test]
fn write_protection_survives_other_rights_but_not_the_page() {
    let machine = Machine::with_frames(64);
    let space = Space::new(&machine);
    space.map_all(0..2, ReadWrite);
    with_gather(&space, |gather| space.tables.write_protect(range(0, 1), gather));
    let rights = |page| match space.tables.traverse(Page::new(page)).view() {
        PteView::Leaf { protection, .. } => protection,
        other => panic!("{other:?}"),
    };
    for (protection, kept) in [(Protection::None, Protection::None), (ReadWriteExecute, ReadExecute)] {
        with_gather(&space, |gather| {
            space.tables.protect_keeping(range(0, 2), protection, Writable::IfExclusive, gather);
        });
        assert_eq!([0, 1].map(rights), [kept, protection]);
        assert_eq!([0, 1].map(|page| protected(&space, page)), [true, false]);
    }
    with_gather(&space, |gather| {
        space.tables.discard(range(0, 2), gather);
    });
    let frame = machine.data_frame(7);
    let installed = space.tables.install_write_protected(Page::new(1), frame, ReadWrite);
    assert_eq!((installed, rights(1), protected(&space, 1)), (Ok(Installed::New), Read, true));
    assert!(space.tables.traverse(Page::new(0)).is_absent());
    with_gather(&space, |gather| {
        space.tables.zap(range(0, 2), gather);
    });
    with_gather(&space, |gather| space.tables.free(range(0, 2), Page::ZERO, Page::USER_END, gather));
}

#[test]
fn huge_leaves_are_split_to_be_write_protected() {
    let machine = Machine::with_frames(4096);
    let space = Space::new(&machine);
    space.map_huge(512, ReadWrite);
    with_gather(&space, |gather| space.tables.write_protect(range(515, 516), gather));
    assert_eq!([514, 515, 516].map(|page| protected(&space, page)), [false, true, false]);
    assert_eq!(space.access(515).map(|(_, protection)| protection), Some(Read));
    assert_eq!(space.access(514).map(|(_, protection)| protection), Some(ReadWrite));
    with_gather(&space, |gather| {
        space.tables.zap(range(512, 1024), gather);
    });
    with_gather(&space, |gather| space.tables.free(range(512, 1024), Page::ZERO, Page::USER_END, gather));
}
