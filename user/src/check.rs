//! Checks that end the program.

use crate::io::STDERR;

/// Ends the program with status 1 unless the condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            $crate::fail(format_args!("{}:{}: not true: {}", file!(), line!(), stringify!($condition)));
        }
    };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::fail(format_args!(
                "{}:{}: not true: {}: {}",
                file!(), line!(), stringify!($condition), format_args!($($message)+)
            ));
        }
    };
}

/// Ends the program with status 1 unless the two values, what is and what should be, are equal.
#[macro_export]
macro_rules! check_eq {
    ($actual:expr, $expected:expr $(,)?) => {
        match (&$actual, &$expected) {
            (actual, expected) => {
                if *actual != *expected {
                    $crate::fail(format_args!(
                        "{}:{}: {}\n  is        {:x?}\n  should be {:x?}",
                        file!(),
                        line!(),
                        stringify!($actual),
                        actual,
                        expected
                    ));
                }
            }
        }
    };
}

/// Announces and does the one thing that must kill the program; to survive it is a failure.
#[macro_export]
macro_rules! fatal {
    ($action:expr) => {{
        $crate::println!("fatal: {}", stringify!($action));
        let _ = $action;
        $crate::fail(format_args!("{}:{}: survived: {}", file!(), line!(), stringify!($action)));
    }};
}

/// Writes the message to standard error and exits with status 1.
pub fn fail(message: core::fmt::Arguments<'_>) -> ! {
    crate::io::print_to(STDERR, format_args!("{message}\n"));
    crate::sys::exit(1)
}
