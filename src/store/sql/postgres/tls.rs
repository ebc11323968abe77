//! TLS to the server, as its address wishes it.

use crate::store::sql::OpenError;
use percent_encoding::percent_decode_str;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How a connection is secured (libpq, "SSL Mode Descriptions").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// It is not: the network is private, or there is none between.
    Plain,
    /// `require`: nobody listens in, and nobody is asked who they are.
    Encrypted,
    /// `verify-full`: the server shows a certificate of its name, which these have signed: of `sslrootcert`, else those that
    /// the machine trusts (`SSL_CERT_FILE` names others).
    Verified { roots: Option<String> },
}

impl Security {
    /// Takes what is about it out of an address; the rest is the driver's, which knows less of it.
    pub(super) fn of(url: &str) -> (Self, String) {
        let Some((place, query)) = url.split_once('?') else { return (Self::Plain, url.to_owned()) };
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for part in query.split('&') {
            match part.split_once('=') {
                Some(("sslmode", word @ ("require" | "verify-full"))) => mode = Some(word),
                Some(("sslrootcert", file)) => {
                    roots = Some(percent_decode_str(file).decode_utf8_lossy().into_owned());
                }
                _ => rest.push(part),
            }
        }
        let security = match (mode, &roots) {
            (None, None) => Self::Plain,
            (Some("require"), None) => Self::Encrypted,
            // Whoever names certificates wants them to count, as with libpq.
            _ => Self::Verified { roots },
        };
        if security != Self::Plain {
            rest.push("sslmode=require");
        }
        (security, if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) })
    }

    /// What makes connections so; none where they are plain.
    pub(super) fn connector(&self) -> Result<Option<MakeRustlsConnect>, OpenError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| OpenError::Address(error.to_string()))?;
        let config = match self {
            Self::Plain => return Ok(None),
            Self::Encrypted => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
                .with_no_client_auth(),
            Self::Verified { roots } => {
                builder.with_root_certificates(trusted(roots.as_deref())?).with_no_client_auth()
            }
        };
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

fn trusted(file: Option<&str>) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let cause = "this machine trusts no certificate authority: name a file by sslrootcert";
            return Err(OpenError::Address(cause.into()));
        }
        roots.add_parsable_certificates(found.certs);
        return Ok(roots);
    };
    let unread = |cause: String| OpenError::Address(format!("sslrootcert {file}: {cause}"));
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unread(error.to_string()))? {
        let certificate = certificate.map_err(|error| unread(error.to_string()))?;
        roots.add(certificate).map_err(|error| unread(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unread("there is no certificate in it".into()));
    }
    Ok(roots)
}

/// Whoever holds the key of the certificate that is shown is spoken to, whatever it says.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::Security;

    #[test]
    fn what_an_address_says_of_tls_is_read_and_the_rest_left_to_the_driver() {
        let roots = |file: &str| Security::Verified { roots: Some(file.into()) };
        for (url, security, rest) in [
            ("postgres://db/hub", Security::Plain, "postgres://db/hub"),
            ("postgres://db/hub?sslmode=disable", Security::Plain, "postgres://db/hub?sslmode=disable"),
            ("postgres://db/hub?sslmode=require", Security::Encrypted, "postgres://db/hub?sslmode=require"),
            (
                "postgres://db/hub?options=-ca%3Db&sslmode=verify-full",
                Security::Verified { roots: None },
                "postgres://db/hub?options=-ca%3Db&sslmode=require",
            ),
            (
                "postgres://db/hub?sslrootcert=%2Fetc%2Fca.pem&sslmode=verify-full",
                roots("/etc/ca.pem"),
                "postgres://db/hub?sslmode=require",
            ),
            ("postgres://db/hub?sslrootcert=ca.pem", roots("ca.pem"), "postgres://db/hub?sslmode=require"),
            (
                "postgres://db/hub?sslmode=require&sslrootcert=ca.pem",
                roots("ca.pem"),
                "postgres://db/hub?sslmode=require",
            ),
        ] {
            assert_eq!(Security::of(url), (security, rest.to_owned()), "{url}");
        }
    }
}
