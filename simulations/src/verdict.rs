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
    /// What was left to the bound where that was least, in the same unit; below zero it is the
    /// furthest excess.
    #[serde(default)]
    pub slack: f64,
    /// When the worst was seen.
    pub at_ns: u64,
    /// The events that show it, at most fifteen lines.
    pub timeline: Vec<String>,
}

impl Finding {
    /// How far beyond its bound the worst value lay, absolute and in parts of the bound.
    #[must_use]
    pub fn excess(&self) -> (f64, f64) {
        let excess = (-self.slack).max(0.0);
        (excess, excess / self.bound.abs().max(f64::MIN_POSITIVE))
    }
}

impl Verdict {
    /// The claim's finding, if anything was seen.
    #[must_use]
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Pass(finding) | Self::Fail(finding) => Some(finding),
            Self::Unknown(_) => None,
        }
    }

    /// In a line: the verdict's name and its sentence.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Pass(finding) => format!("pass: {}", finding.text),
            Self::Unknown(why) => format!("unknown: {why}"),
            Self::Fail(finding) => format!("FAIL: {}", finding.text),
        }
    }

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
