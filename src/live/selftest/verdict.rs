//! How a self-test came out: for the log, for `/readyz` and for `doctor`.

use crate::live::plane::PrepareError;
use serde::Serialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};
use thiserror::Error;

/// How the self-test stands, as `/readyz` tells it (SPEC.md, section 12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// It was turned off.
    Off,
    /// It has not ended yet.
    Running,
    /// A stream went through.
    Passed(Passed),
    /// It did not.
    Failed {
        /// How far it came.
        step: Step,
        /// What was wrong and what to do, for the operator.
        reason: String,
    },
}

/// When what was there, in milliseconds from the test's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// The publisher's offer was answered.
    pub answered_ms: u64,
    /// The publisher was connected: address checked, keys agreed.
    pub connected_ms: u64,
    /// The viewer, who came after that, had a packet of audio and one of video.
    pub first_packet_ms: u64,
}

impl fmt::Display for Passed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered_ms, connected_ms, first_packet_ms } = self;
        write!(
            out,
            "answered after {answered_ms} ms, connected after {connected_ms} ms, media after {first_packet_ms} ms"
        )
    }
}

/// The steps of a test, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A client was made and offered.
    Offer,
    /// The plane answered.
    Answer,
    /// The client reached the address.
    Reach,
    /// Both agreed on keys.
    Handshake,
    /// Media went through.
    Media,
}

/// Which of the two clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one who sends.
    Publisher,
    /// The one who watches.
    Viewer,
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Publisher => "publisher",
            Self::Viewer => "viewer",
        })
    }
}

/// Why the test failed.
#[derive(Debug, Error)]
pub enum Fault {
    /// The client itself could not begin.
    #[error(
        "the test's own {role} could not start at {at}: {reason}; see that the address is up and has free UDP ports"
    )]
    Client {
        /// Which.
        role: Role,
        /// Where its socket was to be.
        at: IpAddr,
        /// The library's words.
        reason: webrtc::error::Error,
    },
    /// The plane took no offer.
    #[error("the {role}'s offer was refused: {reason}")]
    Refused {
        /// Whose.
        role: Role,
        /// Why.
        reason: PrepareError,
    },
    /// The client made nothing of the answer.
    #[error("the {role} could not use the answer: {reason}; please report this")]
    Answer {
        /// Whose.
        role: Role,
        /// The library's words.
        reason: webrtc::error::Error,
    },
    /// No check of connectivity was answered.
    #[error(
        "the {role} had no answer from UDP {address}; let UDP to that port pass (firewall, sandbox), or set live.udp to another"
    )]
    Unreachable {
        /// Whose.
        role: Role,
        /// Where media is.
        address: SocketAddr,
    },
    /// The address answered, but there are no keys.
    #[error(
        "UDP {address} answered the {role}, but the DTLS handshake failed; see whether the machine is overloaded, else please report this"
    )]
    Handshake {
        /// Whose.
        role: Role,
        /// Where media is.
        address: SocketAddr,
    },
    /// Nothing came through, though both were connected.
    #[error(
        "both were connected, but the viewer got no {missing}; see whether the machine is overloaded, else please report this"
    )]
    Media {
        /// What did not come.
        missing: &'static str,
    },
}

impl Fault {
    /// How far the test came.
    pub const fn step(&self) -> Step {
        match self {
            Self::Client { .. } => Step::Offer,
            Self::Refused { .. } | Self::Answer { .. } => Step::Answer,
            Self::Unreachable { .. } => Step::Reach,
            Self::Handshake { .. } => Step::Handshake,
            Self::Media { .. } => Step::Media,
        }
    }
}

impl From<&Result<Passed, Fault>> for Status {
    fn from(result: &Result<Passed, Fault>) -> Self {
        match result {
            Ok(passed) => Self::Passed(*passed),
            Err(fault) => Self::Failed { step: fault.step(), reason: fault.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_as_the_contract_has_it() {
        let told = |status: &Status| serde_json::to_value(status).expect("plain data");
        assert_eq!(told(&Status::Off), serde_json::json!({"state": "off"}));
        assert_eq!(told(&Status::Running), serde_json::json!({"state": "running"}));
        let passed = Passed { answered_ms: 3, connected_ms: 40, first_packet_ms: 90 };
        let expected = serde_json::json!({"state": "passed", "answered_ms": 3, "connected_ms": 40, "first_packet_ms": 90});
        assert_eq!(told(&Status::from(&Ok(passed))), expected);
        let fault = Fault::Media { missing: "audio" };
        let told = told(&Status::from(&Err(fault)));
        assert_eq!((&told["state"], &told["step"]), (&"failed".into(), &"media".into()));
        assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("no audio")), "{told}");
    }
}
