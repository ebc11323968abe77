//! The ICE-lite agent of one peer (RFC 8445): who may send from where, and where media goes.
//!
//! Pure: datagrams, addresses and the time go in; an answer and what changed come out. Sends nothing itself and knows
//! neither DTLS nor RTP. A lite agent gathers nothing and checks nothing: it answers the peer's checks, and what has
//! not proved that it knows our password changes nothing here.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hmac::Mac;

use super::stun::{self, Answer, Key, Request, Transaction};

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
    /// The peer has just proved that what is sent to [`Ice::send_to`] arrives there.
    pub confirmed: bool,
}

/// One peer's agent.
#[derive(Debug)]
pub struct Ice {
    /// What is valid.
    current: Generation,
    /// What a restart made valid beside it, until it nominates.
    next: Option<Generation>,
    /// At most [`MAX_TUPLES`].
    paths: Vec<Path>,
    selected: Option<Tuple>,
    /// Whether the selected tuple was nominated, or only came first.
    is_nominated: bool,
    authenticated_at: Option<Instant>,
    challenge: Option<Challenge>,
}

/// A request of ours that whoever gets it is to answer.
#[derive(Clone, Copy, Debug)]
struct Challenge {
    transaction: Transaction,
    tuple: Tuple,
    sent: Instant,
}

/// A request of ours is repeated no sooner: what it may do to a victim of a forged address stays a trickle.
const CHALLENGE_EVERY: Duration = Duration::from_millis(200);

/// A pair of credentials.
struct Generation {
    local_ufrag: String,
    remote: IceCredentials,
    key: Key,
}

impl Generation {
    fn new(local: IceCredentials, remote: IceCredentials) -> Self {
        Self { local_ufrag: local.ufrag, remote, key: key_of(&local.pwd) }
    }

    fn is_meant_by(&self, username: &str) -> bool {
        username.split_once(':') == Some((&self.local_ufrag, &self.remote.ufrag))
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.local_ufrag, self.remote.ufrag)
    }
}

fn key_of(pwd: &str) -> Key {
    Key::new_from_slice(pwd.as_bytes()).expect("HMAC takes keys of any length")
}

/// A tuple that authentic requests came by.
#[derive(Clone, Copy, Debug)]
struct Path {
    tuple: Tuple,
    authenticated_at: Instant,
    /// Whether the peer has proved that it gets what is sent there.
    is_confirmed: bool,
}

impl Path {
    fn has_consent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.authenticated_at) < CONSENT
    }
}

impl Ice {
    /// An agent that waits for the first check. `local` is ours, `remote` what the offer said.
    pub fn new(local: IceCredentials, remote: IceCredentials) -> Self {
        Self {
            current: Generation::new(local, remote),
            next: None,
            paths: Vec::new(),
            selected: None,
            is_nominated: false,
            authenticated_at: None,
            challenge: None,
        }
    }

    /// Takes a STUN datagram. Its answer, if it gets one, is written to the front of `response`; see [`IceAction`].
    ///
    /// Only a binding request with a valid FINGERPRINT, one of our user names and a valid MESSAGE-INTEGRITY changes
    /// anything, and the answer to a [challenge](Self::challenge). Requests with wrong credentials are answered 400 or 401,
    /// in at most as many bytes as they had.
    pub fn on_stun(
        &mut self,
        now: Instant,
        tuple: Tuple,
        datagram: &[u8],
        response: &mut [u8; MAX_RESPONSE],
    ) -> IceAction {
        let Some(request) = Request::parse(datagram) else {
            let confirmed = self.is_challenge_met(tuple, datagram);
            return IceAction { confirmed, ..IceAction::default() };
        };
        let (generation, is_next) = match self.authenticate(&request) {
            Ok(found) => found,
            Err(answer) => {
                let length = answer.write(&request, None, response);
                // Whoever sent it may have lied about where it came from: nothing is amplified for them.
                let response = (length <= datagram.len()).then_some(length);
                return IceAction { response, ..IceAction::default() };
            }
        };
        let answer = judge(&request, tuple);
        let length = answer.write(&request, Some(&generation.key), response);
        self.authenticated_at = Some(now);
        let mut action = IceAction { response: Some(length), authenticated: true, ..IceAction::default() };
        if let Answer::Success(_) = answer {
            self.admit(now, tuple, &mut action);
            if request.nominates {
                self.nominate(tuple, is_next, &mut action);
            }
        }
        action
    }

    /// The credentials that a request proves to know, and whether they are a restart's (RFC 8489, section 9.1.3).
    fn authenticate(&self, request: &Request<'_>) -> Result<(&Generation, bool), Answer> {
        let Some(username) = request.username.filter(|_| request.is_signed()) else {
            return Err(Answer::BadRequest);
        };
        let known = [(Some(&self.current), false), (self.next.as_ref(), true)];
        known
            .into_iter()
            .filter_map(|(generation, is_next)| Some((generation?, is_next)))
            .find(|(generation, _)| generation.is_meant_by(username) && request.is_by(&generation.key))
            .ok_or(Answer::Unauthenticated)
    }

    fn admit(&mut self, now: Instant, tuple: Tuple, action: &mut IceAction) {
        if let Some(path) = self.paths.iter_mut().find(|path| path.tuple == tuple) {
            // After so long the address may be somebody else's.
            path.is_confirmed &= path.has_consent(now);
            path.authenticated_at = now;
        } else {
            action.admitted = true;
            if self.paths.len() == MAX_TUPLES {
                let others =
                    self.paths.iter().enumerate().filter(|(_, path)| Some(path.tuple) != self.selected);
                let oldest = others.min_by_key(|(_, path)| path.authenticated_at);
                let (place, _) = oldest.expect("of several tuples at most one is selected");
                action.forgotten = Some(self.paths.swap_remove(place).tuple);
            }
            self.paths.push(Path { tuple, authenticated_at: now, is_confirmed: false });
        }
        // Until something is nominated the first tuple does, as long as it is good.
        if !self.is_nominated && self.send_to(now).is_none() {
            self.select(tuple, action);
        }
    }

    fn nominate(&mut self, tuple: Tuple, is_next: bool, action: &mut IceAction) {
        if is_next && let Some(next) = self.next.take() {
            self.current = next;
            action.retired = true;
        }
        self.is_nominated = true;
        if self.selected != Some(tuple) {
            self.select(tuple, action);
        }
    }

    fn select(&mut self, tuple: Tuple, action: &mut IceAction) {
        self.selected = Some(tuple);
        action.moved_to = Some(tuple);
    }

    fn selected(&self) -> Option<&Path> {
        self.paths.iter().find(|path| Some(path.tuple) == self.selected)
    }

    /// Where media goes: the last nominated tuple, before any nomination the first authenticated one. `None` when no
    /// authenticated request has come from there for [`CONSENT`].
    pub fn send_to(&self, now: Instant) -> Option<Tuple> {
        self.selected().filter(|path| path.has_consent(now)).map(|path| path.tuple)
    }

    /// Whether the peer has proved that what is sent to [`Ice::send_to`] arrives there.
    ///
    /// A peer knows its own password and could name a victim's address: until this holds, send little.
    pub fn is_confirmed(&self) -> bool {
        self.selected().is_some_and(|path| path.is_confirmed)
    }

    /// A request to be sent to [`Ice::send_to`] while that is not confirmed: its answer confirms it within a round trip.
    /// `random` names it. None when it is confirmed, or one was sent a moment ago.
    ///
    /// A lite agent need not check anything, but whoever speaks full ICE answers checks at any time (RFC 8445,
    /// section 7.3), and only who got this one knows its 96 random bits.
    pub fn challenge(&mut self, now: Instant, random: [u8; 12]) -> Option<(Tuple, Vec<u8>)> {
        let tuple = self.send_to(now).filter(|_| !self.is_confirmed())?;
        let pending = self.challenge.filter(|challenge| challenge.tuple == tuple);
        if pending.is_some_and(|challenge| now.saturating_duration_since(challenge.sent) < CHALLENGE_EVERY) {
            return None;
        }
        // Repeated as it was, so that a slow answer to the first still counts.
        let transaction = pending.map_or(random, |challenge| challenge.transaction);
        self.challenge = Some(Challenge { transaction, tuple, sent: now });
        let Generation { local_ufrag, remote, .. } = &self.current;
        let username = format!("{}:{local_ufrag}", remote.ufrag);
        Some((tuple, stun::request(&username, &transaction, &key_of(&remote.pwd))))
    }

    fn is_challenge_met(&mut self, tuple: Tuple, datagram: &[u8]) -> bool {
        let is_met = stun::answered(datagram).is_some_and(|transaction| {
            self.challenge.is_some_and(|known| known.transaction == transaction && known.tuple == tuple)
        });
        if is_met {
            self.challenge = None;
            self.confirm(tuple);
        }
        is_met && self.selected == Some(tuple)
    }

    /// Tells that the peer acknowledged, from `tuple`, something that was sent to `tuple`: a DTLS flight, or packets
    /// in an authenticated SRTCP report.
    pub fn confirm(&mut self, tuple: Tuple) {
        if let Some(path) = self.paths.iter_mut().find(|path| path.tuple == tuple) {
            path.is_confirmed = true;
        }
    }

    /// Whether datagrams from `tuple` are this peer's.
    pub fn knows(&self, tuple: Tuple) -> bool {
        self.paths.iter().any(|path| path.tuple == tuple)
    }

    /// When the last authentic request came, from wherever.
    pub fn authenticated_at(&self) -> Option<Instant> {
        self.authenticated_at
    }

    /// Starts a restart (RFC 8445, section 9): both pairs of credentials are valid until the new ones nominate. Answers
    /// the local user name fragment that this makes void at once: that of a former restart which never completed.
    pub fn restart(&mut self, local: IceCredentials, remote: IceCredentials) -> Option<String> {
        self.next.replace(Generation::new(local, remote)).map(|abandoned| abandoned.local_ufrag)
    }
}

/// What an authentic request is answered.
fn judge(request: &Request<'_>, tuple: Tuple) -> Answer {
    match (request.is_controlling, request.is_controlled) {
        _ if !request.unknown().is_empty() => Answer::UnknownAttribute,
        (true, true) => Answer::BadRequest,
        // A lite agent cannot control, whoever's tie-breaker is larger (RFC 8445, section 6.1.1).
        (false, true) => Answer::RoleConflict,
        (_, false) => Answer::Success(tuple.remote),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::tests::{Builder, key, verdict};
    use super::*;

    const PASSWORD: &str = "our+password+of+some+length";
    const NEW_PASSWORD: &str = "another+password+of+ours";

    fn credentials(ufrag: &str, pwd: &str) -> IceCredentials {
        IceCredentials { ufrag: ufrag.into(), pwd: pwd.into() }
    }

    fn tuple(port: u16) -> Tuple {
        Tuple {
            local: SocketAddr::from(([203, 0, 113, 9], 8189)),
            remote: SocketAddr::from(([198, 51, 100, 1], port)),
        }
    }

    /// An agent and the time, with a peer that does things to it.
    struct Scene {
        ice: Ice,
        now: Instant,
        response: [u8; MAX_RESPONSE],
    }

    impl Scene {
        fn new() -> Self {
            let ice =
                Ice::new(credentials("ours", PASSWORD), credentials("peer", "the+password+of+the+peer"));
            Self { ice, now: Instant::now(), response: [0; MAX_RESPONSE] }
        }

        fn receive(&mut self, port: u16, datagram: &[u8]) -> IceAction {
            self.ice.on_stun(self.now, tuple(port), datagram, &mut self.response)
        }

        fn check(&mut self, port: u16) -> IceAction {
            self.receive(port, &Builder::check("ours:peer").signed(&key(PASSWORD)).finish())
        }

        fn nominate(&mut self, port: u16) -> IceAction {
            self.receive(port, &Builder::check("ours:peer").nominating().signed(&key(PASSWORD)).finish())
        }

        fn restart(&mut self) -> Option<String> {
            self.ice.restart(
                credentials("next", NEW_PASSWORD),
                credentials("per2", "the+new+password+of+the+peer"),
            )
        }

        fn new_check(&mut self, port: u16) -> IceAction {
            self.receive(port, &Builder::check("next:per2").signed(&key(NEW_PASSWORD)).finish())
        }

        fn new_nominate(&mut self, port: u16) -> IceAction {
            self.receive(port, &Builder::check("next:per2").nominating().signed(&key(NEW_PASSWORD)).finish())
        }

        fn send_to(&self) -> Option<u16> {
            self.ice.send_to(self.now).map(|tuple| tuple.remote.port())
        }

        fn verdict(&self, action: IceAction, password: &str) -> (Option<u16>, bool) {
            verdict(&self.response[..action.response.unwrap()], &key(password))
        }

        fn wait(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn media_goes_to_the_first_authentic_address_until_one_is_nominated() {
        let mut scene = Scene::new();
        assert_eq!(scene.send_to(), None);
        let first = scene.check(1);
        assert!(first.authenticated && first.admitted);
        assert_eq!(first.moved_to, Some(tuple(1)));
        assert_eq!(scene.verdict(first, PASSWORD), (None, true));
        assert_eq!(scene.check(2).moved_to, None);
        assert_eq!(scene.send_to(), Some(1));

        let nominated = scene.nominate(2);
        assert_eq!((nominated.admitted, nominated.moved_to), (false, Some(tuple(2))));
        assert_eq!(scene.check(1).moved_to, None, "a check nominates nothing");
        assert_eq!(scene.nominate(2).moved_to, None, "it is there already");
        assert_eq!(scene.send_to(), Some(2));
        assert_eq!(scene.nominate(1).moved_to, Some(tuple(1)), "the last nomination counts");
    }

    #[test]
    fn whoever_does_not_know_the_password_changes_nothing() {
        let mut scene = Scene::new();
        scene.nominate(1);
        let before = format!("{:?}", scene.ice);
        let right = Builder::check("ours:peer").nominating();
        for (datagram, error) in [
            (right.clone().signed(&key("guessed")).finish(), 401),
            (Builder::check("ours:other").nominating().signed(&key(PASSWORD)).finish(), 401),
            (Builder::check("other:peer").nominating().signed(&key(PASSWORD)).finish(), 401),
            (Builder::check("ours").nominating().signed(&key(PASSWORD)).finish(), 401),
            (Builder::new().nominating().signed(&key(PASSWORD)).finish(), 400),
            (right.clone().finish(), 400),
        ] {
            let action = scene.receive(2, &datagram);
            assert_eq!(scene.verdict(action, PASSWORD), (Some(error), false));
            assert!(action.response.unwrap() <= datagram.len(), "it would amplify");
            assert_eq!(IceAction { response: None, ..action }, IceAction::default());
            assert_eq!(format!("{:?}", scene.ice), before);
        }
        let mut damaged = right.signed(&key(PASSWORD)).finish();
        damaged[21] ^= 1;
        assert_eq!(scene.receive(2, &damaged), IceAction::default());
        assert_eq!(scene.receive(2, b""), IceAction::default());
        let bare = Builder::new().finish();
        assert_eq!(scene.receive(2, &bare).response, None, "the refusal would be longer than the request");
    }

    #[test]
    fn a_peer_that_will_not_control_or_contradicts_itself_is_told_and_gets_no_way() {
        let mut scene = Scene::new();
        for (datagram, error) in [
            (Builder::new().with(6, b"ours:peer").controlled().nominating(), 487),
            (Builder::check("ours:peer").controlled().nominating(), 400),
            (Builder::check("ours:peer").unknown().nominating(), 420),
        ] {
            let action = scene.receive(1, &datagram.signed(&key(PASSWORD)).finish());
            assert_eq!(scene.verdict(action, PASSWORD), (Some(error), true));
            assert!(action.authenticated && !action.admitted);
            assert_eq!(scene.send_to(), None);
        }
        let old_agent = Builder::new().with(6, b"ours:peer").nominating().signed(&key(PASSWORD)).finish();
        assert!(scene.receive(1, &old_agent).admitted, "an agent older than roles is taken to control");
    }

    #[test]
    fn nothing_is_sent_to_an_address_silent_for_thirty_seconds() {
        let mut scene = Scene::new();
        scene.nominate(1);
        scene.wait(29);
        assert_eq!(scene.send_to(), Some(1));
        scene.check(2);
        scene.wait(1);
        assert_eq!(scene.send_to(), None, "another address does not speak for this one");
        assert_eq!(scene.ice.authenticated_at(), Some(scene.now - Duration::from_secs(1)));
        scene.check(1);
        assert_eq!(scene.send_to(), Some(1), "consent given again");
    }

    #[test]
    fn before_a_nomination_another_address_follows_one_that_fell_silent() {
        let mut scene = Scene::new();
        scene.check(1);
        scene.wait(30);
        assert_eq!(scene.check(2).moved_to, Some(tuple(2)));
        assert_eq!(scene.send_to(), Some(2));
    }

    #[test]
    fn the_address_silent_for_longest_gives_way_but_never_the_one_in_use() {
        let mut scene = Scene::new();
        scene.nominate(1);
        for port in 2..=4 {
            scene.wait(1);
            assert_eq!(scene.check(port).forgotten, None);
        }
        scene.wait(1);
        scene.check(2);
        scene.wait(1);
        let action = scene.check(5);
        assert_eq!((action.admitted, action.forgotten), (true, Some(tuple(3))));
        assert!(!scene.ice.knows(tuple(3)) && scene.ice.knows(tuple(5)) && scene.ice.knows(tuple(1)));
        for port in 10..100 {
            scene.check(port);
        }
        assert_eq!(scene.ice.paths.len(), MAX_TUPLES);
        assert_eq!(scene.send_to(), Some(1));
        let moved = scene.nominate(100);
        assert_eq!(moved.moved_to, Some(tuple(100)));
        assert_ne!(moved.forgotten, Some(tuple(100)));
    }

    #[test]
    fn whoever_answers_our_own_request_is_confirmed_and_nobody_else() {
        let mut scene = Scene::new();
        scene.nominate(1);
        let random = *b"unguessable!";
        let (to, ours) = scene.ice.challenge(scene.now, random).expect("it is not confirmed");
        assert_eq!(to, tuple(1));
        assert_eq!(scene.ice.challenge(scene.now, random), None, "one is on its way");

        let request = Request::parse(&ours).unwrap();
        assert_eq!(request.username, Some("peer:ours"));
        assert!(request.is_by(&key("the+password+of+the+peer")));
        let length = Answer::Success(to.local).write(&request, None, &mut scene.response);
        let answer = scene.response[..length].to_vec();
        let mut guessed = answer.clone();
        guessed[15] ^= 1;
        let mut answered = |from: u16, datagram: &[u8]| {
            scene.ice.on_stun(scene.now, tuple(from), datagram, &mut scene.response).confirmed
        };
        assert!(!answered(1, &guessed));
        assert!(!answered(2, &answer), "it was sent elsewhere");
        assert!(answered(1, &answer));
        assert!(!answered(1, &answer), "it counts once");
        assert!(scene.ice.is_confirmed());
        assert_eq!(scene.ice.challenge(scene.now, random), None);
    }

    #[test]
    fn an_address_is_confirmed_by_itself_alone() {
        let mut scene = Scene::new();
        scene.nominate(1);
        assert!(!scene.ice.is_confirmed());
        scene.ice.confirm(tuple(2));
        assert!(!scene.ice.is_confirmed());
        scene.ice.confirm(tuple(1));
        assert!(scene.ice.is_confirmed());
        scene.nominate(2);
        assert!(!scene.ice.is_confirmed(), "the peer could have named a victim's");
        scene.nominate(1);
        assert!(scene.ice.is_confirmed());
        scene.wait(30);
        scene.nominate(1);
        assert!(!scene.ice.is_confirmed(), "after so long it may be somebody else's");
    }

    #[test]
    fn a_restart_keeps_the_old_way_until_the_new_one_is_nominated() {
        let mut scene = Scene::new();
        scene.nominate(1);
        assert_eq!(scene.restart(), None);
        assert!(scene.check(1).authenticated, "the old credentials hold");
        let new = scene.new_check(2);
        assert!(new.admitted && !new.retired);
        assert_eq!(scene.verdict(new, NEW_PASSWORD), (None, true));
        assert_eq!(scene.send_to(), Some(1));
        assert!(!scene.nominate(1).retired, "an old nomination does not end a restart");

        let done = scene.new_nominate(2);
        assert!(done.retired);
        assert_eq!(scene.send_to(), Some(2));
        let late = scene.nominate(1);
        assert!(!late.authenticated);
        assert_eq!(scene.verdict(late, PASSWORD), (Some(401), false));
        assert_eq!(scene.send_to(), Some(2));
    }

    #[test]
    fn a_restart_over_the_same_address_moves_nothing() {
        let mut scene = Scene::new();
        scene.nominate(1);
        scene.ice.confirm(tuple(1));
        scene.restart();
        let done = scene.new_nominate(1);
        assert_eq!((done.retired, done.moved_to), (true, None));
        assert!(scene.ice.is_confirmed());
    }

    #[test]
    fn a_second_restart_takes_the_place_of_one_that_never_completed() {
        let mut scene = Scene::new();
        scene.nominate(1);
        scene.restart();
        let third = credentials("last", "the+third+password+of+ours");
        let remote = credentials("per3", "the+third+password+of+theirs");
        assert_eq!(scene.ice.restart(third, remote).as_deref(), Some("next"));
        assert!(!scene.new_nominate(2).authenticated);
        assert!(scene.check(1).authenticated);
    }

    #[test]
    fn credentials_of_two_generations_do_not_mix() {
        let mut scene = Scene::new();
        scene.restart();
        for (username, password) in
            [("ours:per2", PASSWORD), ("next:peer", NEW_PASSWORD), ("next:per2", PASSWORD)]
        {
            let datagram = Builder::check(username).signed(&key(password)).finish();
            assert!(!scene.receive(1, &datagram).authenticated, "{username}");
        }
    }

    #[test]
    fn passwords_are_never_printed() {
        let shown = format!("{:?} {:?}", credentials("ours", PASSWORD), Scene::new().ice);
        assert!(!shown.contains("password"), "{shown}");
    }
}
