//! Magic numbers and commands of `reboot(2)`.

/// First magic number.
pub const LINUX_REBOOT_MAGIC1: u32 = 0xfee1_dead;
/// Second magic number.
pub const LINUX_REBOOT_MAGIC2: u32 = 0x2812_1969;
/// Second magic number, alternative.
pub const LINUX_REBOOT_MAGIC2A: u32 = 0x0512_1996;
/// Second magic number, alternative.
pub const LINUX_REBOOT_MAGIC2B: u32 = 0x1604_1998;
/// Second magic number, alternative.
pub const LINUX_REBOOT_MAGIC2C: u32 = 0x2011_2000;

/// Restart.
pub const LINUX_REBOOT_CMD_RESTART: u32 = 0x0123_4567;
/// Halt.
pub const LINUX_REBOOT_CMD_HALT: u32 = 0xcdef_0123;
/// Ctrl-Alt-Del restarts at once.
pub const LINUX_REBOOT_CMD_CAD_ON: u32 = 0x89ab_cdef;
/// Ctrl-Alt-Del sends a signal to process 1.
pub const LINUX_REBOOT_CMD_CAD_OFF: u32 = 0;
/// Power off.
pub const LINUX_REBOOT_CMD_POWER_OFF: u32 = 0x4321_fedc;
/// Restart with a string for the firmware.
pub const LINUX_REBOOT_CMD_RESTART2: u32 = 0xa1b2_c3d4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_numbers_are_those_of_linux() {
        let decimal = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
        assert_eq!(
            [LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C],
            decimal
        );
    }
}
