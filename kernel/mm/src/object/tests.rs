use super::*;
use crate::testing::Machine;

fn frames(machine: &Machine, kind: FrameKind) -> u64 {
    machine.frames().statistics().allocated(kind)
}

/// Objects of one, two, three and four levels, and the last of each size.
const SIZES: [u64; 8] = [1, 256, 257, 256 << 9, (256 << 9) + 1, 256 << 18, (256 << 18) + 1, (1 << 35) - 1];

#[test]
fn every_page_of_an_object_of_any_size_is_made_once_and_found_again() {
    let machine = Machine::with_frames(64);
    for pages in SIZES {
        let object = SharedObject::new(&machine, pages).unwrap();
        let id = object.object_id();
        for offset in [0, pages / 2, pages - 1] {
            assert!(offset == 0 || pages < 3 || id.find(&machine, offset).is_none());
            let frame = id.frame(&machine, offset).unwrap();
            assert_eq!(id.frame(&machine, offset), Ok(frame));
            assert_eq!(id.find(&machine, offset), Some(frame));
            assert_eq!(machine.word(frame), 0);
            assert_eq!(machine.frames().kind(frame), FrameKind::Shared);
            machine.frames().put(frame);
            machine.frames().put(frame);
        }
        drop(object);
        assert_eq!(
            (frames(&machine, FrameKind::Object), frames(&machine, FrameKind::Shared)),
            (0, 0),
            "{pages}"
        );
        assert_eq!(machine.objects().live(), 0);
    }
    machine.check();
}

#[test]
fn an_object_has_no_pages_beyond_its_end() {
    let machine = Machine::with_frames(16);
    for pages in [1, 256, 300] {
        let object = SharedObject::new(&machine, pages).unwrap();
        for offset in [pages, pages + 1, 1 << 40, u64::MAX] {
            assert_eq!(object.object_id().frame(&machine, offset), Err(MmError::BeyondEnd));
            assert_eq!(object.object_id().find(&machine, offset), None);
        }
    }
}

#[test]
fn a_small_object_is_one_node_and_its_pages() {
    let machine = Machine::with_frames(400);
    let object = SharedObject::new(&machine, 256).unwrap();
    for offset in 0..256 {
        machine.frames().put(object.object_id().frame(&machine, offset).unwrap());
    }
    assert_eq!((frames(&machine, FrameKind::Object), frames(&machine, FrameKind::Shared)), (1, 256));
}

#[test]
fn an_object_lives_as_long_as_somebody_holds_it() {
    let machine = Machine::with_frames(16);
    let object = SharedObject::new(&machine, 4).unwrap();
    let id = object.object_id();
    let frame = id.frame(&machine, 3).unwrap();
    machine.frames().put(frame);
    id.hold(&machine);
    drop(object);
    assert_eq!((machine.objects().live(), id.find(&machine, 3)), (1, Some(frame)));
    id.release(&machine);
    assert_eq!(machine.objects().live(), 0);
    assert_eq!((frames(&machine, FrameKind::Object), frames(&machine, FrameKind::Shared)), (0, 0));
}

#[test]
fn a_frame_that_is_mapped_outlives_its_object() {
    let machine = Machine::with_frames(16);
    let object = SharedObject::new(&machine, 1).unwrap();
    let frame = object.object_id().frame(&machine, 0).unwrap();
    drop(object);
    assert_eq!(machine.frames().reference_count(frame), 1);
    machine.frames().put(frame);
    machine.check();
}

#[test]
fn objects_have_numbers_of_their_own() {
    let machine = Machine::with_frames(16);
    let [one, other] = [1, 2].map(|pages| SharedObject::new(&machine, pages).unwrap());
    assert_ne!(one.object_id(), other.object_id());
    assert_eq!((one.object_id().number(&machine), other.object_id().number(&machine)), (1, 2));
}

#[test]
fn without_memory_an_object_gets_no_page_and_nothing_is_lost() {
    let machine = Machine::with_frames(16);
    let pages = 1 << 30;
    for admitted in 0.. {
        machine.admit_only(admitted);
        let made = SharedObject::new(&machine, pages);
        let frame = made
            .as_ref()
            .map_err(|error| *error)
            .and_then(|made| made.object_id().frame(&machine, pages - 1));
        machine.admit_all();
        match frame {
            Ok(frame) => {
                machine.frames().put(frame);
                assert_eq!(admitted, 5, "a root, three nodes and the page");
                break;
            }
            Err(error) => assert_eq!(error, MmError::NoMemory),
        }
        drop(made);
        assert_eq!((frames(&machine, FrameKind::Object), frames(&machine, FrameKind::Shared)), (0, 0));
    }
}

#[test]
fn faults_on_several_cpus_meet_at_one_frame() {
    let machine = Machine::with_frames(2048);
    let object = SharedObject::new(&machine, 1 << 20).unwrap();
    let id = object.object_id();
    let all: Vec<Vec<Frame>> = std::thread::scope(|scope| {
        let fault = || (0..400).map(|page| id.frame(&machine, page * 131).unwrap()).collect();
        let threads = [(); 3].map(|()| scope.spawn(fault));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|frames| *frames == all[0]));
    assert_eq!(frames(&machine, FrameKind::Shared), 400);
    for &frame in all.iter().flatten() {
        machine.frames().put(frame);
    }
    assert!(all[0].iter().all(|&frame| machine.frames().reference_count(frame) == 1));
    drop(object);
    assert_eq!((frames(&machine, FrameKind::Object), frames(&machine, FrameKind::Shared)), (0, 0));
}
