//! Frames between processes: datagrams and streams, and what they cost.
//!
//! As `src/quic` has it: a frame that fits travels as a datagram, which may be lost, doubled and
//! overtaken; a larger one on a stream of its own, whose packets are sent again until they arrive
//! or the connection ends. What a node says to one peer at one instant shares packets, as QUIC
//! packs it.
//!
//! What is counted: every UDP datagram, with its bytes and [`OVERHEAD_BYTES`] for the headers of UDP
//! and QUIC; the packets of streams, and those sent again; calls (four flights); pings; words that
//! end connections. Acknowledgements ride on whatever is sent the other way; where nothing is for
//! 25 ms (or a round trip, where that is longer, up to 100 ms), or after ten packets, one bare
//! datagram is counted. Path MTU probes are not counted: a few for each connection.

use distributary::proto::NodeId;

use super::World;
use super::links::WORD_BYTES;
use super::marks::Mark;
use super::process::{State, Waiting};
use super::queue::Happening;
use crate::network::Fate;

/// A frame up to this size travels as a datagram: what fits before the path was measured.
const DATAGRAM_BYTES_MAX: usize = 1_160;
/// Payload of one packet of a stream.
const STREAM_PACKET_BYTES: usize = 1_200;
/// Headers of UDP and QUIC, and the seal.
const OVERHEAD_BYTES: usize = 40;
/// A frame's own header within a packet.
const FRAME_HEADER_BYTES: usize = 3;
/// Packets that may be on their way before anything was acknowledged: the window at the start.
const WINDOW_PACKETS: usize = 10;
/// Packets that may be heard before one acknowledgement is due.
const OWED_MAX: u64 = 10;
/// How long an acknowledgement may wait for something to ride on, at least and at most.
const ACK_WAIT_NS: [u64; 2] = [25_000_000, 100_000_000];
/// Bytes that the kernel keeps for a process that does not read.
const KERNEL_BYTES_MAX: usize = 4 << 20;

/// A datagram on its way, with the frames in it; none is a ping.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) epoch: u64,
    pub(super) frames: Vec<Vec<u8>>,
}

/// A frame on a stream, some of whose packets have yet to arrive.
#[derive(Debug)]
pub(super) struct Stream {
    packet: Packet,
    packets_left: usize,
    /// When the last of those that were not lost arrives.
    arrives_ns: u64,
    tries: u32,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
}

impl Meter {
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.datagrams += 1;
        self.bytes += bytes as u64;
    }
}

impl World<'_> {
    /// What the network does to a datagram that is sent now.
    pub(super) fn path(&mut self, from: usize, to: usize, bytes: usize) -> Fate {
        let (from, to) = (self.processes[from].place, self.processes[to].place);
        let fate = self.network.fate(self.now_ns, from, to, bytes);
        match fate.delays_ns().len() {
            0 => self.marks.hit(Mark::DatagramLost),
            1 => {}
            _ => self.marks.hit(Mark::DatagramDoubled),
        }
        fate
    }

    fn round_trip_ns(&self) -> u64 {
        let quality = self.network.quality();
        (quality.delay_us_min + quality.delay_us_max) * 1_000
    }

    // --- Sending ---

    /// Sends what a node said at one instant, packed.
    pub(super) fn send_all(&mut self, from: usize, said: &mut Vec<(NodeId, Vec<u8>)>) {
        let mut open: Vec<(usize, usize, Vec<Vec<u8>>)> = Vec::new();
        for (life, frame) in said.drain(..) {
            let Some(to) = self.by_id.get(&life).copied() else {
                continue;
            };
            let side = self.processes[from].side(to);
            if !side.is_up || side.peer != life.0 {
                continue;
            }
            self.frame_bytes_max = self.frame_bytes_max.max(frame.len());
            if frame.len() > DATAGRAM_BYTES_MAX {
                self.send_stream(from, to, frame);
                continue;
            }
            let bytes = frame.len() + FRAME_HEADER_BYTES;
            match open.iter_mut().find(|(peer, ..)| *peer == to) {
                Some((_, filled, frames)) if *filled + bytes <= STREAM_PACKET_BYTES => {
                    *filled += bytes;
                    frames.push(frame);
                }
                Some((_, filled, frames)) => {
                    *filled = bytes;
                    let full = std::mem::replace(frames, vec![frame]);
                    self.send_packet(from, to, full);
                }
                None => open.push((to, bytes, vec![frame])),
            }
        }
        for (to, _, frames) in open {
            self.send_packet(from, to, frames);
        }
    }

    /// Sends one datagram.
    pub(super) fn send_packet(&mut self, from: usize, to: usize, frames: Vec<Vec<u8>>) {
        let payload: usize = frames
            .iter()
            .map(|frame| frame.len() + FRAME_HEADER_BYTES)
            .sum();
        let bytes = payload + OVERHEAD_BYTES;
        self.says(from, to);
        self.traffic.sent(bytes);
        let epoch = self.processes[from].side(to).epoch;
        let packet = Packet {
            from,
            to,
            epoch,
            frames,
        };
        let now_ns = self.now_ns;
        let fate = self.path(from, to, bytes);
        if let [first_ns, others @ ..] = fate.delays_ns() {
            for delay_ns in others {
                let copy = Happening::Packet(packet.clone());
                self.queue.push(now_ns + delay_ns, copy);
            }
            self.queue
                .push(now_ns + first_ns, Happening::Packet(packet));
        }
    }

    fn send_stream(&mut self, from: usize, to: usize, frame: Vec<u8>) {
        self.marks.hit(Mark::StreamSent);
        let epoch = self.processes[from].side(to).epoch;
        let packets_left = frame.len().div_ceil(STREAM_PACKET_BYTES);
        let stream = Stream {
            packets_left,
            arrives_ns: 0,
            tries: 0,
            packet: Packet {
                from,
                to,
                epoch,
                frames: vec![frame],
            },
        };
        self.run_stream(Box::new(stream));
    }

    /// Sends what is left of a stream; what is lost of it is sent again later.
    pub(super) fn run_stream(&mut self, mut stream: Box<Stream>) {
        let Packet {
            from, to, epoch, ..
        } = stream.packet;
        let side = self.processes[from].side(to);
        if !side.is_up || side.since > epoch || !self.processes[from].lives() {
            return;
        }
        self.says(from, to);
        let (now_ns, round_trip_ns) = (self.now_ns, self.round_trip_ns());
        let mut lost = 0;
        for number in 0..stream.packets_left {
            let bytes = STREAM_PACKET_BYTES + OVERHEAD_BYTES;
            self.traffic.sent(bytes);
            // The window doubles with each round trip.
            let rounds = u64::from((number / WINDOW_PACKETS + 1).ilog2());
            match self.path(from, to, bytes).delays_ns().iter().min() {
                Some(delay_ns) => {
                    let arrives_ns = now_ns + rounds * round_trip_ns + delay_ns;
                    stream.arrives_ns = stream.arrives_ns.max(arrives_ns);
                }
                None => lost += 1,
            }
        }
        if stream.tries > 0 {
            self.marks.hit(Mark::StreamSentAgain);
        }
        stream.packets_left = lost;
        if lost == 0 {
            self.queue
                .push(stream.arrives_ns, Happening::Packet(stream.packet));
            return;
        }
        let wait_ns = (round_trip_ns * 3 / 2 + ACK_WAIT_NS[0]) << stream.tries.min(6);
        stream.tries += 1;
        self.queue.push(now_ns + wait_ns, Happening::Stream(stream));
    }

    /// Something is sent: acknowledgements ride on it.
    fn says(&mut self, from: usize, to: usize) {
        let now_ns = self.now_ns;
        self.settle_acknowledgement(from, to);
        let side = self.processes[from].side(to);
        side.said_ns = now_ns;
        side.owed = 0;
    }

    /// Something was heard: it has to be acknowledged before long.
    fn hears(&mut self, at: usize, peer: usize) {
        self.settle_acknowledgement(at, peer);
        let wait_ns = self.round_trip_ns().clamp(ACK_WAIT_NS[0], ACK_WAIT_NS[1]);
        let (now_ns, places) = (
            self.now_ns,
            (self.processes[at].place, self.processes[peer].place),
        );
        let side = self.processes[at].side(peer);
        side.heard_ns = now_ns;
        if side.owed == 0 {
            side.owed_until_ns = now_ns + wait_ns;
        }
        side.owed += 1;
        if side.owed >= OWED_MAX {
            side.owed = 0;
            self.traffic.sent(WORD_BYTES);
        }
        // The acknowledgement is a sign of life in its turn.
        if self.network.passes(places.0, places.1) {
            self.processes[peer].side(at).heard_ns = now_ns;
        }
    }

    /// Counts an acknowledgement that nothing came along to carry.
    fn settle_acknowledgement(&mut self, at: usize, peer: usize) {
        let now_ns = self.now_ns;
        let side = self.processes[at].side(peer);
        if side.owed > 0 && side.owed_until_ns < now_ns {
            side.owed = 0;
            self.traffic.sent(WORD_BYTES);
        }
    }

    // --- Arriving ---

    pub(super) fn arrive(&mut self, packet: Packet) {
        let (to, from, epoch) = (packet.to, packet.from, packet.epoch);
        match self.processes[to].state {
            State::Ended => return self.arrive_too_late(&packet),
            State::Paused => return self.keep_for_resume(packet),
            State::Running => {}
        }
        if let Some(at_ns) = self.stands_at(to, from, epoch) {
            self.queue.push(at_ns, Happening::Packet(packet));
            return;
        }
        let side = self.processes[to].side(from);
        if !side.is_up || epoch < side.since {
            self.marks.hit(Mark::DatagramStale);
            if !side.is_up && epoch >= side.since {
                self.signal(to, from, epoch, false);
            }
            return;
        }
        self.hears(to, from);
        if !packet.frames.is_empty() {
            self.read(to, from, &packet.frames);
        }
    }

    fn read(&mut self, at: usize, peer: usize, frames: &[Vec<u8>]) {
        let life = NodeId(self.processes[at].side(peer).peer);
        self.note_input(at, "frames", life.0);
        frames.iter().for_each(|frame| self.trace.bytes(frame));
        self.with(at, |node, now| {
            for frame in frames {
                let read = node.handle_frame(now, life, frame);
                read.expect("what an honest node sends can be read");
            }
        });
    }

    /// Its receiver has ended: a successor at the same address answers that it knows nothing of it.
    fn arrive_too_late(&mut self, packet: &Packet) {
        self.marks.hit(Mark::DatagramStale);
        let endpoint = self.processes[packet.to].endpoint;
        let successor = self.at_endpoint(endpoint);
        if successor.is_some_and(|successor| self.processes[successor].runs()) {
            self.signal(packet.to, packet.from, packet.epoch, false);
        }
    }

    fn keep_for_resume(&mut self, packet: Packet) {
        let process = &mut self.processes[packet.to];
        let bytes: usize = packet.frames.iter().map(Vec::len).sum();
        if process.waiting_bytes + bytes <= KERNEL_BYTES_MAX {
            process.waiting_bytes += bytes + OVERHEAD_BYTES;
            process.waiting.push(Waiting::Packet(packet));
        }
    }
}
