//! What a small process maps; for tests and benchmarks.

use std::ops::Range;

/// The pages of `/proc/self/maps` of a static program on Linux: text and data in six parts, heap, two pages of mappings, the
/// variables and the code of the vdso, stack.
pub(crate) const MAPS: [Range<u64>; 11] = [
    0x400..0x401,
    0x401..0x479,
    0x479..0x4a0,
    0x4a0..0x4a4,
    0x4a4..0x4a7,
    0x4a7..0x4ac,
    0x1_0480..0x1_04a2,
    0x7_fd01_b390..0x7_fd01_b394,
    0x7_fd01_b394..0x7_fd01_b396,
    0x7_fd01_b396..0x7_fd01_b398,
    0x7_ffc7_cd67..0x7_ffc7_cd88,
];
