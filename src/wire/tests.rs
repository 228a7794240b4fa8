//! What is encoded decodes, and what does not decode is refused.

mod golden;

use proptest::prelude::*;

use super::*;
use crate::limit::Parcel;
use crate::share::Outbox;
use crate::units::{Amount, Share};

fn gossip() -> Gossip {
    let mut outbox = Outbox::default();
    let parcel = Parcel {
        share: Share::WHOLE,
        ..Parcel::default()
    };
    outbox.push(LimitId(u64::MAX), KeyId(u128::MAX), parcel);
    Gossip {
        view: ViewId {
            number: 3,
            proposer: 9,
        },
        digest: 77,
        rows: vec![
            Row {
                filled: Amount::MAX,
                ..Row::new(LimitId(1), KeyId(2))
            };
            3
        ],
        grants: outbox.pending().copied().collect(),
        ..Gossip::default()
    }
}

#[test]
fn what_is_encoded_decodes_to_the_same() {
    let question = Question {
        number: 1,
        limit: LimitId(2),
        key: KeyId(3),
        cost_units: 4,
    };
    for message in [
        Message::Gossip(gossip()),
        Message::Membership(vec![1, 2, 3]),
        Message::Ask(question),
        Message::Reachable(NodeId(5)),
    ] {
        let decoded = Message::decode(&message.encode()).expect("a frame");
        assert_eq!(decoded, Some(message));
    }
}

#[test]
fn kinds_of_a_newer_version_are_skipped() {
    assert!(matches!(Message::decode(&[200, 1, 2, 3]), Ok(None)));
}

#[test]
fn what_is_too_long_or_empty_is_refused() {
    assert!(matches!(Message::decode(&[]), Err(WireError::Empty)));
    let long = vec![GOSSIP; FRAME_BYTES_MAX + 1];
    assert!(matches!(Message::decode(&long), Err(WireError::TooLong(_))));
}

#[test]
fn a_list_that_claims_to_be_huge_allocates_nothing() {
    // An array of 2^32 − 1 rows, of which none follow.
    let mut frame = vec![GOSSIP, 0x98, 0x92, 3, 9, 0, 0, 0, 0, 0xdd];
    frame.extend([0xff; 4]);
    assert!(matches!(
        Message::decode(&frame),
        Err(WireError::Malformed { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    /// C9: any bytes at all are a message, an unknown kind, or an error.
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _decoded = Message::decode(&bytes);
    }

    #[test]
    fn a_damaged_frame_never_panics(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = Message::Gossip(gossip()).encode();
        let place = at.index(frame.len());
        frame[place] = byte;
        frame.truncate(cut.index(frame.len()) + 1);
        let _decoded = Message::decode(&frame);
    }
}
