//! The UDP socket: large buffers, both families, every datagram counted, links that can be cut.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use socket2::{Domain, Protocol, Socket, Type};
use tracing::warn;

use super::config::SOCKET_BUFFER_BYTES;
use super::counters::Counters;
use super::error::TransportError;
use super::fault::FaultLink;

/// Binds `address`; `[::]` takes IPv4 too.
pub(super) fn bind(address: SocketAddr) -> Result<UdpSocket, TransportError> {
    try_bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => TransportError::AddressInUse(address),
        _ => TransportError::Bind { address, source },
    })
}

fn try_bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    enlarge(&socket);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Asks for large buffers, and says so if the kernel gave less.
fn enlarge(socket: &Socket) {
    let asked = SOCKET_BUFFER_BYTES;
    let receive = socket
        .set_recv_buffer_size(asked)
        .and_then(|()| socket.recv_buffer_size());
    let send = socket
        .set_send_buffer_size(asked)
        .and_then(|()| socket.send_buffer_size());
    for (direction, given) in [("receive", receive), ("send", send)] {
        match given {
            Ok(bytes) if bytes >= asked => {}
            Ok(bytes) => warn!(direction, asked, bytes, "the kernel clamped a UDP buffer"),
            Err(error) => warn!(direction, asked, %error, "the kernel refused a UDP buffer"),
        }
    }
}

/// A runtime's socket with counters and links in front.
#[derive(Debug)]
pub(super) struct WatchedSocket {
    pub(super) inner: Arc<dyn AsyncUdpSocket>,
    pub(super) counters: Arc<Counters>,
    pub(super) fault: Option<FaultLink>,
}

impl WatchedSocket {
    fn passes(&self, address: SocketAddr, datagrams: u64) -> bool {
        self.fault
            .as_ref()
            .is_none_or(|fault| fault.passes(address, datagrams))
    }

    /// Moves what passes to the front, and says how many buffers that is.
    fn sift(&self, buffers: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> usize {
        let mut kept = 0;
        for index in 0..metas.len() {
            let meta = metas[index];
            let datagrams = segments(meta.len, Some(meta.stride));
            if !self.passes(meta.addr, datagrams) {
                continue;
            }
            add(&self.counters.udp_datagrams_received, datagrams);
            add(&self.counters.udp_bytes_received, meta.len as u64);
            // Both are the caller's own tables, so swapping entries swaps what it reads.
            buffers.swap(kept, index);
            metas.swap(kept, index);
            kept += 1;
        }
        kept
    }
}

impl AsyncUdpSocket for WatchedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let bytes = transmit.contents.len();
        let datagrams = segments(bytes, transmit.segment_size);
        if !self.passes(transmit.destination, datagrams) {
            return Ok(());
        }
        self.inner.try_send(transmit)?;
        add(&self.counters.udp_datagrams_sent, datagrams);
        add(&self.counters.udp_bytes_sent, bytes as u64);
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let received = ready!(self.inner.poll_recv(context, buffers, metas))?;
            let kept = self.sift(buffers, &mut metas[..received]);
            if kept > 0 || received == 0 {
                return Poll::Ready(Ok(kept));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

/// Datagrams in a buffer that the kernel splits, or joined, at every `segment` bytes.
fn segments(bytes: usize, segment: Option<usize>) -> u64 {
    match segment {
        Some(segment) if segment > 0 => bytes.div_ceil(segment).max(1) as u64,
        _ => 1,
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_datagrams_are_counted_one_by_one() {
        assert_eq!(segments(3000, Some(1200)), 3);
        assert_eq!(segments(1200, Some(1200)), 1);
        assert_eq!(segments(700, None), 1);
        assert_eq!(segments(0, Some(0)), 1);
    }
}
