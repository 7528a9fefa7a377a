//! Runs one schedule of one race, and prints what each thread did and was answered, and the verdict; exit status 1 if that is
//! a failure, 2 for a line that cannot be replayed. With `--into DIRECTORY`, writes there what a kernel needs to run the same
//! (`script`), and what came of it here (`outcome`).
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use explore::Explorer;
use sim::race::Replay;

/// Runs the line. Whether it passes.
fn replay(line: &str, into: Option<PathBuf>) -> Result<bool, String> {
    let replay: Replay = line.parse().map_err(|error: sim::race::ParseError| error.to_string())?;
    let outcome = replay.run(&mut Explorer::on_host())?;
    if let Some(directory) = into {
        for (name, content) in [("script", outcome.replay.script()), ("outcome", outcome.lines())] {
            let file = directory.join(name);
            fs::write(&file, content).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    println!("{outcome}");
    Ok(outcome.fault.is_none())
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let into = match arguments.iter().position(|argument| argument == "--into") {
        Some(option) if option + 1 < arguments.len() => {
            arguments.drain(option..option + 2).nth(1).map(PathBuf::from)
        }
        _ => None,
    };
    match replay(&arguments.join(" "), into) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(mistake) => {
            eprintln!("replay: {mistake}");
            ExitCode::from(2)
        }
    }
}
