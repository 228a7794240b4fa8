//! The codes that connections are closed with: they are part of the protocol.

use quinn::VarInt;

/// Why a connection was closed, as the other side is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum CloseCode {
    /// The node leaves, or its process ends in good order.
    ShuttingDown = 0x01,
    /// Another connection between the same two nodes took over.
    Superseded = 0x02,
    /// The two were connected already.
    Duplicate = 0x03,
    /// A node dialled itself.
    Myself = 0x04,
    /// The node starts a new life under a new id.
    Reidentified = 0x05,
    /// No greeting came in time.
    Silent = 0x06,
    /// TLS refused.
    Handshake = 0x10,
    /// Another version of the protocol.
    OtherProtocol = 0x11,
    /// Another cluster's name.
    OtherCluster = 0x12,
    /// Other limits.
    OtherLimits = 0x13,
    /// A claimed id that the certificate does not bear.
    OtherIdentity = 0x14,
    /// A greeting that does not decode.
    BadHello = 0x15,
    /// A message announced as longer than any may be.
    Oversize = 0x20,
    /// A message that is not framed as messages are.
    Garbage = 0x21,
    /// A whole message that the protocol could not decode.
    BadFrame = 0x22,
}

impl CloseCode {
    const ALL: [Self; 15] = [
        Self::ShuttingDown,
        Self::Superseded,
        Self::Duplicate,
        Self::Myself,
        Self::Reidentified,
        Self::Silent,
        Self::Handshake,
        Self::OtherProtocol,
        Self::OtherCluster,
        Self::OtherLimits,
        Self::OtherIdentity,
        Self::BadHello,
        Self::Oversize,
        Self::Garbage,
        Self::BadFrame,
    ];

    /// The code a peer sent, if this version knows it.
    pub(super) fn from_wire(code: VarInt) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.wire() == code)
    }

    /// As QUIC carries it.
    pub(super) const fn wire(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    /// Whether it says that the two must not talk, rather than that they stop.
    pub(super) const fn is_refusal(self) -> bool {
        let code = self as u32;
        code >= Self::Handshake as u32 && code <= Self::BadHello as u32
    }

    /// A few words for the other side's log.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::ShuttingDown => "shutting down",
            Self::Superseded => "another connection took over",
            Self::Duplicate => "connected already",
            Self::Myself => "dialled myself",
            Self::Reidentified => "new life, new id",
            Self::Silent => "no greeting in time",
            Self::Handshake => "handshake refused",
            Self::OtherProtocol => "other protocol version",
            Self::OtherCluster => "other cluster",
            Self::OtherLimits => "other limits",
            Self::OtherIdentity => "claimed id is not the certificate's",
            Self::BadHello => "unreadable greeting",
            Self::Oversize => "message too long",
            Self::Garbage => "message not framed",
            Self::BadFrame => "message does not decode",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_wire(code.wire()), Some(code));
        }
        assert_eq!(CloseCode::from_wire(VarInt::from_u32(0x7777)), None);
        assert!(CloseCode::BadHello.is_refusal() && !CloseCode::Oversize.is_refusal());
    }
}
