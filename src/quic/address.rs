//! Addresses in one spelling.

use std::net::SocketAddr;

/// An IPv4 address that came in IPv6's clothes, as IPv4; anything else without scope or flow.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `advertised`, or where it was seen if the advertised address says "any".
pub(super) fn reachable(advertised: SocketAddr, seen: SocketAddr) -> SocketAddr {
    if advertised.ip().is_unspecified() {
        return SocketAddr::new(canonical(seen).ip(), advertised.port());
    }
    canonical(advertised)
}
