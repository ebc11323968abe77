//! One DTLS association (RFC 6347, RFC 5764): datagrams and the time in, datagrams and SRTP keys out.
//!
//! Owns the process's certificate, the check of the peer's, and the bounds of a handshake. It opens no socket and starts
//! no timer. DTLS carries no data here: it agrees keys and says goodbye.

mod hello;
mod identity;
#[cfg(test)]
mod tests;

pub use identity::Identity;

use super::{
    sdp::{DtlsRole, Fingerprint},
    srtp::{Profile, SrtpKeys},
};
use bytes::BytesMut;
use hello::Hello;
use rtc_dtls::{
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error as RtcError};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use thiserror::Error;

/// Time from the first datagram to agreed keys.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Time that the last flight is repeated for a peer who repeats its own.
const LAST_FLIGHT_TIME: Duration = Duration::from_secs(60);

/// Bytes taken in before the keys are agreed, and again of handshake records afterwards: far more than two chains of
/// certificates sent eight times, and little enough to hold in memory, as the library may.
const HANDSHAKE_BYTES: usize = 128 * 1024;

/// Content types of records (RFC 5246, section 6.2.1).
const ALERT: u8 = 21;

/// One association, from its first datagram to `close_notify`.
pub struct Association {
    identity: Arc<Identity>,
    endpoint: Endpoint,
    role: DtlsRole,
    trusted: Vec<Fingerprint>,
    stage: Stage,
    began: Instant,
    taken: usize,
}

enum Stage {
    /// The peer's first message comes in pieces: which profile to answer depends on the whole of it.
    Listening(Hello),
    Shaking,
    Established {
        since: Instant,
    },
    Over,
}

/// What a datagram led to.
#[derive(Debug)]
pub enum Outcome {
    /// The peer has the certificate that its offer promised, and these keys were agreed. Once, and first.
    Established(Box<SrtpKeys>),
    /// The peer said goodbye; the answer waits in [`Association::poll_transmit`].
    ClosedByPeer,
}

/// Why an association failed. It is of no more use then, but for the alert in [`Association::poll_transmit`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DtlsError {
    /// Not done within [`HANDSHAKE_TIME`].
    #[error("the DTLS handshake was not done in time; a firewall may let only some datagrams through")]
    TimedOut,
    /// Another certificate than the offer's fingerprint promised: somebody stands between, or the client mixes sessions.
    #[error("the peer's certificate is not the one that its offer promised")]
    Untrusted,
    /// More bytes than any handshake needs.
    #[error("the peer sent more than a DTLS handshake needs")]
    Flooded,
    /// No SRTP profile in common: AEAD_AES_128_GCM and AES128_CM_HMAC_SHA1_80 are known.
    #[error("the peer agreed to no known SRTP profile")]
    NoProfile,
    /// What the protocol itself refuses: no common cipher, a bad signature, a fatal alert.
    #[error("the DTLS handshake failed: {0}")]
    Protocol(String),
}

impl Association {
    /// Begins one; as a client, the first flight waits in [`Association::poll_transmit`] at once.
    /// `trusted` are the fingerprints of the peer's description.
    ///
    /// # Errors
    /// [`DtlsError::Protocol`] where the system gives no random numbers.
    pub fn new(
        identity: Arc<Identity>,
        role: DtlsRole,
        trusted: Vec<Fingerprint>,
        now: Instant,
    ) -> Result<Self, DtlsError> {
        let mut association = Self {
            endpoint: Endpoint::new(HERE, TransportProtocol::UDP, None),
            identity,
            role,
            trusted,
            stage: Stage::Listening(Hello::default()),
            began: now,
            taken: 0,
        };
        if role == DtlsRole::Client {
            association.stage = Stage::Shaking;
            let config = association.identity.config(role, &PROFILES)?;
            association.endpoint.connect(now, THERE, config, None).map_err(protocol)?;
        }
        Ok(association)
    }

    /// Takes a datagram of the peer, from whichever address it came.
    ///
    /// # Errors
    /// [`DtlsError`] when the handshake failed. What is not understood once keys are agreed is dropped silently.
    pub fn on_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<Outcome>, DtlsError> {
        match &mut self.stage {
            Stage::Over => Ok(None),
            Stage::Established { since } => {
                let since = *since;
                Ok(self.on_late(now, since, datagram))
            }
            Stage::Listening(hello) => {
                take(&mut self.taken, datagram)?;
                let Some((profiles, pieces)) = hello.take(datagram) else { return Ok(None) };
                let config = self.identity.config(self.role, profiles)?;
                self.endpoint.set_server_config(Some(config));
                self.stage = Stage::Shaking;
                for piece in pieces {
                    if let Some(outcome) = self.shake(now, &piece)? {
                        return Ok(Some(outcome));
                    }
                }
                Ok(None)
            }
            Stage::Shaking => {
                take(&mut self.taken, datagram)?;
                self.shake(now, datagram)
            }
        }
    }

    fn shake(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<Outcome>, DtlsError> {
        let events = self.endpoint.read(now, THERE, None, BytesMut::from(datagram)).map_err(|error| {
            self.stage = Stage::Over;
            protocol(error)
        })?;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => return self.established(now).map(Some),
                EndpointEvent::PeerClosed => {
                    self.stage = Stage::Over;
                    return Ok(Some(Outcome::ClosedByPeer));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn established(&mut self, now: Instant) -> Result<Outcome, DtlsError> {
        let keys = self.keys();
        match keys {
            Ok(keys) => {
                self.stage = Stage::Established { since: now };
                self.taken = 0;
                Ok(Outcome::Established(Box::new(keys)))
            }
            Err(error) => {
                self.close(now);
                Err(error)
            }
        }
    }

    fn keys(&self) -> Result<SrtpKeys, DtlsError> {
        let state = self.endpoint.get_connection_state(THERE).expect("a handshake that ended has a state");
        let leaf = state.peer_certificates.first().ok_or(DtlsError::Untrusted)?;
        if !self.trusted.iter().any(|fingerprint| fingerprint.matches(leaf)) {
            return Err(DtlsError::Untrusted);
        }
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::CounterMode,
            _ => return Err(DtlsError::NoProfile),
        };
        let material =
            state.export_keying_material(EXPORTER, &[], profile.material_len()).map_err(protocol)?;
        SrtpKeys::from_material(profile, material.as_ref(), self.role == DtlsRole::Client)
            .ok_or(DtlsError::NoProfile)
    }

    /// Once keys are agreed, alerts alone matter, and for a while a repeated last flight.
    fn on_late(&mut self, now: Instant, since: Instant, datagram: &[u8]) -> Option<Outcome> {
        if datagram.first() != Some(&ALERT) {
            let is_repeat = now.saturating_duration_since(since) < LAST_FLIGHT_TIME;
            if !is_repeat || take(&mut self.taken, datagram).is_err() {
                return None;
            }
        }
        let events = match self.endpoint.read(now, THERE, None, BytesMut::from(datagram)) {
            Ok(events) => events,
            // A fatal alert under the agreed keys ends it as a goodbye does.
            Err(RtcError::ErrAlertFatalOrClose) => vec![EndpointEvent::PeerClosed],
            Err(_) => return None,
        };
        events.iter().any(|event| matches!(event, EndpointEvent::PeerClosed)).then(|| {
            self.stage = Stage::Over;
            Outcome::ClosedByPeer
        })
    }

    /// The next datagram to send to the peer.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    /// When [`Association::on_timeout`] is due; none once keys are agreed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let end = self.began + HANDSHAKE_TIME;
        match self.stage {
            Stage::Listening(_) => Some(end),
            Stage::Shaking => Some(self.endpoint.poll_timeout(&THERE).map_or(end, |retry| retry.min(end))),
            Stage::Established { .. } | Stage::Over => None,
        }
    }

    /// Repeats a flight whose answer did not come.
    ///
    /// # Errors
    /// [`DtlsError::TimedOut`] after [`HANDSHAKE_TIME`].
    pub fn on_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        if matches!(self.stage, Stage::Established { .. } | Stage::Over) {
            return Ok(());
        }
        if now >= self.began + HANDSHAKE_TIME {
            self.stage = Stage::Over;
            return Err(DtlsError::TimedOut);
        }
        match self.endpoint.handle_timeout(THERE, now) {
            // Nothing came from the peer yet.
            Err(RtcError::InvalidRemoteAddress(_)) | Ok(()) => Ok(()),
            Err(error) => {
                self.stage = Stage::Over;
                Err(protocol(error))
            }
        }
    }

    /// Says goodbye: the `close_notify` waits in [`Association::poll_transmit`].
    pub fn close(&mut self, now: Instant) {
        self.endpoint.stop(now, THERE);
        self.stage = Stage::Over;
    }
}

/// The exporter's label (RFC 5764, section 4.2).
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";

/// The library tells associations apart by address. Ours are told apart by ICE, and a peer may move: all have this one.
const THERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const HERE: SocketAddr = THERE;

/// Preferred first: GCM costs a fifth of the other here.
const PROFILES: [SrtpProtectionProfile; 2] =
    [SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80];

fn take(taken: &mut usize, datagram: &[u8]) -> Result<(), DtlsError> {
    *taken += datagram.len();
    if *taken > HANDSHAKE_BYTES { Err(DtlsError::Flooded) } else { Ok(()) }
}

fn protocol(error: RtcError) -> DtlsError {
    DtlsError::Protocol(error.to_string())
}
