//! The ICE-lite agent of one peer (RFC 8445): who may send from where, and where media goes.
//!
//! Pure: datagrams, addresses and the time go in; an answer and what changed come out. Sends nothing itself and knows
//! neither DTLS nor RTP. A lite agent gathers nothing and checks nothing: it answers the peer's checks, and what has
//! not proved that it knows our password changes nothing here.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Addresses kept for one peer; a new one past that takes the place of the one silent for longest.
pub const MAX_TUPLES: usize = 4;

/// How long an authenticated request allows sending to where it came from (RFC 7675, section 5.1).
pub const CONSENT: Duration = Duration::from_secs(30);

/// Room that the longest answer needs, in bytes.
pub const MAX_RESPONSE: usize = 128;

/// An ICE user name fragment and password (RFC 8839, section 5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// 4 to 256 ice-chars.
    pub ufrag: String,
    /// 22 to 256 ice-chars. Whoever knows it can steer the stream: it is never printed.
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// A way between the server and a peer: the address it was reached on, and the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Ours: answers leave from here.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// What the caller has to do after a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IceAction {
    /// Send this many bytes of the response buffer back on the tuple that the request came by.
    pub response: Option<usize>,
    /// The request was authentic: the peer is alive.
    pub authenticated: bool,
    /// The tuple is new: its datagrams belong to this peer from now on.
    pub admitted: bool,
    /// This tuple gave way to it: its datagrams belong to nobody now.
    pub forgotten: Option<Tuple>,
    /// Media goes here from now on.
    pub moved_to: Option<Tuple>,
    /// A restart is complete: the old local user name fragment is void.
    pub retired: bool,
}

/// One peer's agent.
pub struct Ice {
    local: IceCredentials,
    remote: IceCredentials,
    authenticated_at: Option<Instant>,
}

impl Ice {
    /// An agent that waits for the first check. `local` is ours, `remote` what the offer said.
    pub fn new(local: IceCredentials, remote: IceCredentials) -> Self {
        Self { local, remote, authenticated_at: None }
    }

    /// Takes a STUN datagram. Its answer, if it gets one, is written to the front of `response`; see [`IceAction`].
    ///
    /// Only a binding request with a valid FINGERPRINT, one of our user names and a valid MESSAGE-INTEGRITY changes
    /// anything. Requests with wrong credentials are answered 400 or 401, in at most as many bytes as they had.
    pub fn on_stun(
        &mut self,
        _now: Instant,
        _tuple: Tuple,
        _datagram: &[u8],
        _response: &mut [u8; MAX_RESPONSE],
    ) -> IceAction {
        IceAction::default()
    }

    /// Where media goes: the last nominated tuple, before any nomination the first authenticated one. `None` when no
    /// authenticated request has come from there for [`CONSENT`].
    pub fn send_to(&self, _now: Instant) -> Option<Tuple> {
        None
    }

    /// Whether the peer has proved that what is sent to [`Ice::send_to`] arrives there.
    ///
    /// A peer knows its own password and could name a victim's address: until this holds, send little.
    pub fn is_confirmed(&self) -> bool {
        false
    }

    /// Tells that the peer acknowledged, from `tuple`, something that was sent to `tuple`: a DTLS flight, or packets
    /// in an authenticated SRTCP report.
    pub fn confirm(&mut self, _tuple: Tuple) {}

    /// Whether datagrams from `tuple` are this peer's.
    pub fn knows(&self, _tuple: Tuple) -> bool {
        false
    }

    /// When the last authentic request came, from wherever.
    pub fn authenticated_at(&self) -> Option<Instant> {
        self.authenticated_at
    }

    /// Starts a restart (RFC 8445, section 9): both pairs of credentials are valid until the new ones nominate. Answers
    /// the local user name fragment that this makes void at once: that of a former restart which never completed.
    pub fn restart(&mut self, local: IceCredentials, remote: IceCredentials) -> Option<String> {
        self.local = local;
        self.remote = remote;
        None
    }
}
