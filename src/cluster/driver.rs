//! The task that drives the machine: transport events and timers in, until told to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

use super::running::Running;
use crate::limiter::Core;
use crate::quic::{CloseCode, TransportEvent};
use crate::units::Nanos;

/// Longest sleep: a clock that stands still is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Shortest sleep: a clock that stands still does not make the driver spin.
const SLEEP_MIN: Duration = Duration::from_micros(200);

/// Events handled before timers are looked at again.
const EVENTS_AT_ONCE: usize = 256;

/// Spawns the driver, and a task that sees it end. The outer task is what is aborted.
pub(super) fn spawn(
    running: Arc<Running>,
    core: Arc<Core>,
    events: Receiver<TransportEvent>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(drive(Arc::clone(&running), core, events));
        let panicked = match tasks.join_next().await {
            Some(Err(error)) => error.is_panic(),
            _ => false,
        };
        if panicked {
            tracing::error!("the driver has panicked: this node decides on what it holds");
        }
        running.phase.send_modify(|phase| {
            phase.has_stopped = true;
            phase.has_panicked |= panicked;
        });
    })
}

async fn drive(running: Arc<Running>, core: Arc<Core>, mut events: Receiver<TransportEvent>) {
    loop {
        let now = core.clock.now();
        let next = running.with_node(|node| {
            node.handle_timeout(now);
            node.handle_urgent(now);
            node.poll_timeout()
        });
        assert!(!running.panic_next.load(Ordering::SeqCst), "told to panic");
        if running.phase.borrow().has_stopped {
            return;
        }
        let sleep = next
            .map_or(SLEEP_MAX, |next| next.since(now))
            .clamp(SLEEP_MIN, SLEEP_MAX);
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return };
                handle(&running, core.clock.now(), event);
                for _ in 0..EVENTS_AT_ONCE {
                    let Ok(event) = events.try_recv() else { break };
                    handle(&running, core.clock.now(), event);
                }
            }
            () = running.changed.notified() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

fn handle(running: &Running, now: Nanos, event: TransportEvent) {
    match event {
        TransportEvent::Up {
            node,
            address,
            name,
        } => {
            tracing::info!(%node, %address, name, "peer up");
            running.want(node, address);
            running.with_node(|machine| machine.handle_peer_up(now, node, address));
        }
        TransportEvent::Down { node, reason } => {
            tracing::info!(%node, ?reason, "peer down");
            running.with_node(|machine| machine.handle_peer_down(now, node));
        }
        TransportEvent::Frame {
            from,
            to,
            bytes,
            channel,
        } => {
            tracing::trace!(%from, ?channel, bytes = bytes.len(), "frame");
            let refused = running.with_node(|machine| {
                // What was sent to a life that has ended is nobody's.
                let mine = machine.id() == to;
                mine.then(|| machine.handle_frame(now, from, &bytes).err())
                    .flatten()
            });
            if let Some(error) = refused {
                tracing::warn!(%from, %error, "a frame was refused");
                running
                    .transport
                    .disconnect(from, CloseCode::BadFrame, &error.to_string());
            }
        }
        TransportEvent::Refused { address, node, why } => {
            // The transport has logged it with both sides' values.
            tracing::debug!(%address, ?node, %why, "refused");
        }
    }
}
