//! `simulate mutants`: bugs are planted, one after the other, and the swarm's checkers look for them.

use std::path::PathBuf;

/// Plants each known bug of the library and runs the swarm until a checker finds it.
///
/// Exit code 0: each was found; 1: one was not. Bugs are compiled under `--cfg mutant` alone: in any
/// other build this says so, and the exit code is 2.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Runs for each bug, at most.
    #[arg(long, default_value_t = 500)]
    runs: u64,
    /// The first seed; the others follow it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Only these bugs, by name, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where to write what was found.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to write the table that the test rests on: simulations/tests/mutants.toml.
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    pin: Option<PathBuf>,
}

#[cfg(not(mutant))]
impl Options {
    /// Says that there is nothing to plant.
    ///
    /// # Errors
    /// Always.
    pub fn execute(self) -> anyhow::Result<std::process::ExitCode> {
        anyhow::bail!(
            "this build has no bugs to plant; use\n  \
             RUSTFLAGS=\"--cfg mutant\" CARGO_TARGET_DIR=target/mutant cargo simulate mutants"
        )
    }
}

#[cfg(mutant)]
mod search {
    use std::process::ExitCode;

    use anyhow::Context;
    use distributary::mutant::Mutant;

    use super::Options;
    use crate::mutants::{Caught, Pinned, Search};
    use crate::say::say;

    impl Options {
        /// Looks for each bug.
        ///
        /// # Errors
        /// A seed that can't be drawn, a name that no bug has, or a file that can't be written.
        pub fn execute(self) -> anyhow::Result<ExitCode> {
            let mutants = self.mutants()?;
            let (first, runs) = (self.seed, self.runs);
            say!(
                "{} bugs, up to {runs} runs from seed {first}",
                mutants.len()
            );
            say!("bug                       caught by         seed   runs");
            // A panic is a verdict: the hook's own words would be in the way.
            std::panic::set_hook(Box::new(|_| {}));
            let (mut search, mut pinned) = (Search::new(self.threads), Pinned::default());
            for mutant in &mutants {
                let caught = search.of(*mutant, (first, runs), None)?;
                say!("{}", line(*mutant, caught.as_ref()));
                pinned.caught.extend(caught);
            }
            drop(std::panic::take_hook());
            say!("{} of {} caught", pinned.caught.len(), mutants.len());
            self.write(&pinned)?;
            Ok(ExitCode::from(u8::from(
                pinned.caught.len() < mutants.len(),
            )))
        }

        fn mutants(&self) -> anyhow::Result<Vec<Mutant>> {
            if self.only.is_empty() {
                return Ok(Mutant::ALL.to_vec());
            }
            let named = |name: &String| {
                let found = Mutant::ALL.iter().find(|mutant| mutant.name() == name);
                found
                    .copied()
                    .with_context(|| format!("no bug is called {name}"))
            };
            self.only.iter().map(named).collect()
        }

        fn write(&self, pinned: &Pinned) -> anyhow::Result<()> {
            if let Some(file) = &self.json {
                let text = serde_json::to_vec_pretty(pinned)?;
                std::fs::write(file, text).with_context(|| file.display().to_string())?;
            }
            if let Some(file) = &self.pin {
                let text = toml::to_string(pinned)?;
                std::fs::write(file, text).with_context(|| file.display().to_string())?;
            }
            Ok(())
        }
    }

    fn line(mutant: Mutant, caught: Option<&Caught>) -> String {
        let name = mutant.name();
        match caught {
            Some(Caught {
                oracle, seed, runs, ..
            }) => format!("{name:<25} {oracle:<14} {seed:>7} {runs:>6}"),
            None => format!("{name:<25} NOT CAUGHT:{}", mutant.what()),
        }
    }
}
