//! Random programs by number, as many as one likes, with all oracles on.
//!
//! A number makes a program: its order of munmap, whether steps of it are refused, how many processes run it, and its
//! operations. So a failure is repeated by its number alone.

use std::fmt;

use mm::space::MunmapOrder;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::machine::Bug;
use crate::strategy::{Processes, Program, Refusals, programs};

/// Operations of a program, at most.
const LENGTH: usize = 60;
/// Programs at most that are tried in search of a smaller one.
const SHRINK: usize = 5000;

/// A random program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbered(pub u64);

impl Numbered {
    /// Its order of munmap, as an index of [`MunmapOrder::ALL`]: four in a row have all.
    pub fn order(self) -> usize {
        (self.0 % MunmapOrder::ALL.len() as u64) as usize
    }

    /// Whether steps of it are refused: four in a row are alike.
    fn refusals(self) -> Refusals {
        if (self.0 / MunmapOrder::ALL.len() as u64).is_multiple_of(2) {
            Refusals::None
        } else {
            Refusals::Some
        }
    }

    /// How many processes run it: eight in a row are alike.
    fn processes(self) -> Processes {
        if (self.0 / 8) % 4 == 3 { Processes::Several } else { Processes::One }
    }

    /// Runs it with `bug` put back. The number of its operations.
    ///
    /// # Errors
    /// The smallest program made of it that fails.
    pub fn run(self, bug: Option<Bug>) -> Result<u64, Box<Found>> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.0.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = programs(MunmapOrder::ALL[self.order()], self.refusals(), self.processes(), LENGTH);
        let mut tree = strategy.new_tree(&mut runner).expect("programs are never rejected");

        let fails = |program: &Program| {
            let program = Program { setup: program.setup.bug(bug), ..program.clone() };
            program.run().err().map(|failure| Found { number: self.0, program, failure })
        };
        let program = tree.current();
        let Some(mut found) = fails(&program) else { return Ok(program.ops.len() as u64) };
        // Smaller programs that still fail are better finds.
        let mut another = tree.simplify();
        for _ in 0..SHRINK {
            if !another {
                break;
            }
            another = match fails(&tree.current()) {
                Some(smaller) => {
                    found = smaller;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        Err(Box::new(found))
    }
}

/// A program that fails. Prints as what a person needs.
#[derive(Clone, Debug)]
pub struct Found {
    number: u64,
    /// The program.
    pub program: Program,
    /// What goes wrong in it.
    pub failure: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { number, program, failure } = self;
        writeln!(
            f,
            "{failure}\n\nThe smallest program that fails, as a test:\n{program:?}.expect(\"success\");\n"
        )?;
        write!(f, "seed {number}; repeat: sugarbush soak --seed {number} --operations 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_failure(bug: Bug) -> Box<Found> {
        (0..500).find_map(|number| Numbered(number).run(Some(bug)).err()).expect("500 programs find it")
    }

    #[test]
    fn a_failure_is_small_and_repeated_by_its_number() {
        let bug = Bug::Mm(mm::museum::Bug::LockedPagesOfWrongVma);
        let found = first_failure(bug);
        assert!(found.program.ops.len() < 10, "{found}");
        let again = Numbered(found.number).run(Some(bug)).expect_err("it fails again");
        assert_eq!(again.to_string(), found.to_string());
        assert!(found.to_string().ends_with(&format!("--seed {} --operations 1", found.number)));
        assert!(Numbered(found.number).run(None).is_ok());
    }

    #[test]
    fn programs_in_a_row_are_of_all_kinds() {
        let kinds: Vec<_> =
            (8..16).map(|number| (Numbered(number).order(), Numbered(number).refusals())).collect();
        for order in 0..MunmapOrder::ALL.len() {
            assert!(kinds.contains(&(order, Refusals::None)) && kinds.contains(&(order, Refusals::Some)));
        }
        let several = (0..32).filter(|number| Numbered(*number).processes() == Processes::Several);
        assert_eq!(several.collect::<Vec<_>>(), (24..32).collect::<Vec<_>>());
    }
}
