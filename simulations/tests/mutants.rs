//! Bugs that are planted on purpose, and what finds them.
//!
//! `mutants.toml` says for each bug which checker catches it, and at which of the swarm's seeds. To
//! write it anew, after a change that moves seeds about:
//!
//! ```text
//! RUSTFLAGS="--cfg mutant" CARGO_TARGET_DIR=target/mutant \
//!     cargo simulate mutants --seed 501 --pin simulations/tests/mutants.toml
//! ```

/// The table.
const PINNED: &str = include_str!("mutants.toml");

/// In the build that has them.
#[cfg(mutant)]
mod planted {
    use distributary::mutant::Mutant;
    use simulations::mutants::{Caught, Pinned, Search};

    /// A change of the library may move what a seed shows by a little: so many seeds are looked at first…
    const WINDOW: u64 = 20;

    /// …and if none of them shows it any more, so many from the first seed on, as when it was pinned.
    const RUNS_MAX: u64 = 500;

    /// Where the search that wrote the table began: `simulate mutants --seed 501`.
    const FIRST_SEED: u64 = 501;

    /// Bugs that there have to be, at least.
    const MUTANTS_MIN: usize = 30;

    fn pinned() -> Vec<Caught> {
        let pinned: Pinned = toml::from_str(super::PINNED).expect("it is a table of bugs");
        pinned.caught
    }

    /// Where the bug's checker catches it now: soon after the pinned seed, or else anywhere among those
    /// that it has to be caught at.
    fn caught(search: &mut Search, mutant: Mutant, known: &Caught) -> Option<Caught> {
        let ranges = [(known.seed, WINDOW), (FIRST_SEED, RUNS_MAX)];
        let mut found = ranges.into_iter().map(|range| {
            let found = search.of(mutant, range, Some(&known.oracle));
            found.expect("every seed can be drawn")
        });
        found.find_map(|caught| caught)
    }

    #[test]
    fn each_bug_is_caught_by_its_checker_and_the_sound_library_is_not() {
        let pinned = pinned();
        let mut search = Search::new(2);
        let mut missed = Vec::new();
        for mutant in Mutant::ALL {
            let name = mutant.name();
            let Some(known) = pinned.iter().find(|known| known.mutant == name) else {
                missed.push(format!("{name} is not in the table"));
                continue;
            };
            match caught(&mut search, *mutant, known) {
                Some(caught) => println!("{name}: {} at seed {}", caught.oracle, caught.seed),
                None => missed.push(format!("{name} is missed by {}", known.oracle)),
            }
        }
        assert!(missed.is_empty(), "{missed:#?}");
    }

    #[test]
    fn there_are_enough_of_them_and_each_is_caught_soon() {
        assert!(Mutant::ALL.len() >= MUTANTS_MIN);
        let pinned = pinned();
        assert_eq!(pinned.len(), Mutant::ALL.len(), "each has one place");
        let late = pinned.iter().find(|caught| caught.runs > RUNS_MAX);
        assert_eq!(late, None);
    }
}

/// In any other.
#[cfg(not(mutant))]
mod none {
    use std::process::Command;

    const SIMULATE: &str = env!("CARGO_BIN_EXE_simulate");

    /// The names of the bugs are in every build that has them: the command prints them.
    #[test]
    fn an_ordinary_build_has_no_bug_in_it() {
        let program = std::fs::read(SIMULATE).expect("it was built for this test");
        let holds = |text: &str| {
            let mut windows = program.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        assert!(
            holds("simulate replay"),
            "text is found where there is some"
        );
        let names = super::PINNED
            .lines()
            .filter_map(|line| line.strip_prefix("mutant = "));
        let names: Vec<&str> = names.map(|name| name.trim_matches('"')).collect();
        assert!(names.len() >= 20);
        let found: Vec<_> = names.into_iter().filter(|name| holds(name)).collect();
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn asked_for_bugs_it_says_that_it_has_none() {
        let told = Command::new(SIMULATE).arg("mutants").output();
        let told = told.expect("it can be run");
        assert_eq!(told.status.code(), Some(2));
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(said.contains("no bugs to plant"), "{said}");
    }
}
