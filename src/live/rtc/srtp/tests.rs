//! Against the RFCs' vectors, against another implementation, and against the rules that keep the key safe.

use super::{
    cipher::{Cipher, Packets, Place},
    *,
};
use proptest::prelude::*;
use rtc_dtls::crypto_provider::default_provider;
use rtc_srtp::{
    context::Context,
    option::{srtcp_replay_protection, srtp_replay_protection},
    protection_profile::ProtectionProfile,
};
use std::collections::HashMap;

const PROFILES: [Profile; 2] = [Profile::Gcm, Profile::CounterMode];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("digits"), 16).expect("digits"))
        .collect()
}

/// The two sides of one association.
fn pair(profile: Profile) -> (SrtpKeys, SrtpKeys) {
    let material: Vec<u8> = (0..profile.material_len() as u8).map(|byte| byte.wrapping_mul(37)).collect();
    let keys = |is_client| SrtpKeys::from_material(profile, &material, is_client).expect("right length");
    (keys(true), keys(false))
}

/// A plain RTP packet with one extension word and a recognisable body.
fn rtp(ssrc: u32, sequence: u16, body: usize) -> Vec<u8> {
    let mut packet = vec![0x90, 0x60];
    packet.extend(sequence.to_be_bytes());
    packet.extend(7u32.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0]);
    packet.extend((0..body).map(|at| (at as u8) ^ (sequence as u8)));
    packet
}

/// A receiver report without blocks.
fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet
}

fn with_room(packet: &[u8]) -> (Vec<u8>, usize) {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + SEAL_ROOM, 0);
    (buffer, packet.len())
}

fn sealed_rtp(sealer: &mut Sealer, packet: &[u8]) -> Vec<u8> {
    let (mut buffer, len) = with_room(packet);
    let len = sealer.seal_rtp(&mut buffer, len).expect("sealed");
    buffer[..len].to_vec()
}

fn sealed_rtcp(sealer: &mut Sealer, packet: &[u8]) -> Vec<u8> {
    let (mut buffer, len) = with_room(packet);
    let len = sealer.seal_rtcp(&mut buffer, len).expect("sealed");
    buffer[..len].to_vec()
}

#[test]
fn gcm_agrees_with_rfc_7714() {
    let key = || {
        Box::new(ring::aead::LessSafeKey::new(
            ring::aead::UnboundKey::new(&ring::aead::AES_128_GCM, &hex("000102030405060708090a0b0c0d0e0f"))
                .expect("a key"),
        ))
    };
    let salt = *b"Quid pro quo";

    // Section 16.1.1.
    let plain = hex(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573",
    );
    let sealed = hex(
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf
         8833899d 7f27beb1 6a9152cf 765ee439 0cce",
    );
    let cipher = Cipher::Gcm { key: key(), salt, packets: Packets::Rtp };
    let place = Place { ssrc: 0x5501_a0b2, index: 0xf17b };
    let (mut buffer, len) = with_room(&plain);
    let len = cipher.seal(&mut buffer, 12, len, place);
    assert_eq!(buffer[..len], sealed);
    assert_eq!(cipher.open(&mut buffer[..len], 12, place), Ok(plain.len()));
    assert_eq!(buffer[..plain.len()], plain);

    // Section 17.1.
    let plain = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef",
    );
    let sealed = hex(
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded
         0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
    let cipher = Cipher::Gcm { key: key(), salt, packets: Packets::Rtcp };
    let place = Place { ssrc: 0x4d61_7273, index: 0x5d4 };
    let (mut buffer, len) = with_room(&plain);
    let len = cipher.seal(&mut buffer, 8, len, place);
    assert_eq!(buffer[..len], sealed);
}

#[test]
fn counter_mode_agrees_with_rfc_3711() {
    // The keys of appendix B.3; what they make of a packet is libsrtp's well-known vector.
    let master =
        MasterKey::new(&hex("E1F97A0D3E018BE0D64FA32C06DE4139"), &hex("0EC675AD498AFEEBB6960B3AABE6"));
    let keys = SrtpKeys { profile: Profile::CounterMode, local: master.clone(), remote: master };
    let plain = hex("800f1234decafbadcafebabe abababab abababab abababab abababab");
    let sealed = sealed_rtp(&mut Sealer::new(&keys), &plain);
    assert_eq!(sealed, hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb"));
}

#[test]
fn another_implementation_opens_what_is_sealed_and_seals_what_is_opened() {
    let provider = default_provider().expect("ring");
    for (profile, theirs) in [
        (Profile::Gcm, ProtectionProfile::AeadAes128Gcm),
        (Profile::CounterMode, ProtectionProfile::Aes128CmHmacSha1_80),
    ] {
        let (keys, _) = pair(profile);
        let context = |master: &MasterKey| {
            let salt = &master.salt[..profile.salt_len()];
            let (rtp, rtcp) = (srtp_replay_protection(64), srtcp_replay_protection(64));
            Context::new(&master.key, salt, theirs, Some(rtp), Some(rtcp), provider.crypto())
                .expect("a context")
        };
        let (mut their_opener, mut their_sealer) = (context(&keys.local), context(&keys.remote));
        let (mut sealer, mut opener) = (Sealer::new(&keys), Opener::new(&keys));
        // Over the edge of the sequence numbers, twice.
        for step in 0..140_000u32 {
            let packet = rtp(0xcafe, (0x7000 + step) as u16, 100);
            if step % 7 != 0 {
                continue;
            }
            let sealed = sealed_rtp(&mut sealer, &packet);
            assert_eq!(
                their_opener.decrypt_rtp(&sealed).expect("opens")[..],
                packet[..],
                "{profile:?} {step}"
            );
            let mut sealed = their_sealer.encrypt_rtp(&packet).expect("seals").to_vec();
            assert_eq!(opener.open_rtp(&mut sealed).expect("opens"), packet, "{profile:?} {step}");
        }
        for _ in 0..3 {
            let packet = rtcp(0xcafe);
            let sealed = sealed_rtcp(&mut sealer, &packet);
            assert_eq!(their_opener.decrypt_rtcp(&sealed).expect("opens")[..], packet[..]);
            let mut sealed = their_sealer.encrypt_rtcp(&packet).expect("seals").to_vec();
            assert_eq!(opener.open_rtcp(&mut sealed).expect("opens"), packet);
        }
    }
}

#[test]
fn a_packet_opens_once() {
    for profile in PROFILES {
        let (client, server) = pair(profile);
        let (mut sealer, mut opener) = (Sealer::new(&client), Opener::new(&server));
        let sealed = sealed_rtp(&mut sealer, &rtp(1, 5, 40));
        let report = sealed_rtcp(&mut sealer, &rtcp(1));
        assert!(opener.open_rtp(&mut sealed.clone()).is_ok());
        assert_eq!(opener.open_rtp(&mut sealed.clone()), Err(OpenError::Replayed));
        assert!(opener.open_rtcp(&mut report.clone()).is_ok());
        assert_eq!(opener.open_rtcp(&mut report.clone()), Err(OpenError::Replayed));
    }
}

#[test]
fn packets_out_of_order_open_and_those_from_before_the_window_do_not() {
    for profile in PROFILES {
        let (client, server) = pair(profile);
        let (mut sealer, mut opener) = (Sealer::new(&client), Opener::new(&server));
        let mut sealed: Vec<_> =
            (0..2000).map(|sequence| sealed_rtp(&mut sealer, &rtp(1, sequence, 40))).collect();
        assert!(opener.open_rtp(&mut sealed[1999]).is_ok());
        assert!(opener.open_rtp(&mut sealed[1000]).is_ok());
        assert_eq!(opener.open_rtp(&mut sealed[900]), Err(OpenError::Replayed));
    }
}

#[test]
fn streams_of_one_peer_are_bounded() {
    let (client, server) = pair(Profile::Gcm);
    let mut opener = Opener::new(&server);
    let mut open = |ssrc| {
        // A sealer is as bounded, so each stream gets one of its own here; their nonces differ by SSRC.
        let mut sealed = sealed_rtp(&mut Sealer::new(&client), &rtp(ssrc, 5, 40));
        opener.open_rtp(&mut sealed).map(|_| ())
    };
    for ssrc in 0..64 {
        assert_eq!(open(ssrc), Ok(()));
    }
    assert_eq!(open(64), Err(OpenError::TooManyStreams));
}

#[test]
fn what_cannot_be_sealed_stays_as_it_was() {
    let (keys, _) = pair(Profile::Gcm);
    let mut sealer = Sealer::new(&keys);
    let packet = rtp(1, 5, 40);
    let mut tight = packet.clone();
    let len = tight.len();
    assert_eq!(sealer.seal_rtp(&mut tight, len), Err(SealError::NoRoom));
    assert_eq!(tight, packet);
    assert_eq!(sealer.seal_rtp(&mut tight, len + 1), Err(SealError::Malformed));
    assert_eq!(sealer.seal_rtcp(&mut [0; 40], 8), Err(SealError::Malformed));
}

#[test]
fn a_stream_ends_before_its_indices_repeat() {
    let (keys, _) = pair(Profile::Gcm);
    let mut sealer = Sealer::new(&keys);
    let mut highest = 0u64;
    // Steps of just less than half the space are the longest whose index is certain.
    for sequence in (0u64..).step_by(0x7fff) {
        let (mut buffer, len) = with_room(&rtp(1, sequence as u16, 1));
        match sealer.seal_rtp(&mut buffer, len) {
            Ok(_) => highest = sequence,
            Err(error) => {
                assert_eq!(error, SealError::Exhausted);
                break;
            }
        }
        if sequence > 0x10_0000 {
            break;
        }
    }
    assert!(highest > 0xf_0000, "the roll-over counter rose: {highest:#x}");
}

/// What a viewer's sealer is asked for: packets of its streams in order, some again, jumps as at a layer switch or a takeover.
#[derive(Clone, Debug)]
enum Step {
    Next { stream: usize, skip: u16 },
    Again { stream: usize, back: u16 },
    Report { stream: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0usize..4, 0u16..3).prop_map(|(stream, skip)| Step::Next { stream, skip }),
        1 => (0usize..4, 1000u16..30_000).prop_map(|(stream, skip)| Step::Next { stream, skip }),
        2 => (0usize..4, 1u16..500).prop_map(|(stream, back)| Step::Again { stream, back }),
        1 => (0usize..4).prop_map(|stream| Step::Report { stream }),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    /// A nonce is known by its key stream: the same nonce over another packet would show as the same cipher text where
    /// the plain text is the same. So each packet is opened with the index that it must have, and (key, SSRC, index)
    /// is looked up among all that were sealed.
    #[test]
    fn no_nonce_is_ever_used_for_two_packets(steps in steps()) {
        let (client, server) = pair(Profile::Gcm);
        let mut sealer = Sealer::new(&client);
        let opener = Cipher::new(Profile::Gcm, &server.remote, Packets::Rtp);
        let report_opener = Cipher::new(Profile::Gcm, &server.remote, Packets::Rtcp);
        let mut next = [0x7ffeu64, 0x12, 0x7000, 0];
        let mut sealed: HashMap<(bool, u32, u64), Vec<u8>> = HashMap::new();
        for step in steps {
            let (stream, index) = match step {
                Step::Next { stream, skip } => {
                    next[stream] += u64::from(skip) + 1;
                    (stream, next[stream])
                }
                Step::Again { stream, back } => (stream, next[stream].saturating_sub(u64::from(back))),
                Step::Report { stream } => {
                    let ssrc = stream as u32;
                    let packet = sealed_rtcp(&mut sealer, &rtcp(ssrc));
                    let at = packet.len() - 4;
                    let index = u64::from(u32::from_be_bytes(packet[at..].try_into().expect("four bytes")) & 0x7fff_ffff);
                    let place = Place { ssrc, index };
                    prop_assert!(report_opener.open(&mut packet.clone(), 8, place).is_ok());
                    prop_assert_eq!(sealed.insert((true, ssrc, index), packet), None, "a report's nonce came twice");
                    continue;
                }
            };
            if index < next[stream].saturating_sub(0x7000) {
                continue;
            }
            let ssrc = stream as u32;
            // The body follows from the index, as the munger promises.
            let mut plain = rtp(ssrc, index as u16, 24);
            plain.extend(index.to_be_bytes());
            let packet = sealed_rtp(&mut sealer, &plain);
            let first = !sealed.keys().any(|(report, known, _)| !report && *known == ssrc);
            let place = Place { ssrc, index: if first { u64::from(index as u16) } else { index } };
            if first && index > 0xffff {
                continue;
            }
            prop_assert!(opener.open(&mut packet.clone(), 20, place).is_ok(), "sealed at another index than {}", index);
            if let Some(before) = sealed.insert((false, ssrc, index), packet.clone()) {
                prop_assert_eq!(before, packet, "one nonce over two packets");
            }
        }
    }

    #[test]
    fn what_was_mangled_changes_nothing(at in 0usize..200, flip in 1u8.., cut in 0usize..200, gcm: bool) {
        let (client, server) = pair(if gcm { Profile::Gcm } else { Profile::CounterMode });
        let (mut sealer, mut opener) = (Sealer::new(&client), Opener::new(&server));
        let before: Vec<_> = (0..3).map(|sequence| sealed_rtp(&mut sealer, &rtp(1, sequence, 40))).collect();
        let victim = sealed_rtp(&mut sealer, &rtp(1, 0x4000, 40));
        let report = sealed_rtcp(&mut sealer, &rtcp(1));
        prop_assert!(opener.open_rtp(&mut before[0].clone()).is_ok());
        for original in [&victim, &report] {
            let mut flipped = original.clone();
            let place = at % flipped.len();
            flipped[place] ^= flip;
            let mut shortened = original[..cut % original.len()].to_vec();
            for mangled in [&mut flipped, &mut shortened] {
                prop_assert!(opener.open_rtp(&mut mangled.clone()).is_err());
                prop_assert!(opener.open_rtcp(mangled).is_err());
            }
        }
        // All that is genuine still opens: no window moved, no counter rolled over.
        for packet in &before[1..] {
            prop_assert!(opener.open_rtp(&mut packet.clone()).is_ok());
        }
        prop_assert!(opener.open_rtp(&mut victim.clone()).is_ok());
        prop_assert!(opener.open_rtcp(&mut report.clone()).is_ok());
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for profile in PROFILES {
            let (client, _) = pair(profile);
            let mut opener = Opener::new(&client);
            prop_assert!(opener.open_rtp(&mut bytes.clone()).is_err());
            prop_assert!(opener.open_rtcp(&mut bytes.clone()).is_err());
        }
    }
}
