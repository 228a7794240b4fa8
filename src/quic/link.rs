//! One connection whose greetings were exchanged: queues, readers, writers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use quinn::{Connection, ConnectionError, RecvStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::code::CloseCode;
use super::config::{STREAM_FRAME_BYTES_MAX, STREAM_QUEUE_BYTES_MAX, STREAMS_MAX};
use super::counters::{Counters, count};
use super::error::DownReason;
use super::event::{Channel, TransportEvent};
use super::frame::{self, FrameError};
use super::shared::{Life, Shared};
use crate::units::NodeId;

/// What a waiting message costs beside its own bytes: bounds the count of small ones too.
const MESSAGE_OVERHEAD_BYTES: usize = 128;

/// A connection to a peer.
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) node: NodeId,
    /// Which of the two opened it.
    pub(super) opened_by: NodeId,
    /// This node's life that it belongs to.
    pub(super) life: Arc<Life>,
    pub(super) since: Instant,
    pub(super) address: SocketAddr,
    pub(super) name: String,
    queue: UnboundedSender<Queued>,
    queued_bytes: Arc<AtomicUsize>,
    /// Room for datagrams when none waits.
    datagram_space_bytes: usize,
    closed_for: OnceLock<CloseCode>,
}

/// What a link is made of.
pub(super) struct LinkParts {
    pub(super) connection: Connection,
    pub(super) node: NodeId,
    pub(super) opened_by: NodeId,
    pub(super) life: Arc<Life>,
    pub(super) address: SocketAddr,
    pub(super) name: String,
}

/// Messages waiting for the link's writer.
pub(super) type Outbox = UnboundedReceiver<Queued>;

/// A message that counts against its link's queue until it is acknowledged or given up.
pub(super) struct Queued {
    bytes: Bytes,
    queued_bytes: Arc<AtomicUsize>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.queued_bytes.fetch_sub(cost(&self.bytes), Relaxed);
    }
}

fn cost(bytes: &Bytes) -> usize {
    bytes.len() + MESSAGE_OVERHEAD_BYTES
}

impl Link {
    pub(super) fn new(parts: LinkParts) -> (Arc<Self>, Outbox) {
        let (queue, outbox) = unbounded_channel();
        let link = Self {
            datagram_space_bytes: parts.connection.datagram_send_buffer_space(),
            connection: parts.connection,
            node: parts.node,
            opened_by: parts.opened_by,
            life: parts.life,
            since: Instant::now(),
            address: parts.address,
            name: parts.name,
            queue,
            queued_bytes: Arc::default(),
            closed_for: OnceLock::new(),
        };
        (Arc::new(link), outbox)
    }

    /// Closes, and remembers that it was us.
    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        // What the peer closed before is its doing.
        if self.connection.close_reason().is_none() {
            self.closed_for.get_or_init(|| code);
            self.connection.close(code.wire(), reason.as_bytes());
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    /// Whether everything handed over left, and every stream was acknowledged.
    pub(super) fn is_flushed(&self) -> bool {
        let streams = self.queued_bytes.load(Relaxed) == 0;
        let space = self.connection.datagram_send_buffer_space();
        !self.is_open() || (streams && space >= self.datagram_space_bytes)
    }

    /// Sends or queues without waiting; `false` if it was dropped.
    pub(super) fn send(&self, bytes: Bytes, channel: Channel, counters: &Counters) -> bool {
        if bytes.len() > STREAM_FRAME_BYTES_MAX {
            count(&counters.dropped_oversize);
            return false;
        }
        if channel == Channel::Datagram {
            if self.fits_datagram(&bytes) {
                return self.send_datagram(bytes, counters);
            }
            count(&counters.datagrams_too_large);
        }
        self.queue_stream(bytes, counters)
    }

    fn fits_datagram(&self, bytes: &Bytes) -> bool {
        let bytes_max = self.connection.max_datagram_size();
        bytes_max.is_some_and(|bytes_max| bytes.len() <= bytes_max)
    }

    fn send_datagram(&self, bytes: Bytes, counters: &Counters) -> bool {
        // QUIC would make room by dropping older datagrams, uncounted.
        if self.connection.datagram_send_buffer_space() < bytes.len() {
            count(&counters.dropped_queue_full);
            return false;
        }
        let sent = self.connection.send_datagram(bytes).is_ok();
        count(if sent {
            &counters.datagrams_sent
        } else {
            &counters.dropped_not_up
        });
        sent
    }

    fn queue_stream(&self, bytes: Bytes, counters: &Counters) -> bool {
        let queued = self.queued_bytes.fetch_add(cost(&bytes), Relaxed) + cost(&bytes);
        let message = Queued {
            bytes,
            queued_bytes: Arc::clone(&self.queued_bytes),
        };
        if queued > STREAM_QUEUE_BYTES_MAX {
            count(&counters.dropped_queue_full);
            return false;
        }
        let sent = self.is_open() && self.queue.send(message).is_ok();
        count(if sent {
            &counters.streams_sent
        } else {
            &counters.dropped_not_up
        });
        sent
    }

    /// Why it ended.
    fn ended(&self, error: ConnectionError) -> DownReason {
        match (self.closed_for.get(), error) {
            (Some(code), _) => DownReason::ByUs(*code),
            (None, ConnectionError::ApplicationClosed(close)) => DownReason::ByPeer {
                code: CloseCode::from_wire(close.error_code),
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            (None, ConnectionError::TimedOut) => DownReason::TimedOut,
            (None, ConnectionError::Reset) => DownReason::Reset,
            (None, ConnectionError::LocallyClosed) => DownReason::ByUs(CloseCode::ShuttingDown),
            (None, error) => DownReason::Broken(error.to_string()),
        }
    }
}

/// Carries messages both ways until the connection ends; says why it did.
pub(super) async fn run(shared: &Shared, link: &Link, outbox: Outbox) -> DownReason {
    let writer = tokio::spawn(write_all(link.connection.clone(), outbox));
    let error = read_all(shared, link).await;
    writer.abort();
    link.ended(error)
}

type Read = Result<Bytes, FrameError>;

async fn read_all(shared: &Shared, link: &Link) -> ConnectionError {
    let mut readers: JoinSet<Read> = JoinSet::new();
    loop {
        tokio::select! {
            datagram = link.connection.read_datagram() => match datagram {
                Ok(bytes) => received(shared, link, bytes, Channel::Datagram).await,
                Err(error) => return error,
            },
            stream = link.connection.accept_uni(), if readers.len() < STREAMS_MAX as usize => {
                match stream {
                    Ok(stream) => drop(readers.spawn(read_one(stream))),
                    Err(error) => return error,
                }
            }
            Some(read) = readers.join_next() => judge(shared, link, read).await,
        }
    }
}

async fn read_one(mut stream: RecvStream) -> Read {
    frame::read(&mut stream, STREAM_FRAME_BYTES_MAX).await
}

async fn judge(shared: &Shared, link: &Link, read: Result<Read, JoinError>) {
    let (counter, code, error) = match read {
        Ok(Ok(bytes)) => return received(shared, link, bytes, Channel::Stream).await,
        Ok(Err(FrameError::Lost)) | Err(_) => return,
        Ok(Err(error @ FrameError::Oversize { .. })) => {
            (&shared.counters.oversize_frames, CloseCode::Oversize, error)
        }
        Ok(Err(error @ FrameError::Garbage)) => {
            (&shared.counters.garbage_frames, CloseCode::Garbage, error)
        }
    };
    count(counter);
    tracing::warn!(peer = %link.node, address = %link.address, %error, "closing on a bad message");
    link.close(code, &error.to_string());
}

async fn received(shared: &Shared, link: &Link, bytes: Bytes, channel: Channel) {
    count(match channel {
        Channel::Datagram => &shared.counters.datagrams_received,
        Channel::Stream => &shared.counters.streams_received,
    });
    let (from, to) = (link.node, link.life.hello.node);
    let frame = TransportEvent::Frame {
        from,
        to,
        bytes,
        channel,
    };
    shared.emit(frame).await;
}

async fn write_all(connection: Connection, mut outbox: Outbox) {
    let mut writers: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            message = outbox.recv(), if writers.len() < STREAMS_MAX as usize => match message {
                Some(message) => drop(writers.spawn(write_one(connection.clone(), message))),
                None => return,
            },
            Some(_) = writers.join_next() => {}
        }
    }
}

/// Writes one message and waits until the peer has all of it, or the connection ends.
async fn write_one(connection: Connection, message: Queued) {
    if let Ok(stream) = frame::write(&connection, message.bytes.clone()).await {
        // Which of the two it was is seen by whoever watches the connection.
        drop(stream.stopped().await);
    }
}
