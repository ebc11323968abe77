//! Associations with each other and with the bare library, over a wire that loses, cuts and doubles.

use super::*;
use proptest::prelude::*;
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder},
    crypto::Certificate,
    crypto_provider::default_provider,
};

struct Side {
    association: Association,
    keys: Option<SrtpKeys>,
    is_closed: bool,
    error: Option<DtlsError>,
}

impl Side {
    fn new(identity: &Arc<Identity>, role: DtlsRole, peer: &Identity, now: Instant) -> Self {
        let trusted = vec![peer.fingerprint().clone()];
        let association = Association::new(identity.clone(), role, trusted, now).expect("begins");
        Self { association, keys: None, is_closed: false, error: None }
    }

    fn take(&mut self, now: Instant, datagram: &[u8]) {
        match self.association.on_datagram(now, datagram) {
            Ok(Some(Outcome::Established(keys))) => {
                assert!(self.keys.is_none(), "keys are told once");
                self.keys = Some(*keys);
            }
            Ok(Some(Outcome::ClosedByPeer)) => self.is_closed = true,
            Ok(None) => {}
            Err(error) => self.error = Some(error),
        }
    }

    fn sent(&mut self) -> Vec<BytesMut> {
        std::iter::from_fn(|| self.association.poll_transmit()).collect()
    }
}

/// Two sides and the time between them.
struct Pair {
    client: Side,
    server: Side,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let [one, other] = [(); 2].map(|()| Arc::new(Identity::generate().expect("a certificate")));
        Self {
            client: Side::new(&one, DtlsRole::Client, &other, now),
            server: Side::new(&other, DtlsRole::Server, &one, now),
            now,
        }
    }

    /// Carries datagrams, without those that `loses` names by their number, until nothing moves for a whole handshake.
    fn run(&mut self, mut loses: impl FnMut(usize) -> bool) {
        let mut number = 0;
        loop {
            let mut moved = false;
            moved |= Self::carry(&mut self.client, &mut self.server, self.now, &mut number, &mut loses);
            moved |= Self::carry(&mut self.server, &mut self.client, self.now, &mut number, &mut loses);
            if moved {
                continue;
            }
            let due = [&self.client, &self.server]
                .into_iter()
                .filter_map(|side| side.association.poll_timeout())
                .min();
            let Some(due) = due else { return };
            self.now = self.now.max(due);
            for side in [&mut self.client, &mut self.server] {
                if let Err(error) = side.association.on_timeout(self.now) {
                    side.error = Some(error);
                }
            }
        }
    }

    fn carry(
        from: &mut Side,
        to: &mut Side,
        now: Instant,
        number: &mut usize,
        loses: &mut impl FnMut(usize) -> bool,
    ) -> bool {
        let sent = from.sent();
        for datagram in &sent {
            *number += 1;
            if !loses(*number) {
                to.take(now, datagram);
            }
        }
        !sent.is_empty()
    }
}

#[test]
fn both_sides_agree_on_the_same_keys_and_prefer_gcm() {
    let mut pair = Pair::new();
    pair.run(|_| false);
    let (client, server) = (pair.client.keys.expect("keys"), pair.server.keys.expect("keys"));
    assert_eq!(client.profile, Profile::Gcm);
    assert_eq!((&client.local, &client.remote), (&server.remote, &server.local));
    assert_ne!(client.local, client.remote);
}

#[test]
fn goodbye_reaches_the_other_side_whoever_says_it() {
    for by_client in [true, false] {
        let mut pair = Pair::new();
        pair.run(|_| false);
        let side = if by_client { &mut pair.client } else { &mut pair.server };
        side.association.close(pair.now);
        pair.run(|_| false);
        assert!(if by_client { pair.server.is_closed } else { pair.client.is_closed });
    }
}

#[test]
fn another_certificate_than_promised_gets_no_keys() {
    let now = Instant::now();
    let [one, other, promised] = [(); 3].map(|()| Arc::new(Identity::generate().expect("a certificate")));
    let mut pair = Pair {
        client: Side::new(&one, DtlsRole::Client, &other, now),
        server: Side::new(&other, DtlsRole::Server, &promised, now),
        now,
    };
    pair.run(|_| false);
    assert_eq!(pair.server.error, Some(DtlsError::Untrusted));
    assert_eq!(pair.server.keys, None);
    assert!(pair.client.is_closed, "the peer is told");

    let mut pair = Pair {
        client: Side::new(&one, DtlsRole::Client, &promised, now),
        server: Side::new(&other, DtlsRole::Server, &one, now),
        now,
    };
    pair.run(|_| false);
    assert_eq!(pair.client.error, Some(DtlsError::Untrusted));
    assert_eq!(pair.client.keys, None);
}

#[test]
fn any_one_lost_datagram_is_made_good() {
    // Number 1 is the first ClientHello; a handshake takes about eight.
    for lost in 1..=10 {
        let mut pair = Pair::new();
        pair.run(|number| number == lost);
        assert!(pair.client.keys.is_some() && pair.server.keys.is_some(), "datagram {lost} was lost");
    }
}

#[test]
fn a_peer_who_never_answers_is_given_up_in_time() {
    let mut pair = Pair::new();
    let began = pair.now;
    pair.run(|_| true);
    assert_eq!(pair.server.error, Some(DtlsError::TimedOut));
    assert!(pair.client.error.is_some());
    assert_eq!(pair.now - began, HANDSHAKE_TIME);
}

#[test]
fn a_flood_before_the_keys_ends_the_handshake_and_one_after_them_changes_nothing() {
    let mut pair = Pair::new();
    // A handshake record of the next epoch, which would be kept until its keys are known.
    let mut record = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0x04, 0x00];
    record.resize(13 + 0x400, 7);
    let hello = pair.client.sent();
    hello.iter().for_each(|datagram| pair.server.take(pair.now, datagram));
    for _ in 0..200 {
        pair.server.take(pair.now, &record);
    }
    assert_eq!(pair.server.error, Some(DtlsError::Flooded));

    let mut pair = Pair::new();
    pair.run(|_| false);
    for _ in 0..200 {
        pair.server.take(pair.now, &record);
    }
    assert_eq!(pair.server.error, None);
    pair.client.association.close(pair.now);
    pair.run(|_| false);
    assert!(pair.server.is_closed);
}

#[test]
fn a_lost_last_flight_is_repeated_for_a_minute() {
    for (later, is_answered) in [(Duration::from_secs(5), true), (Duration::from_secs(61), false)] {
        let mut pair = Pair::new();
        pair.run(|_| false);
        // What a client whose last answer got lost sends again: a handshake record of the first epoch.
        let repeat = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 60, 0, 12, 16, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0];
        pair.server.take(pair.now + later, &repeat);
        assert_eq!(!pair.server.sent().is_empty(), is_answered, "after {later:?}");
    }
}

/// The bare library as a client, as other programs configure it.
fn bare_client(profiles: &[SrtpProtectionProfile], mtu: usize) -> (Endpoint, Fingerprint) {
    let provider = default_provider().expect("ring");
    let certificate =
        Certificate::generate_self_signed(vec!["peer".to_owned()], provider.crypto()).expect("a certificate");
    let fingerprint = Fingerprint::sha256(&certificate.certificate[0]);
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        .with_srtp_protection_profiles(profiles.to_vec())
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_mtu(mtu)
        .build(true, None)
        .expect("a configuration");
    let mut endpoint = Endpoint::new(HERE, TransportProtocol::UDP, None);
    endpoint.connect(Instant::now(), THERE, Arc::new(config), None).expect("connects");
    (endpoint, fingerprint)
}

fn agreed_with(profiles: &[SrtpProtectionProfile], mtu: usize) -> Result<Profile, DtlsError> {
    let (mut client, fingerprint) = bare_client(profiles, mtu);
    let identity = Arc::new(Identity::generate().expect("a certificate"));
    let now = Instant::now();
    let mut server = Association::new(identity, DtlsRole::Server, vec![fingerprint], now)?;
    for _ in 0..20 {
        while let Some(transmit) = client.poll_transmit() {
            if let Some(Outcome::Established(keys)) = server.on_datagram(now, &transmit.message)? {
                return Ok(keys.profile);
            }
        }
        while let Some(datagram) = server.poll_transmit() {
            client.read(now, THERE, None, datagram).expect("understood");
        }
    }
    panic!("the handshake came to a halt");
}

#[test]
fn gcm_is_agreed_wherever_the_client_lists_it_and_however_its_hello_is_cut() {
    use SrtpProtectionProfile as P;
    for mtu in [1200, 60, 25] {
        let gcm_last = [P::Srtp_Aes128_Cm_Hmac_Sha1_80, P::Srtp_Aead_Aes_256_Gcm, P::Srtp_Aead_Aes_128_Gcm];
        assert_eq!(agreed_with(&gcm_last, mtu), Ok(Profile::Gcm), "fragments of {mtu}");
        assert_eq!(agreed_with(&[P::Srtp_Aes128_Cm_Hmac_Sha1_80], mtu), Ok(Profile::CounterMode));
    }
    assert!(agreed_with(&[P::Srtp_Aes128_Cm_Hmac_Sha1_32], 1200).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_never_panics(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8), header: bool) {
        let identity = Arc::new(Identity::generate().expect("a certificate"));
        let now = Instant::now();
        let mut association =
            Association::new(identity.clone(), DtlsRole::Server, vec![identity.fingerprint().clone()], now).expect("begins");
        for mut datagram in datagrams {
            if header {
                let len = datagram.len() as u16;
                datagram.splice(..0, [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, (len >> 8) as u8, len as u8]);
            }
            let _ = association.on_datagram(now, &datagram);
        }
    }
}
