//! One QEMU process: its command line, and the serial lines as sockets.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use command_fds::{CommandFdExt as _, FdMapping};

use crate::errors::usage;

const QEMU: &str = "qemu-system-x86_64";

/// Where gdb attaches.
pub(crate) const GDB_PORT: u16 = 1234;

/// File descriptors of QEMU's ends of COM1 to COM3.
const SERIAL_FDS: [i32; 3] = [10, 11, 12];

/// What the machine boots.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Medium<'a> {
    /// A kernel ELF file and a ramdisk, by the PVH entry.
    Kernel { elf: &'a Path, initramfs: &'a Path },
    /// A disk image, by UEFI.
    Disk { image: &'a Path, firmware: &'a Path },
}

/// What the time-stamp counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Time on the host.
    Host,
    /// Instructions of the guest, one tick each.
    Instructions,
}

/// Whether the machine waits for a debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debugger {
    /// It does not.
    None,
    /// It stands still before the first instruction until gdb lets it run.
    Gdb,
}

/// A machine to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine<'a> {
    /// What it boots.
    pub(crate) medium: Medium<'a>,
    /// Number of processors.
    pub(crate) smp: u8,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// What the time-stamp counter counts.
    pub(crate) clock: Clock,
    /// Whether it waits for gdb.
    pub(crate) debugger: Debugger,
}

/// A machine that was started. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    stderr: File,
    serial: [UnixStream; 3],
}

impl Machine<'_> {
    /// Starts QEMU. To be called on a thread that outlives the machine: QEMU is killed when it ends.
    ///
    /// # Errors
    /// When QEMU is not installed or cannot be started.
    pub(crate) fn start(&self) -> Result<Running> {
        let qemu = installed()?;
        let mut command = dying_with_us(&qemu);
        self.arguments(&mut command);

        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for (number, child_fd) in SERIAL_FDS.into_iter().enumerate() {
            let (host, guest) = UnixStream::pair().context("no sockets for the serial lines")?;
            ours.push(host);
            theirs.push(FdMapping { parent_fd: OwnedFd::from(guest), child_fd });
            command.arg("-chardev").arg(format!("socket,id=com{},fd={child_fd}", number + 1));
            command.arg("-serial").arg(format!("chardev:com{}", number + 1));
        }
        command.fd_mappings(theirs)?;
        let stderr = tempfile::tempfile().context("no temporary file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(stderr.try_clone()?)
            .stderr(stderr.try_clone()?)
            // Its own process group: what is typed at the terminal (Ctrl-C) is for us to pass on.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", qemu.display()))?;
        let serial = ours.try_into().ok().context("three serial lines")?;
        Ok(Running { child, stderr, serial })
    }

    fn arguments(&self, command: &mut Command) {
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.args(["-cpu", "max,-erms", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        command.args(["-smp", &self.smp.to_string(), "-m", &self.memory.to_string()]);
        match self.medium {
            Medium::Kernel { elf, initramfs } => {
                // The quickest of the machines with PIT, RTC, APIC and ISA serial lines: 0.15 s to the kernel.
                command.args(["-machine", "pc"]).arg("-kernel").arg(elf).arg("-initrd").arg(initramfs);
            }
            Medium::Disk { image, firmware } => {
                command.args(["-machine", "q35"]).arg("-bios").arg(firmware);
                let mut drive = std::ffi::OsString::from("format=raw,file=");
                drive.push(image);
                command.arg("-drive").arg(drive);
            }
        }
        if self.clock == Clock::Instructions {
            command.args(["-icount", "shift=0,sleep=off"]);
        }
        if self.debugger == Debugger::Gdb {
            command.arg("-gdb").arg(format!("tcp:127.0.0.1:{GDB_PORT}")).arg("-S");
        }
    }
}

impl Running {
    /// Our ends of COM1 to COM3.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub(crate) fn serial(&self) -> Result<[UnixStream; 3]> {
        let [com1, com2, com3] = &self.serial;
        Ok([com1.try_clone()?, com2.try_clone()?, com3.try_clone()?])
    }

    /// Ends the machine at once, whatever it does.
    pub(crate) fn kill(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
    }

    /// Waits for its end, and returns what QEMU itself had to say.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub(crate) fn wait(&mut self) -> Result<String> {
        self.child.wait().context("QEMU cannot be waited for")?;
        let mut words = Vec::new();
        self.stderr.rewind()?;
        self.stderr.read_to_end(&mut words)?;
        Ok(String::from_utf8_lossy(&words).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// The emulator.
///
/// # Errors
/// When it is not installed.
pub(crate) fn installed() -> Result<PathBuf> {
    in_path(QEMU).ok_or_else(|| usage(format!("{QEMU} is not installed; apt-get install qemu-system-x86")))
}

/// A command that the operating system kills when this process dies, where `setpriv` can arrange that.
fn dying_with_us(program: &Path) -> Command {
    match in_path("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The file that a shell would run for this command.
pub(crate) fn in_path(command: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(command))
        .find(|file| file.is_file())
}
