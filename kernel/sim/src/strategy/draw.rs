//! What is drawn, and how often: the operations of random programs.

use super::*;

fn spot() -> impl Strategy<Value = Spot> {
    let bytes = prop_oneof![24 => Just(0_u64), 1 => 1..PAGE];
    (prop::bool::weighted(0.25), 0..WINDOW, bytes).prop_map(|(second, page, bytes)| Spot {
        second,
        page,
        bytes,
    })
}

fn extent() -> impl Strategy<Value = Extent> {
    prop_oneof![
        60 => (1..=8_u64).prop_map(|pages| Extent::Bytes(pages * PAGE)),
        4 => spot().prop_map(Extent::To),
        2 => (0..3 * PAGE).prop_map(Extent::Bytes),
        1 => prop_oneof![
            Just(0),
            Just(513 * PAGE),
            Just(0x4000_0000 + PAGE),
            Just(mm::USER_END - 1),
            Just(mm::USER_END),
            Just(u64::MAX - PAGE),
            Just(u64::MAX),
            any::<u64>()
        ]
        .prop_map(Extent::Bytes),
    ]
}

fn short() -> impl Strategy<Value = Extent> {
    (1..=3_u64).prop_map(|pages| Extent::Bytes(pages * PAGE))
}

fn prot() -> impl Strategy<Value = u64> {
    prop_oneof![
        10 => Just(Prot::READ_WRITE.bits()),
        4 => Just(Prot::READ.bits()),
        3 => Just(Prot::NONE.bits()),
        3 => 0..8_u64,
        1 => Just((Prot::READ_WRITE | Prot::GROWSDOWN).bits()),
        1 => any::<u64>(),
    ]
}

fn flags() -> impl Strategy<Value = u64> {
    let placement = prop_oneof![
        12 => Just(Map::FIXED),
        3 => Just(Map::FIXED_NOREPLACE),
        3 => Just(Map::empty()),
    ];
    let sharing = prop_oneof![
        10 => Just(Map::PRIVATE),
        3 => Just(Map::SHARED),
        1 => (0..16_u64).prop_map(Map::from_bits_retain),
    ];
    let more = prop_oneof![
        12 => Just(Map::empty()),
        3 => Just(Map::POPULATE),
        2 => Just(Map::GROWSDOWN),
        1 => Just(Map::NORESERVE),
        1 => Just(Map::LOCKED),
        1 => Just(Map::STACK), 1 => Just(Map::NONBLOCK),
        1 => Just(Map::GROWSDOWN | Map::LOCKED),
    ];
    (placement, sharing, more)
        .prop_map(|(placement, sharing, more)| (Map::ANONYMOUS | placement | sharing | more).bits())
}

fn advice() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => Just(MADV_DONTNEED),
        3 => Just(MADV_GUARD_INSTALL),
        2 => Just(MADV_GUARD_REMOVE),
        2 => Just(MADV_REMOVE),
        2 => Just(MADV_DONTFORK),
        2 => Just(MADV_WIPEONFORK),
        2 => Just(MADV_POPULATE_READ),
        2 => Just(MADV_POPULATE_WRITE),
        10 => (0..ADVICE.len()).prop_map(|index| ADVICE[index]),
        1 => any::<u64>(),
    ]
}

/// Everything is only ever locked as faults come: it need not fit the machine.
fn locking() -> impl Strategy<Value = Blueprint> {
    let range = || (spot(), prop_oneof![3 => short(), 1 => extent()]);
    let all = prop_oneof![
        1 => Just(MCL_CURRENT | MCL_ONFAULT),
        1 => Just(MCL_FUTURE | MCL_ONFAULT),
        1 => Just(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT),
        1 => prop_oneof![Just(0), Just(MCL_ONFAULT), Just(8), any::<u64>().prop_map(|flags| flags | 16)],
    ];
    prop_oneof![
        6 => (range(), prop_oneof![4 => Just(0), 2 => Just(MLOCK_ONFAULT), 1 => 0..4_u64])
            .prop_map(|((spot, extent), flags)| Blueprint::Mlock { spot, extent, flags }),
        4 => range().prop_map(|(spot, extent)| Blueprint::Munlock { spot, extent }),
        1 => all.prop_map(|flags| Blueprint::Mlockall { flags }),
        1 => Just(Blueprint::Munlockall),
    ]
}

/// A private mapping to read and write, to begin with.
pub(super) fn mapping() -> impl Strategy<Value = Blueprint> {
    let populate = prop_oneof![Just(Map::empty()), Just(Map::POPULATE)];
    (spot(), 1..=8_u64, populate).prop_map(|(spot, pages, populate)| Blueprint::Mmap {
        spot: Spot { bytes: 0, ..spot },
        extent: Extent::Bytes(pages * PAGE),
        prot: Prot::READ_WRITE.bits(),
        flags: (Map::ANONYMOUS | Map::PRIVATE | Map::FIXED | populate).bits(),
    })
}

fn registering() -> impl Strategy<Value = Blueprint> {
    let range = || (spot(), prop_oneof![3 => short(), 1 => extent()], 1..=2_u32);
    prop_oneof![
        6 => range().prop_map(|(spot, extent, context)| Blueprint::Register { spot, extent, context }),
        3 => range().prop_map(|(spot, extent, context)| Blueprint::Unregister { spot, extent, context }),
        1 => (1..=2_u32).prop_map(|context| Blueprint::Release { context }),
    ]
}

fn remapping() -> impl Strategy<Value = Blueprint> {
    let old = prop_oneof![8 => short(), 3 => extent(), 2 => Just(Extent::Bytes(0))];
    let new = prop_oneof![3 => Just(None), 2 => short().prop_map(Some), 2 => extent().prop_map(Some)];
    let (fixed, keep) = (MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    let flags = prop_oneof![
        3 => Just(0),
        4 => Just(MREMAP_MAYMOVE),
        6 => Just(fixed),
        3 => Just(keep),
        2 => Just(fixed | keep),
        1 => 0..16_u64,
    ];
    (spot(), old, new, flags, spot()).prop_map(|(spot, old, new, flags, target)| Blueprint::Mremap {
        spot,
        old,
        new,
        flags,
        target,
    })
}

fn view() -> impl Strategy<Value = View> {
    prop_oneof![4 => Just(View::Private), 2 => Just(View::Shared), 1 => Just(View::Segment)]
}

pub(super) fn blueprint() -> impl Strategy<Value = Blueprint> {
    let touch = prop_oneof![4 => Just(Touch::Read), 5 => Just(Touch::Write), 1 => Just(Touch::Execute)];
    let below = prop_oneof![20 => Just(0_u64), 2 => 1..WINDOW, 1 => 1..600_u64];
    let wild = any::<u64>().prop_map(|address| address & !7);
    prop_oneof![
        10 => (spot(), extent(), prot(), flags())
            .prop_map(|(spot, extent, prot, flags)| Blueprint::Mmap { spot, extent, prot, flags }),
        7 => (spot(), prop_oneof![1 => short(), 1 => extent()])
            .prop_map(|(spot, extent)| Blueprint::Munmap { spot, extent }),
        8 => (spot(), prop_oneof![3 => short(), 1 => extent()], prot())
            .prop_map(|(spot, extent, prot)| Blueprint::Mprotect { spot, extent, prot }),
        8 => remapping(),
        1 => (spot(), prop_oneof![3 => short(), 1 => extent()], prop_oneof![15 => Just(0_u64), 1 => any::<u64>()])
            .prop_map(|(spot, extent, flags)| Blueprint::Mseal { spot, extent, flags }),
        9 => (spot(), prop_oneof![3 => short(), 1 => extent()], advice())
            .prop_map(|(spot, extent, advice)| Blueprint::Madvise { spot, extent, advice }),
        4 => locking(),
        3 => registering(),
        1 => (spot(), prop_oneof![3 => short(), 1 => extent()], 0..9_u64)
            .prop_map(|(spot, extent, flags)| Blueprint::Msync { spot, extent, flags }),
        4 => (spot(), 1..=5_u64, 0..8_u64, prop_oneof![5 => Just(0_u64), 1 => Just(1)], view())
            .prop_map(|(spot, pages, prot, shift, view)| Blueprint::File { spot, pages, prot, shift, view }),
        1 => (spot(), 0..512_u64).prop_map(|(spot, words)| Blueprint::Resize { spot, words }),
        1 => Just(Blueprint::Grow),
        2 => (0..24_u64, prop_oneof![Just(0), 1..PAGE])
            .prop_map(|(pages, bytes)| Blueprint::Brk { pages, bytes }),
        22 => (0..3_u32, spot(), below, 0..512_u64, touch).prop_map(|(cpu, spot, below, word, touch)| {
            Blueprint::Touch { cpu, spot, below, word, touch }
        }),
        1 => (0..3_u32, wild).prop_map(|(cpu, address)| Blueprint::Wild { cpu, address }),
    ]
}

/// As [`blueprint`], and now and then a process forks or exits.
pub(super) fn family_blueprint() -> impl Strategy<Value = Blueprint> {
    prop_oneof![30 => blueprint(), 2 => Just(Blueprint::Fork), 1 => Just(Blueprint::Exit)]
}
