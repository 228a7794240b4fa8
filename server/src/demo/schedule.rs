//! What a run asks for, and when: the common form of a log and of a made-up workload.

use std::cmp::Reverse;

/// Most requests of one run; the rest of a longer log is refused, not cut off.
pub(crate) const REQUESTS_MAX: usize = 5_000_000;

/// Requests in the order of their instants.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) requests: Vec<Request>,
    /// Names of the clients; requests hold indices into it.
    pub(crate) clients: Vec<String>,
    /// The client to watch.
    pub(crate) hottest: u32,
    /// Where the hottest client's requests mostly land, from when on; empty if nowhere.
    pub(crate) hot_spots: Vec<HotSpot>,
}

/// One unit asked for by one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) at_ns: u64,
    pub(crate) client: u32,
    /// The node that it must land on, whatever the load balancer would choose.
    pub(crate) target: Option<u8>,
}

/// From when on the hottest client's requests mostly land on which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HotSpot {
    pub(crate) from_ns: u64,
    pub(crate) node: u8,
}

impl Schedule {
    /// When the last request comes.
    pub(crate) fn duration_ns(&self) -> u64 {
        self.requests.last().map_or(0, |request| request.at_ns)
    }

    /// Who asks for that request.
    pub(crate) fn client(&self, request: &Request) -> &str {
        &self.clients[request.client as usize]
    }

    /// The client with most requests; the first seen of several.
    pub(crate) fn busiest(&self) -> u32 {
        let mut counts = vec![0u64; self.clients.len()];
        for request in &self.requests {
            counts[request.client as usize] += 1;
        }
        let busiest = (0u32..)
            .zip(&counts)
            .min_by_key(|(_, count)| Reverse(**count));
        busiest.map_or(0, |(client, _)| client)
    }
}
