//! Puts every bug of the museum back, one after the other, and shows what catches it; then shows that nothing is found
//! without. With a word as argument: only the exhibits whose titles contain it, and what was found in full.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use explore::Explorer;
use sim::museum::{Caught, EXHIBITS, Exhibit, Finder, visit};

fn main() -> ExitCode {
    let word = std::env::args().nth(1);
    let wanted = |exhibit: &&Exhibit| word.as_ref().is_none_or(|word| exhibit.title.contains(word.as_str()));
    let mut explorer = Explorer::on_host();
    println!("{:36} {:52} {:10} {:>6} {:>11}  history", "bug", "caught by", "order", "steps", "preemptions");
    let (mut shown, mut missed) = (0, 0);
    for exhibit in EXHIBITS.iter().filter(wanted) {
        shown += 1;
        let Some(Caught { by, order, report }) = visit(&mut explorer, Some(exhibit.bug)) else {
            missed += 1;
            println!("{:36} NOT CAUGHT", exhibit.title);
            continue;
        };
        let (steps, preemptions) = match &by {
            Finder::Schedule { steps, preemptions, .. } => (steps.to_string(), preemptions.to_string()),
            _ => ("-".into(), "-".into()),
        };
        let (by, order) = (by.to_string(), order.to_string());
        println!("{:36} {by:52} {order:10} {steps:>6} {preemptions:>11}  {}", exhibit.title, exhibit.history);
        if word.is_some() {
            println!("{report}\n");
        }
    }
    if shown == 0 {
        eprintln!("museum: no exhibit has {:?} in its title", word.unwrap_or_default());
        return ExitCode::FAILURE;
    }
    let false_alarm = if word.is_none() { visit(&mut explorer, None) } else { None };
    match &false_alarm {
        Some(Caught { by, order, report }) => {
            println!("without a bug: {by} in {order} order fails:\n{report}")
        }
        None if word.is_none() => println!("{:36} nothing is found", "without a bug"),
        None => {}
    }
    println!("{} caught, {missed} missed", shown - missed);
    ExitCode::from(u8::from(missed > 0 || false_alarm.is_some()))
}
