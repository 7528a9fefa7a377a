//! `sugarbush run` and `sugarbush test` against a scripted kernel: what they print and how they exit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A directory with a scripted kernel and a program for it to ignore.
struct Script {
    directory: TempDir,
}

/// How the scripted kernel ends.
#[derive(Clone, Copy)]
enum End {
    Orderly = 0x10,
    Panic = 0x11,
    Never = 0,
}

impl Script {
    fn new(com1: &str, com2: &str, com3: &str, end: End) -> Self {
        let script = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scripted.S");
        let text = |name: &str, text: &str| format!("-D{name}=\"{}\"", text.escape_default());
        let gcc = Command::new("gcc")
            .args([
                "-m32",
                "-nostdlib",
                "-static",
                "-Wl,-Ttext=0x200000,--build-id=none",
                "-z",
                "noexecstack",
            ])
            .args([text("COM1", com1), text("COM2", com2), text("COM3", com3)])
            .arg(format!("-DEND={}", end as u8))
            .arg("-o")
            .args([script.kernel(), source])
            .output()
            .expect("gcc runs");
        assert!(gcc.status.success(), "{}", String::from_utf8_lossy(&gcc.stderr));
        script
    }

    fn kernel(&self) -> PathBuf {
        self.directory.path().join("kernel")
    }

    /// `sugarbush run` with a static program (the kernel itself is not one of 64 bits).
    fn run(&self, options: &[&str]) -> Output {
        let program = self.directory.path().join("program");
        fs::write(&program, static_elf()).expect("the program is written");
        sugarbush(&["run", "--kernel"])
            .arg(self.kernel())
            .arg("--program")
            .arg(program)
            .args(options)
            .output()
            .expect("sugarbush runs")
    }

    fn test(&self) -> Output {
        let mut command = sugarbush(&["test", "--kernel"]);
        // Logs of failures are kept: here they go away with the script.
        command.env("TMPDIR", self.directory.path());
        command.arg(self.kernel()).args(["--timeout", "20"]).output().expect("sugarbush runs")
    }
}

fn sugarbush(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sugarbush"));
    command.args(args);
    command
}

/// The least that passes for a static x86-64 program.
fn static_elf() -> Vec<u8> {
    let mut file = vec![0; 64 + 56];
    file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    for (offset, byte) in [(16, 2), (18, 62), (20, 1), (32, 64), (52, 64), (54, 56), (56, 1), (64, 1)] {
        file[offset] = byte;
    }
    file
}

#[track_caller]
fn assert_status(output: &Output, status: i32) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "stderr: {stderr}");
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

mod run {
    use super::*;

    #[test]
    fn the_three_lines_go_to_their_places() {
        let output =
            Script::new("to the user\r\n", "to the log\n", "user\nexit 0\ndone\n", End::Orderly).run(&[]);
        assert_status(&output, 0);
        assert_eq!(stdout(&output), "to the user\r\n");
        assert_eq!(stderr(&output), "to the log\n");
    }

    #[test]
    fn the_log_can_go_to_a_file() {
        let script = Script::new("", "to the log\n", "user\nexit 0\ndone\n", End::Orderly);
        let log = script.directory.path().join("log");
        let output = script.run(&["--log", log.to_str().expect("UTF-8")]);
        assert_status(&output, 0);
        assert_eq!(stderr(&output), "");
        assert_eq!(fs::read_to_string(log).expect("the log is there"), "to the log\n");
    }

    #[test]
    fn the_exit_status_of_the_program_is_passed_on() {
        assert_status(&Script::new("", "", "user\nexit 42\ndone\n", End::Orderly).run(&[]), 42);
    }

    #[test]
    fn a_signal_is_128_and_its_number() {
        assert_status(&Script::new("", "", "user\nsignal 11\ndone\n", End::Orderly).run(&[]), 139);
    }

    #[test]
    fn a_panic_is_125_and_its_backtrace_is_shown() {
        let output =
            Script::new("", "panicked at the disco\n  0: dance\n", "user\npanic\n", End::Panic).run(&[]);
        assert_status(&output, 125);
        assert!(stderr(&output).contains("  0: dance\n"), "{}", stderr(&output));
    }

    #[test]
    fn an_end_without_a_word_is_125() {
        assert_status(&Script::new("", "", "user\n", End::Orderly).run(&[]), 125);
    }

    #[test]
    fn a_machine_that_stands_still_is_124() {
        let output = Script::new("before", "", "user\n", End::Never).run(&["--timeout", "1"]);
        assert_status(&output, 124);
        assert_eq!(stdout(&output), "before");
    }

    #[test]
    fn long_output_arrives_whole() {
        let text = "0123456789abcdef".repeat(2000);
        let output = Script::new(&text, "", "user\nexit 0\ndone\n", End::Orderly).run(&[]);
        assert_status(&output, 0);
        assert_eq!(stdout(&output), text);
    }
}

mod mistakes {
    use super::*;

    #[track_caller]
    fn refused(args: &[&str], word: &str) {
        let output = sugarbush(args).output().expect("sugarbush runs");
        assert_status(&output, 2);
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }

    #[test]
    fn are_told_in_one_line() {
        refused(&["run", "--program", "/nowhere"], "no such file");
        refused(&["run", "--program", "/proc/self/exe"], "-static");
        refused(&["run", "--program", env!("CARGO_MANIFEST_DIR")], "directory");
        refused(&["run", "--program", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], "not an ELF");
        refused(&["run", "--munmap", "sideways"], "prepatch");
        refused(&["run", "--frobnicate"], "--help");
        refused(&["run", "--memory", "1"], "64..=65536");
        refused(&["run", "--smp", "99"], "1..=16");
        refused(&["test", "--kernel", "/nowhere"], "no such file");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let output = Script::new("", "", "", End::Never).run(&["--initramfs", "/nowhere"]);
        assert_status(&output, 2);
        assert_eq!(stderr(&output), "sugarbush: /nowhere: no such directory\n");
    }

    #[test]
    fn without_qemu_its_package_is_named() {
        let script = Script::new("", "", "", End::Never);
        let output = sugarbush(&["test", "--kernel"]).arg(script.kernel()).env("PATH", "").output();
        let output = output.expect("sugarbush runs");
        assert!(stderr(&output).contains("qemu-system-x86"), "{}", stderr(&output));
        assert_status(&output, 2);
    }
}

mod test {
    use super::*;

    #[track_caller]
    fn closes_with(script: &Script, line: &str, status: i32) -> String {
        let output = script.test();
        let text = stdout(&output);
        assert_eq!(text.lines().last(), Some(line), "{text}");
        assert_status(&output, status);
        text
    }

    #[test]
    fn results_are_printed_and_counted() {
        let lines = "plan 3\nbegin a\npass a 1250\nbegin b\npass b 1\nskip c one processor\ndone\n";
        let text = closes_with(&Script::new("", "", lines, End::Orderly), "2 passed, 0 failed, 1 skipped", 0);
        assert!(text.contains("\npass a 1.2 ms\n"), "{text}");
        assert!(text.contains("\nskip c: one processor\n"), "{text}");
    }

    #[test]
    fn the_log_is_shown_when_a_test_fails() {
        let lines = "plan 1\nbegin a\nfail a 1\ndone\n";
        let text =
            closes_with(&Script::new("printed\n", "logged\n", lines, End::Orderly), "0 passed, 1 failed", 1);
        assert!(text.contains("\nFAIL a\n"), "{text}");
        assert!(text.contains("   printed\n") && text.contains("   logged\n"), "{text}");
    }

    #[test]
    fn the_test_that_runs_when_the_kernel_panics_has_failed() {
        let script = Script::new("", "", "plan 2\nbegin a\npass a 1\nbegin b\npanic\n", End::Panic);
        closes_with(&script, "1 passed, 1 failed", 1);
    }

    #[test]
    fn no_test_at_all_is_a_failure() {
        closes_with(&Script::new("", "", "plan 0\ndone\n", End::Orderly), "0 passed, 1 failed", 1);
        closes_with(&Script::new("", "", "", End::Orderly), "0 passed, 1 failed", 1);
    }
}
