//! What a checker says: pass, fail with a witness, or unknown.

use serde::{Deserialize, Serialize};

/// The verdict of one checker over one run, the best first: the worst of several is their maximum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The claim held, and could have failed.
    Pass(Finding),
    /// Nothing was seen that could have shown the claim false.
    Unknown(String),
    /// The claim is false.
    Fail(Finding),
}

/// What was found, with the numbers that show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// In a sentence.
    pub text: String,
    /// The worst value seen.
    pub measured: f64,
    /// What it was held against.
    pub bound: f64,
    /// The unit of both.
    pub unit: String,
    /// When the worst was seen.
    pub at_ns: u64,
    /// The events that show it, at most fifteen lines.
    pub timeline: Vec<String>,
}

impl Verdict {
    /// 0 passes, 1 is unknown, 2 fails: the higher is the worse.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Pass(_) => 0,
            Self::Unknown(_) => 1,
            Self::Fail(_) => 2,
        }
    }

    /// The process's exit code: 0 pass, 1 fail, 3 unknown (2 is bad usage).
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Pass(_) => 0,
            Self::Unknown(_) => 3,
            Self::Fail(_) => 1,
        }
    }
}

/// Looks at one claim.
pub trait Checker {
    /// The claim's name.
    fn name(&self) -> &'static str;

    /// Judges a run by its history alone.
    fn check(&self, scenario: &crate::Scenario, run: &crate::Run) -> Verdict;
}
