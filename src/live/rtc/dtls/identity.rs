//! The certificate by which peers know this process.

use super::{DtlsError, protocol};
use crate::live::rtc::sdp::{DtlsRole, Fingerprint};
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder, HandshakeConfig},
    crypto::Certificate,
    crypto_provider::{RTCCryptoProvider, default_provider},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use std::{fmt, sync::Arc, time::Duration};

/// Time to a flight's first repetition. RFC 6347 says one second for the internet at large; an answer over a path fit for
/// live media comes far sooner, and a lost flight is seconds of black.
const RETRY: Duration = Duration::from_millis(250);

/// A self-signed ECDSA P-256 certificate, made anew by each process: nothing is kept that could be stolen.
pub struct Identity {
    certificate: Certificate,
    provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Makes a key and its certificate.
    ///
    /// # Errors
    /// [`DtlsError::Protocol`] where the system gives no random numbers.
    pub fn generate() -> Result<Self, DtlsError> {
        let provider = default_provider().map_err(|error| DtlsError::Protocol(error.to_string()))?;
        let names = vec!["communiconnect".to_owned()];
        let certificate = Certificate::generate_self_signed(names, provider.crypto()).map_err(protocol)?;
        let leaf = certificate.certificate.first().expect("a certificate was made");
        let fingerprint = Fingerprint::sha256(leaf);
        Ok(Self { certificate, provider, fingerprint })
    }

    /// SHA-256, as answers tell it.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// How an association in a role behaves that agrees to one of the profiles.
    pub(super) fn config(
        &self,
        role: DtlsRole,
        profiles: &[SrtpProtectionProfile],
    ) -> Result<Arc<HandshakeConfig>, DtlsError> {
        let builder = ConfigBuilder::default()
            .with_crypto_provider(self.provider.clone())
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(profiles.to_vec())
            .with_flight_interval(RETRY)
            // Peers are known by the fingerprint in their description, which the association checks; no authority signs.
            .with_insecure_skip_verify(true)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_server_name("communiconnect".to_owned());
        builder.build(role == DtlsRole::Client, None).map(Arc::new).map_err(protocol)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
