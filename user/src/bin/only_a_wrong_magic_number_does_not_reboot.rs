//! `reboot` wants its two magic numbers and a command that exists.
#![no_std]
#![no_main]

use abi::reboot::*;
use user::prelude::*;
use user::rt::syscall::syscall4;

program!(main);

fn main() {
    let reboot =
        |one: u32, two: u32, command: u32| syscall4(nr::REBOOT, one.into(), two.into(), command.into(), 0);
    check_eq!(reboot(0, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF), Err(Errno::EINVAL));
    check_eq!(reboot(LINUX_REBOOT_MAGIC1, 0, LINUX_REBOOT_CMD_POWER_OFF), Err(Errno::EINVAL));
    check_eq!(reboot(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, 0x1234), Err(Errno::EINVAL));
}
