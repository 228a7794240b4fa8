//! How often members are asked for a sign of life, and how long silence is tolerated.

use std::{
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

use foca::PeriodicParams;

use super::PACKET_BYTES_MAX;

/// The pace of failure detection.
///
/// All members should run with the same values: a patient member and an impatient one disagree
/// about who is reachable for as long as their values differ.
///
/// Who owes an answer and falls silent, or whose connection is lost, is suspected out of turn by
/// everybody who notices, and unreachable `doubt` later. Without either, silence turns into
/// unreachable after about `2 × probe_period + suspicion` in a small cluster. At worst it takes
/// `(2 × members + 1) × probe_period + suspicion`, when nobody happens to probe the silent node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipConfig {
    /// How often each member asks one other member for a sign of life.
    ///
    /// It sets the idle cost: about `2 / probe_period` packets per second and node, replies
    /// included, whatever the size of the cluster. Must be at least twice `probe_timeout`, so that
    /// the detour over other members has time to succeed; too close to it, healthy members are
    /// suspected under load. Too long, a crash is noticed late.
    pub probe_period: Duration,
    /// How long to wait for a direct answer before asking others to try.
    ///
    /// Take a high quantile of the round trip between the farthest members. Too short costs
    /// needless packets, and never more than that; too long leaves the detour no time. Not zero.
    pub probe_timeout: Duration,
    /// How long a member that answered nobody may still speak up before it is unreachable.
    ///
    /// Take the longest pause a healthy process makes (a stalled disk, a paused machine). Too
    /// short: members flap between reachable and unreachable. Too long: a crash is noticed late.
    /// Not zero.
    pub suspicion: Duration,
    /// The same for a member that is suspected out of turn: that it owes an answer, or that its
    /// connection was lost, is known already.
    ///
    /// Take several round trips, so that somebody who still hears it has time to say so; and no
    /// more than `suspicion`. Too short: a member whose packets are lost for a moment is
    /// unreachable for a moment. Too long: the crash of a busy member is noticed late. Not zero.
    pub doubt: Duration,
    /// How long an unreachable node is remembered, and tried again.
    ///
    /// Much longer than it takes news to reach everybody (a minute), or old news could make a
    /// dead node look reachable for some seconds. Restarts leave one remembered node each, so
    /// far longer values cost memory. After a longer partition nodes find each other again only
    /// through an announcement. Must be longer than
    /// `suspicion` and `announce_period`.
    pub forget_after: Duration,
    /// How often one of the unreachable nodes is tried again.
    ///
    /// A node that reaches nobody tries at each `probe_period` instead. Short values heal
    /// partitions sooner and cost one packet per period as long as anybody is unreachable. Not
    /// zero.
    pub announce_period: Duration,
}

impl MembershipConfig {
    /// Whether the values fit together; the text names the rule that is broken.
    ///
    /// # Errors
    /// The first rule from the fields' documentation that does not hold. Changes nothing.
    pub fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (!self.probe_timeout.is_zero(), "probe_timeout is zero"),
            (!self.suspicion.is_zero(), "suspicion is zero"),
            (!self.doubt.is_zero(), "doubt is zero"),
            (
                self.doubt <= self.suspicion,
                "doubt is longer than suspicion",
            ),
            (!self.announce_period.is_zero(), "announce_period is zero"),
            (
                self.probe_timeout.saturating_mul(2) <= self.probe_period,
                "probe_period is less than twice probe_timeout",
            ),
            (
                self.forget_after > self.suspicion && self.forget_after > self.announce_period,
                "forget_after is not the longest",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, rule)| Err(rule))
    }

    /// The same in the words of the library underneath.
    pub(super) fn for_detector(&self) -> foca::Config {
        foca::Config {
            probe_period: self.probe_period,
            probe_rtt: self.probe_timeout,
            num_indirect_probes: INDIRECT_PROBES,
            max_transmissions: TRANSMISSIONS,
            suspect_to_down_after: self.suspicion,
            remove_down_after: Some(self.forget_after),
            max_packet_size: PACKET_SIZE,
            notify_down_members: true,
            periodic_announce: Some(PeriodicParams {
                frequency: FEED_PERIOD,
                num_members: NonZeroUsize::MIN,
            }),
            // `Contacts` does this, because the library stops trying once it reaches nobody.
            periodic_announce_to_down_members: None,
            periodic_gossip: None,
        }
    }
}

impl Default for MembershipConfig {
    fn default() -> Self {
        Self {
            probe_period: Duration::from_secs(2),
            probe_timeout: Duration::from_millis(500),
            suspicion: Duration::from_secs(4),
            doubt: Duration::from_secs(1),
            forget_after: Duration::from_secs(600),
            announce_period: Duration::from_secs(10),
        }
    }
}

/// How many members are asked to try when a direct probe stays unanswered.
const INDIRECT_PROBES: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// How many packets carry one piece of news; enough for it to reach a thousand members.
const TRANSMISSIONS: NonZeroU8 = NonZeroU8::new(10).expect("ten is not zero");

const PACKET_SIZE: NonZeroUsize = NonZeroUsize::new(PACKET_BYTES_MAX).expect("a size above zero");

/// How often one member is asked whom it knows: a reply holds some 40 members, so that a newcomer
/// to a larger cluster needs several. Two packets per period are cheap enough for small ones.
const FEED_PERIOD: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sound_and_a_hasty_probe_is_not() {
        assert_eq!(MembershipConfig::default().check(), Ok(()));
        let hasty = MembershipConfig {
            probe_period: Duration::from_millis(999),
            ..MembershipConfig::default()
        };
        assert!(hasty.check().is_err());
        let doubtful = MembershipConfig {
            doubt: Duration::from_secs(5),
            ..MembershipConfig::default()
        };
        assert!(doubtful.check().is_err());
        let forgetful = MembershipConfig {
            forget_after: Duration::from_secs(10),
            ..MembershipConfig::default()
        };
        assert!(forgetful.check().is_err());
    }
}
