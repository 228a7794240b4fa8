//! What was ever sent. Nothing is ever taken out: what is never delivered was lost, what is
//! delivered twice was doubled, and any order is some order.

use std::sync::Arc;

use distributary::proto::parts::Opening;
use distributary::proto::{Grant, NodeId, View, ViewId};

/// A grant on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who made it.
    pub from: NodeId,
    /// For whom.
    pub to: NodeId,
    /// In which view.
    pub view: ViewId,
    /// Whether the sender had followed that view as it sent this.
    pub followed: bool,
    /// The grant.
    pub grant: Grant,
}

/// Word that a grant was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Who applied it.
    pub by: NodeId,
    /// Who made it.
    pub from: NodeId,
    /// In which view.
    pub view: ViewId,
    /// Its number.
    pub number: u64,
}

/// All that is or was under way.
#[derive(Clone, Debug, Default, Hash)]
pub struct Network {
    pub(crate) grants: Vec<Arc<Message>>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) views: Vec<Arc<View>>,
    pub(crate) openings: Vec<(ViewId, NodeId, Arc<Opening>)>,
}

impl Network {
    pub(crate) fn opening(&self, view: ViewId, member: NodeId) -> Option<&Arc<Opening>> {
        let mut openings = self.openings.iter();
        let found = openings.find(|(of, by, _)| *of == view && *by == member);
        found.map(|(_, _, opening)| opening)
    }
}
