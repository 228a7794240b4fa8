//! Links that can be cut on purpose, below QUIC.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::address::canonical;

/// Cuts and heals the links between this node and chosen remote addresses.
///
/// Datagrams to and from a cut address vanish, as in a network that lost them; neither QUIC nor
/// the peer is told. Clones are handles to the same links. While nothing is cut it costs one
/// atomic read per system call.
#[derive(Clone)]
pub struct FaultLink(Arc<Links>);

struct Links {
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Whether any datagram needs a look at the state.
    watching: AtomicBool,
    dropped: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cut: BTreeSet<SocketAddr>,
    /// Healed, and not yet seen to pass.
    healed: BTreeSet<SocketAddr>,
    first_passed_ns: Option<u64>,
}

impl FaultLink {
    /// With all links whole. `clock` gives nanoseconds and stamps
    /// [`first_passed_ns`](Self::first_passed_ns).
    #[must_use]
    pub fn new(clock: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self(Arc::new(Links {
            clock,
            watching: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            state: Mutex::default(),
        }))
    }

    /// Drops every datagram to and from `address` from now on.
    pub fn cut(&self, address: SocketAddr) {
        let address = canonical(address);
        self.change(|state| {
            state.healed.remove(&address);
            state.cut.insert(address);
        });
    }

    /// Lets datagrams to and from `address` pass again.
    pub fn heal(&self, address: SocketAddr) {
        let address = canonical(address);
        self.change(|state| {
            if state.cut.remove(&address) {
                state.healed.insert(address);
                state.first_passed_ns = None;
            }
        });
    }

    /// Lets everything pass again.
    pub fn heal_all(&self) {
        self.change(|state| {
            if !state.cut.is_empty() {
                state.healed.append(&mut state.cut);
                state.first_passed_ns = None;
            }
        });
    }

    /// Whether datagrams to and from `address` are dropped.
    #[must_use]
    pub fn is_cut(&self, address: SocketAddr) -> bool {
        self.0.state.lock().cut.contains(&canonical(address))
    }

    /// When, by the clock, the first datagram passed to or from a healed address after the last
    /// heal. `None` until one does.
    #[must_use]
    pub fn first_passed_ns(&self) -> Option<u64> {
        self.0.state.lock().first_passed_ns
    }

    /// Datagrams dropped so far, in both directions.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.state.lock();
        change(&mut state);
        let watching = !state.cut.is_empty() || !state.healed.is_empty();
        self.0.watching.store(watching, Ordering::Release);
    }

    /// Whether `datagrams` datagrams to or from `address` may pass; counts them if not.
    pub(super) fn passes(&self, address: SocketAddr, datagrams: u64) -> bool {
        if !self.0.watching.load(Ordering::Acquire) {
            return true;
        }
        let address = canonical(address);
        let mut state = self.0.state.lock();
        if state.cut.contains(&address) {
            self.0.dropped.fetch_add(datagrams, Ordering::Relaxed);
            return false;
        }
        if state.healed.remove(&address) {
            state
                .first_passed_ns
                .get_or_insert_with(|| (self.0.clock)());
            let watching = !state.cut.is_empty() || !state.healed.is_empty();
            self.0.watching.store(watching, Ordering::Release);
        }
        true
    }
}

impl fmt::Debug for FaultLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultLink")
            .field("cut", &self.0.state.lock().cut)
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_cut_links_drop_and_the_first_to_pass_is_stamped() {
        let link = FaultLink::new(Arc::new(|| 7));
        let (one, other) = (address("10.0.0.1:1"), address("10.0.0.2:1"));
        link.cut(one);
        assert!(!link.passes(one, 3) && link.passes(other, 1));
        assert_eq!((link.dropped(), link.first_passed_ns()), (3, None));
        link.heal_all();
        assert!(link.passes(other, 1));
        assert_eq!(link.first_passed_ns(), None);
        assert!(link.passes(one, 1));
        assert_eq!(link.first_passed_ns(), Some(7));
        link.cut(one);
        link.heal(one);
        assert_eq!(link.first_passed_ns(), None);
    }

    #[test]
    fn an_address_is_cut_in_either_family() {
        let link = FaultLink::new(Arc::new(|| 0));
        link.cut(address("10.0.0.1:1"));
        assert!(link.is_cut(address("[::ffff:10.0.0.1]:1")));
        assert!(!link.passes(address("[::ffff:10.0.0.1]:1"), 1));
    }
}
