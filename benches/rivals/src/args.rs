//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::measure::Effort;

/// What to measure, and how long.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// The short form: within three minutes.
    pub quick: bool,
    /// Where the figures go, for programs.
    pub json: Option<PathBuf>,
    /// Only works, rivals and figures in whose name this is.
    pub only: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Task {
    /// Measure, print.
    Versus(Args),
    /// One figure in a process of its own, printed as JSON: its name and arguments.
    Child(Vec<String>),
    /// Say how it is used; wrongly used or not.
    Usage(Option<String>),
}

/// How it is used.
pub const USAGE: &str = "\
cargo versus [--quick] [--only TEXT] [--json FILE]

Measures distributary beside other limiters: see benches/README.md.

  --quick      fewer rounds, no 10 M keys, shorter figures: within three minutes
  --only TEXT  only works, rivals and figures in whose names TEXT is:
               `--only 'string 1 k'`, `--only governor`, `--only resident`
  --json FILE  writes the figures for programs";

/// The argument that makes a process a child.
pub const CHILD: &str = "--child";

/// Reads the command line, without the program's name.
pub fn parse(mut words: impl Iterator<Item = String>) -> Task {
    let mut args = Args::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => args.quick = true,
            "--json" => match words.next() {
                Some(file) => args.json = Some(file.into()),
                None => return Task::Usage(Some("--json needs a file".to_owned())),
            },
            "--only" => match words.next() {
                Some(text) => args.only = Some(text),
                None => return Task::Usage(Some("--only needs a text".to_owned())),
            },
            "--help" | "-h" => return Task::Usage(None),
            CHILD => return Task::Child(words.collect()),
            other => return Task::Usage(Some(format!("what is {other}?"))),
        }
    }
    Task::Versus(args)
}

impl Args {
    /// Whether a figure is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    }

    /// How much is put into one comparison.
    pub const fn effort(&self) -> Effort {
        match self.quick {
            true => Effort {
                rounds: 11,
                part: Duration::from_millis(6),
            },
            false => Effort {
                rounds: 41,
                part: Duration::from_millis(12),
            },
        }
    }

    /// The one if it is to be quick, else the other.
    pub fn either<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Task {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_is_read() {
        let Task::Versus(args) = parsed("--quick --only governor --json x.json") else {
            panic!("it is right");
        };
        assert!(args.quick && args.wants("governor ahash") && !args.wants("floor"));
        assert!(matches!(parsed("--json"), Task::Usage(Some(_))));
        assert!(matches!(parsed("--what"), Task::Usage(Some(_))));
        assert!(matches!(parsed("--child resident 1"), Task::Child(words) if words.len() == 2));
    }
}
