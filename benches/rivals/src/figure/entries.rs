//! What a contended key takes of a node's memory, and what each row that was heard of it adds.

use serde_json::{Value, json};

use super::mesh::{Frame, LIMIT, Mesh, TICK_NS};
use super::resident::resident_bytes;

const KEYS: u64 = 30_000;
const NODES: usize = 5;
/// The one whose memory is looked at.
const OWN: usize = 0;

/// Resident memory, which has what the allocator adds in it. All nodes are in this process, so what the
/// others have to say is said before.
pub fn measure() -> Value {
    let mut mesh = Mesh::founded(NODES, LIMIT);
    let told: Vec<_> = (0..NODES)
        .filter(|host| *host != OWN)
        .map(|host| told(&mut mesh, host))
        .collect();
    let before = resident_bytes();
    mesh.fill(OWN, KEYS);
    let filled = resident_bytes();
    mesh.now.0 += TICK_NS;
    mesh.hosts[OWN].node.handle_timeout(mesh.now);
    drop(mesh.said_by(OWN));
    let attended = resident_bytes();
    for frame in told.iter().flatten() {
        mesh.hand_over(frame);
    }
    let heard = resident_bytes();
    let node = &mesh.hosts[OWN].node;
    let (contended, rows) = (node.memory().keys_active, node.counters().rows_heard);
    let each = |from: u64, to: u64, count: u64| to.saturating_sub(from) as f64 / count as f64;
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
