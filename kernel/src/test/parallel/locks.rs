//! Locks that all CPUs want.

use mm::sync::{Rank, RwSem, SpinLock};

use super::{Random, kernel_test, on_all};
use crate::arch::smp;

kernel_test! {
    fn a_spin_lock_lets_one_cpu_in_at_a_time() {
        const ROUNDS: u64 = 20_000;
        let lock = SpinLock::new(Rank::PageTable, [0u64; 4]);
        on_all(|_| {
            for _ in 0..ROUNDS {
                let mut values = lock.lock();
                assert!(values.iter().all(|&value| value == values[0]));
                values.iter_mut().for_each(|value| *value += 1);
            }
        });
        assert_eq!(*lock.lock(), [ROUNDS * u64::from(smp::count()); 4]);
    }

    fn a_semaphore_keeps_writers_apart_and_readers_together() {
        const ROUNDS: u64 = 5_000;
        let sem = RwSem::new([0u64; 4]);
        on_all(|place| {
            let mut random = Random::new(place);
            for _ in 0..ROUNDS {
                if random.below(4) == 0 {
                    let mut writer = sem.write();
                    writer.iter_mut().for_each(|value| *value += 1);
                    if random.below(2) == 0 {
                        let written = *writer;
                        // No other writer gets in between.
                        assert_eq!(*writer.downgrade(), written);
                    }
                } else {
                    let reader = sem.read();
                    assert!(reader.iter().all(|&value| value == reader[0]));
                }
            }
        });
        let sum = sem.read()[0];
        assert_eq!(sem.sequence(), 2 * sum);
        assert!(sum > 0);
    }
}
