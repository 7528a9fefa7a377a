use super::*;

#[test]
fn an_entry_keeps_frame_and_protection() {
    for frame in [0, 1, 0x12345, u32::MAX].map(Frame::new) {
        for protection in [Protection::None, Read, ReadExecute, ReadWrite, ReadWriteExecute] {
            let pte = Pte::leaf(frame, protection);
            assert_eq!(pte.view(), leaf(frame, protection));
            assert_eq!(Pte::from_bits(pte.bits()), pte);
            assert_eq!(pte.is_present(), protection != Protection::None);
            assert!(!pte.is_absent());
        }
        assert_eq!(Pte::table(frame).view(), PteView::Table(frame));
    }
    assert_eq!(Pte::ABSENT.view(), PteView::Absent);
}

#[test]
fn entries_have_the_bits_that_the_processor_expects() {
    const NX: u64 = 1 << 63;
    const LEAF: u64 = 1 << 9;
    let bits = |protection| Pte::leaf(Frame::new(0x42), protection).bits();
    assert_eq!(bits(Protection::None), 0x42000 | LEAF | NX);
    assert_eq!(bits(Read), 0x42000 | LEAF | NX | 0b010_0101);
    assert_eq!(bits(ReadExecute), 0x42000 | LEAF | 0b010_0101);
    assert_eq!(bits(ReadWrite), 0x42000 | LEAF | NX | 0b110_0111);
    assert_eq!(bits(ReadWriteExecute), 0x42000 | LEAF | 0b110_0111);
    assert_eq!(Pte::table(Frame::new(0x42)).bits(), 0x42000 | 0b010_0111);
}

#[test]
fn a_flush_is_needed_exactly_where_a_right_or_the_frame_is_lost() {
    let all = [Protection::None, Read, ReadExecute, ReadWrite, ReadWriteExecute];
    let (frame, other) = (Frame::new(1), Frame::new(2));
    for old in all {
        for new in all {
            let lost = old != Protection::None
                && (new == Protection::None
                    || old.is_writable() && !new.is_writable()
                    || old.is_executable() && !new.is_executable());
            assert_eq!(Pte::leaf(frame, old).needs_flush(Pte::leaf(frame, new)), lost, "{old:?} to {new:?}");
            let moved = Pte::leaf(frame, old).needs_flush(Pte::leaf(other, new));
            assert_eq!(moved, old != Protection::None, "{old:?} to {new:?} of another frame");
        }
    }
}
