//! STUN (RFC 8489) as far as an ICE-lite agent needs it: binding requests read, their answers written.
//!
//! Works on the caller's bytes without allocating. Knows no peer and decides nothing; `ice` does.

/// The local half of a binding request's USERNAME: by it a datagram finds its peer before anything is verified.
/// `None` for anything that is not a well-formed binding request of an ICE agent.
pub fn local_ufrag(_datagram: &[u8]) -> Option<&str> {
    None
}
