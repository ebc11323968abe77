//! The DTLS handshake of one client: datagrams in, datagrams and the keys out.

use super::{RtcError, srtp::Srtp};
use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::{
    config::{ConfigBuilder, HandshakeConfig},
    crypto::Certificate,
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error};
use rtc_srtp::protection_profile::ProtectionProfile;
use sha2::{Digest, Sha256};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// The label of keys for SRTP (RFC 5764 §4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// First wait before a flight is sent again.
const FLIGHT: Duration = Duration::from_millis(200);

/// What a datagram or the clock led to.
pub(super) enum Progress {
    /// Nothing yet.
    Waiting,
    /// The peer is who it said; these are the keys.
    Done(Box<Srtp>),
    /// The peer said goodbye.
    Closed,
}

/// One association, this side being the client.
pub(super) struct Dtls {
    endpoint: Endpoint,
    remote: SocketAddr,
    crypto: Arc<dyn RTCCryptoProvider>,
}

impl Dtls {
    pub(super) fn config(
        certificate: Certificate,
        fingerprint: String,
        crypto: Arc<dyn RTCCryptoProvider>,
    ) -> Result<Arc<HandshakeConfig>, RtcError> {
        let verify = Arc::new(move |chain: &[Vec<u8>], _: &[_]| {
            let first = chain.first().ok_or(Error::ErrInvalidCertificate)?;
            if fingerprint_of(first) == fingerprint { Ok(()) } else { Err(Error::ErrInvalidCertificate) }
        });
        let builder = ConfigBuilder::default()
            .with_crypto_provider(crypto)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_flight_interval(FLIGHT)
            // There is no authority to ask: the fingerprint in the answer decides.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(verify));
        Ok(Arc::new(builder.build(true, None)?))
    }

    pub(super) fn connect(
        remote: SocketAddr,
        config: Arc<HandshakeConfig>,
        crypto: Arc<dyn RTCCryptoProvider>,
    ) -> Result<Self, RtcError> {
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut endpoint = Endpoint::new(local, TransportProtocol::UDP, None);
        endpoint.connect(Instant::now(), remote, config, None)?;
        Ok(Self { endpoint, remote, crypto })
    }

    pub(super) fn receive(&mut self, datagram: &[u8]) -> Result<Progress, RtcError> {
        let data = BytesMut::from(datagram);
        for event in self.endpoint.read(Instant::now(), self.remote, None, data)? {
            match event {
                EndpointEvent::HandshakeComplete => return Ok(Progress::Done(Box::new(self.keys()?))),
                EndpointEvent::PeerClosed => return Ok(Progress::Closed),
                _ => {}
            }
        }
        Ok(Progress::Waiting)
    }

    pub(super) fn tick(&mut self) -> Result<(), RtcError> {
        Ok(self.endpoint.handle_timeout(self.remote, Instant::now())?)
    }

    pub(super) fn close(&mut self) {
        self.endpoint.stop(Instant::now(), self.remote);
    }

    pub(super) fn transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    fn keys(&self) -> Result<Srtp, RtcError> {
        let state = self.endpoint.get_connection_state(self.remote).ok_or(RtcError::NoKeys)?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            _ => return Err(RtcError::NoKeys),
        };
        let secret = state.export_keying_material(LABEL, &[], Srtp::secret_length(profile))?;
        Srtp::new(profile, secret.as_ref(), &*self.crypto)
    }
}

/// A certificate's SHA-256 as SDP has it: pairs of upper-case hexadecimal digits with colons (RFC 8122 §5).
pub(super) fn fingerprint_of(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}
