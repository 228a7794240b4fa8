//! Why a node did not start.

use crate::limit::LimitError;
use crate::quic::TransportError;

/// Why a node did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No secret was given.
    #[error("no secret: every node of a cluster needs the same one, of at least 16 bytes")]
    SecretMissing,
    /// A second secret, different from the first, was given.
    #[error("two different secrets were given")]
    SecretsDiffer,
    /// No limit was given.
    #[error("no limit: name at least one with `limit(name, limit)`")]
    LimitMissing,
    /// Two limits have one name.
    #[error("the limit {0:?} is given twice")]
    LimitTwice(String),
    /// A limit's name is empty, or collides with another's.
    #[error("{0:?} cannot be a limit's name: it is empty, too long or hashes like another's")]
    LimitName(String),
    /// More limits than can be.
    #[error("more than 65535 limits")]
    LimitsTooMany,
    /// The overshoot is out of range.
    #[error(transparent)]
    Overshoot(#[from] LimitError),
    /// An address could not be understood.
    #[error("{text:?} is not an address such as 10.0.0.1:7000 or [::1]:7000")]
    Address {
        /// What was given.
        text: String,
    },
    /// The tick is out of range.
    #[error("a tick of {0:?} is not between 1 ms and 10 s")]
    Tick(std::time::Duration),
    /// The transport did not start: an occupied port, a secret too short.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The operating system gave no randomness, without which a node has no id.
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
}
