//! Clocks: the time-stamp counter, the timer chip that tells its frequency, the battery-backed clock.

use core::hint;

use super::{apic, port};

/// Frequency of the timer chip in Hz.
const PIT_HZ: u64 = 1_193_182;
/// How long a measurement takes, in ticks of the timer chip: 4 ms.
const INTERVAL: u16 = (PIT_HZ * 4 / 1000) as u16;
/// Measurements at most. Mostly the first is good: see [`Measurement::is_good`].
const MEASUREMENTS: u32 = 4;
/// Channel 2 can be read back through port 0x61 and its gate controlled; nothing else uses it.
const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
const PIT_GATE: u16 = 0x61;
/// A slower time-stamp counter than this does not exist: the timer chip is missing.
const MIN_FREQUENCY: u64 = 50_000_000;
/// What the APIC timer is taken to make in a second when it cannot be measured: 1 GHz, divided by 16.
const APIC_FALLBACK: u64 = 62_500_000;
/// Give up waiting after this many reads: each takes about a microsecond at least.
const MAX_POLLS: u32 = 1_000_000;

/// The time-stamp counter.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has it, and CR4.TSD does not concern ring 0.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Time-stamp counter values around the start and around the end of the timer chip's interval.
struct Measurement {
    before_start: u64,
    after_start: u64,
    before_end: u64,
    after_end: u64,
}

impl Measurement {
    /// Best guess at the length of the interval, in ticks.
    fn ticks(&self) -> u64 {
        (self.before_end + self.after_end - self.before_start - self.after_start) / 2
    }

    /// How far the guess may be off. Large when an emulated CPU was stopped for a while just then.
    fn uncertainty(&self) -> u64 {
        (self.after_start - self.before_start + self.after_end - self.before_end) / 2
    }

    /// Whether it is certain to half a percent.
    fn is_good(&self) -> bool {
        self.uncertainty() < self.ticks() / 200
    }
}

/// Measures the time-stamp counter against the timer chip, and the APIC timer against the time-stamp counter;
/// returns the ticks of the time-stamp counter in a second. `None` when the timer chip does not count.
pub(super) fn calibrate() -> Option<u64> {
    let frequency = calibrate_by_timer_chip();
    if frequency.is_none() {
        apic::set_frequency(APIC_FALLBACK);
    }
    frequency
}

fn calibrate_by_timer_chip() -> Option<u64> {
    let apic_start = ticks();
    apic::start_counting();
    let mut best = measure()?;
    for _ in 1..MEASUREMENTS {
        if best.is_good() {
            break;
        }
        let next = measure()?;
        if next.uncertainty() < best.uncertainty() {
            best = next;
        }
    }
    let frequency = best.ticks() * PIT_HZ / u64::from(INTERVAL);
    if frequency < MIN_FREQUENCY {
        return None;
    }
    let apic_ticks = u128::from(apic::counted());
    let elapsed = u128::from((ticks() - apic_start).max(1));
    apic::set_frequency((apic_ticks * u128::from(frequency) / elapsed) as u64);
    Some(frequency)
}

fn measure() -> Option<Measurement> {
    // SAFETY: channel 2 of the timer chip and the gate port, in the documented order (Intel 8254 data sheet).
    unsafe {
        // Gate on, speaker off.
        port::write(PIT_GATE, port::read(PIT_GATE) & !2 | 1);
        // Channel 2, low then high byte, mode 0: output goes up when the count reaches 0.
        port::write(PIT_COMMAND, 0b1011_0000);
        port::write(PIT_CHANNEL_2, INTERVAL as u8);
    }
    let before_start = ticks();
    // SAFETY: as above; this starts the count.
    unsafe { port::write(PIT_CHANNEL_2, (INTERVAL >> 8) as u8) };
    let after_start = ticks();
    let mut before_end = after_start;
    for _ in 0..MAX_POLLS {
        // SAFETY: reading the gate port has no side effects.
        let output = unsafe { port::read(PIT_GATE) } & 0x20;
        let now = ticks();
        if output != 0 {
            return Some(Measurement { before_start, after_start, before_end, after_end: now });
        }
        before_end = now;
        hint::spin_loop();
    }
    None
}

fn cmos(register: u8) -> u8 {
    // SAFETY: selects a clock register and reads it; bit 7 would mask NMIs and stays clear.
    unsafe {
        port::write(0x70, register);
        port::read(0x71)
    }
}

/// The battery-backed clock as it stands: year, month, day, hour, minute, second.
fn read_clock() -> [u8; 6] {
    [cmos(9), cmos(8), cmos(7), cmos(4), cmos(2), cmos(0)]
}

/// Wall-clock time in seconds since 1970, from the battery-backed clock (taken as UTC); 0 when it makes no sense.
pub(crate) fn wall_clock_seconds() -> u64 {
    // Two equal readings are not torn by an update; an update comes once a second.
    let mut reading = read_clock();
    for _ in 0..8 {
        let again = read_clock();
        if again == reading {
            break;
        }
        reading = again;
    }
    let format = cmos(0x0b);
    let decode = |value: u8| if format & 4 == 0 { (value >> 4) * 10 + (value & 15) } else { value };
    let is_afternoon = reading[3] & 0x80 != 0;
    let [year, month, day, hour, minute, second] = reading.map(|value| u64::from(decode(value & 0x7f)));
    let hour = if format & 2 == 0 { hour % 12 + if is_afternoon { 12 } else { 0 } } else { hour };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return 0;
    }
    days_since_1970(2000 + year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, not before 1970. Years start in March here, so the
/// leap day is the last of its year.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    days - 719_468
}
