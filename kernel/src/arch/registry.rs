//! In-kernel tests, registered where they are written: each is a static in a section of its own.

use core::slice;

use crate::test::Test;

unsafe extern "C" {
    static __kernel_tests_start: u8;
    static __kernel_tests_end: u8;
}

/// All registered tests, in link order.
pub(crate) fn tests() -> &'static [Test] {
    let start = &raw const __kernel_tests_start;
    let bytes = (&raw const __kernel_tests_end) as usize - start as usize;
    // SAFETY: the linker script puts nothing but the statics of `kernel_test!` between the two symbols.
    unsafe { slice::from_raw_parts(start.cast(), bytes / size_of::<Test>()) }
}

/// Makes in-kernel tests of functions without arguments. A test fails when it panics, faults or hangs; one that
/// is marked `panics("text")` fails unless it panics with a message that contains the text.
///
/// ```ignore
/// kernel_test! {
///     fn two_and_two_are_four() {
///         assert_eq!(2 + 2, 4);
///     }
///
///     panics("attempt to divide by zero")
///     fn division_by_zero_panics() { ... }
/// }
/// ```
macro_rules! kernel_test {
    ($($(#[$attribute:meta])* $(panics($text:literal))? fn $name:ident() $body:block)*) => {
        $(
            $(#[$attribute])*
            fn $name() $body

            #[allow(unsafe_code)] // the section holds nothing else
            $(#[$attribute])*
            const _: () = {
                #[used]
                #[unsafe(link_section = ".kernel_tests")]
                static TEST: $crate::test::Test = $crate::test::Test {
                    path: concat!(module_path!(), "::", stringify!($name)),
                    run: $name,
                    panics: {
                        #[allow(unused_mut, unused_assignments)]
                        let mut text: Option<&'static str> = None;
                        $(text = Some($text);)?
                        text
                    },
                };
            };
        )*
    };
}
pub(crate) use kernel_test;
