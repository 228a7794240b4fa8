//! What a contended key takes of a node's memory, and what each row that was heard of it adds.

use serde_json::{Value, json};

use super::mesh::{Frame, LIMIT, Mesh, TICK_NS};
use crate::allocator::live_bytes;

const KEYS: u64 = 30_000;
const NODES: usize = 5;
/// The one whose memory is looked at.
const OWN: usize = 0;

/// Memory that was asked for of the allocator and not given back: what the allocator adds is not in it.
/// All nodes are in this process, so what the others have to say is said before.
pub fn measure() -> Value {
    let mut mesh = Mesh::founded(NODES, LIMIT);
    let told: Vec<_> = (0..NODES)
        .filter(|host| *host != OWN)
        .map(|host| told(&mut mesh, host))
        .collect();
    let before = live_bytes();
    mesh.fill(OWN, KEYS);
    let filled = live_bytes();
    mesh.now.0 += TICK_NS;
    mesh.hosts[OWN].node.handle_timeout(mesh.now);
    drop(mesh.said_by(OWN));
    let attended = live_bytes();
    for frame in told.iter().flatten() {
        mesh.hand_over(frame);
    }
    let heard = live_bytes();
    let node = &mesh.hosts[OWN].node;
    let (contended, rows) = (node.memory().keys_active, node.counters().rows_heard);
    let each = |from: isize, to: isize, count: u64| (to - from) as f64 / count as f64;
    json!({
        "keys_contended": contended,
        "rows_heard": rows,
        "bytes_per_key_in_the_table": each(before, filled, KEYS),
        "bytes_per_key": each(before, attended, KEYS),
        "bytes_per_row_heard": each(attended, heard, rows),
    })
}

/// All rows of one node, in frames to the one that is looked at.
fn told(mesh: &mut Mesh, host: usize) -> Vec<Frame> {
    mesh.fill(host, KEYS);
    mesh.now.0 += TICK_NS;
    mesh.hosts[host].node.handle_timeout(mesh.now);
    drop(mesh.said_by(host));
    // To one that comes back all is told at once.
    mesh.connect(host, OWN);
    let to = mesh.hosts[OWN].node.id();
    let mut frames = mesh.said_by(host);
    frames.retain(|frame| frame.to == to);
    frames.shrink_to_fit();
    frames
}
