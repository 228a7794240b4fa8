//! How the hot path tells the protocol that a key changed, without waiting for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::units::KeyId;

/// Woken when a key needs the protocol before its next tick. Must not block.
pub trait Wake: Send + Sync {
    /// Called with no lock held.
    fn wake(&self);
}

/// What a check has to say to the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Nothing new.
    Silent,
    /// The entry changed: a row may be due at the next tick.
    Changed,
    /// Rights ran out here: peers should know at once.
    Urgent,
}

/// Keys that wait for the protocol. Sets, so that the order in which threads came does not show.
#[derive(Default)]
pub(super) struct Signals {
    changed: Mutex<BTreeSet<KeyId>>,
    urgent: Mutex<BTreeSet<KeyId>>,
    wake: RwLock<Option<Arc<dyn Wake>>>,
}

impl Signals {
    /// Passes a signal on; most checks have none.
    #[inline]
    pub(super) fn raise(&self, key: KeyId, signal: Signal) {
        if signal != Signal::Silent {
            self.note(key, signal);
        }
    }

    fn note(&self, key: KeyId, signal: Signal) {
        if signal == Signal::Urgent {
            self.raise_urgent(key);
        } else {
            self.changed.lock().insert(key);
        }
    }

    fn raise_urgent(&self, key: KeyId) {
        self.changed.lock().insert(key);
        let first = {
            let mut urgent = self.urgent.lock();
            urgent.insert(key) && urgent.len() == 1
        };
        let wake = if first {
            self.wake.read().clone()
        } else {
            None
        };
        if let Some(wake) = wake {
            wake.wake();
        }
    }

    pub(super) fn set_wake(&self, wake: Arc<dyn Wake>) {
        *self.wake.write() = Some(wake);
    }

    pub(super) fn take_changed(&self) -> Vec<KeyId> {
        std::mem::take(&mut *self.changed.lock())
            .into_iter()
            .collect()
    }

    pub(super) fn take_urgent(&self) -> Vec<KeyId> {
        std::mem::take(&mut *self.urgent.lock())
            .into_iter()
            .collect()
    }
}
