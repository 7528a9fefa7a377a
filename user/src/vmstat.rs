//! The counters of `/proc/vmstat`.

use crate::io::for_each_line;

/// Calls `f` with the name and the value of each line. Ends the program if a line is malformed.
pub fn for_each(mut f: impl FnMut(&str, u64)) {
    for_each_line(c"/proc/vmstat", |line| {
        let parsed = str::from_utf8(line).ok().and_then(|line| line.split_once(' '));
        match parsed.and_then(|(name, value)| Some((name, value.parse().ok()?))) {
            Some((name, value)) => f(name, value),
            None => crate::fail(format_args!("/proc/vmstat: malformed: {:?}", str::from_utf8(line))),
        }
    });
}

/// The values of these counters. Ends the program if there is no such line, or more than one.
pub fn values<const N: usize>(names: [&str; N]) -> [u64; N] {
    let mut values = [None; N];
    for_each(|name, value| {
        if let Some(index) = names.iter().position(|wanted| *wanted == name)
            && values[index].replace(value).is_some()
        {
            crate::fail(format_args!("/proc/vmstat: {name} is there twice"));
        }
    });
    values.map(|value| value.expect("a line for each name"))
}
