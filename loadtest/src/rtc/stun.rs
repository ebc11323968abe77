//! The STUN that a controlling client needs: a binding request that nominates (RFC 8445 §7.2.2), and the answer to the
//! server's, which asks a client that moved whether it is really there.

use super::RtcError;
use rtc_crypto::RTCCryptoProvider;
use rtc_stun::{
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter},
    xoraddr::XorMappedAddress,
};
use std::net::SocketAddr;

/// Priority of a peer-reflexive candidate of the highest local preference (RFC 8445 §5.1.2).
const PRIORITY: u32 = (110 << 24) | (0xffff << 8) | 255;

/// A binding request with its place in the conversation.
pub(super) struct Binding<'a> {
    /// The server's name, then the client's.
    pub(super) username: String,
    /// The server's password.
    pub(super) password: &'a str,
    /// Settles who nominates.
    pub(super) tie_breaker: u64,
}

impl Binding<'_> {
    pub(super) fn encode(&self, crypto: &dyn RTCCryptoProvider) -> Result<Vec<u8>, RtcError> {
        let mut message = Message::new();
        message.set_type(BINDING_REQUEST);
        message.new_transaction_id()?;
        message.write_header();
        message.add(ATTR_USERNAME, self.username.as_bytes());
        message.add(ATTR_PRIORITY, &PRIORITY.to_be_bytes());
        message.add(ATTR_ICE_CONTROLLING, &self.tie_breaker.to_be_bytes());
        message.add(ATTR_USE_CANDIDATE, &[]);
        sign(message, self.password, crypto)
    }
}

/// The answer to a request of the server's that came from `from`; none to anything else.
pub(super) fn agreement(
    datagram: &[u8],
    from: SocketAddr,
    own_password: &str,
    crypto: &dyn RTCCryptoProvider,
) -> Result<Option<Vec<u8>>, RtcError> {
    let mut request = Message::new();
    if request.unmarshal_binary(datagram).is_err() || request.typ != BINDING_REQUEST {
        return Ok(None);
    }
    let mut message = Message::new();
    message.set_type(BINDING_SUCCESS);
    message.transaction_id = request.transaction_id;
    message.write_header();
    XorMappedAddress { ip: from.ip(), port: from.port() }.add_to(&mut message)?;
    sign(message, own_password, crypto).map(Some)
}

fn sign(mut message: Message, password: &str, crypto: &dyn RTCCryptoProvider) -> Result<Vec<u8>, RtcError> {
    let integrity =
        MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), crypto.crypto());
    integrity.add_to(&mut message)?;
    FINGERPRINT.add_to(&mut message)?;
    Ok(message.raw)
}

/// Whether a datagram is a server's agreement to a binding request.
pub(super) fn is_success(datagram: &[u8]) -> bool {
    let mut message = Message::new();
    message.unmarshal_binary(datagram).is_ok() && message.typ == BINDING_SUCCESS
}
