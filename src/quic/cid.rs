//! Connection ids that any process accepts as one of its own.
//!
//! The usual ones are keyed per process, so that a restarted process ignores packets meant for its
//! predecessor. Here it is to answer them with a stateless reset, which tells the peer at once
//! that the connection is dead.

use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};

/// Bytes of an id: enough that no two connections of one process ever share one.
const CID_BYTES: usize = 8;

/// Draws ids at random.
pub(super) struct RandomIds(StdRng);

impl RandomIds {
    /// # Errors
    ///
    /// If the system has no entropy to give.
    pub(super) fn new() -> Result<Self, impl std::error::Error + Send + Sync + 'static> {
        StdRng::try_from_rng(&mut SysRng).map(Self)
    }

    /// A generator of other ids.
    pub(super) fn fork(&mut self) -> Self {
        Self(StdRng::from_rng(&mut self.0))
    }
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; CID_BYTES];
        self.0.fill_bytes(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        CID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
