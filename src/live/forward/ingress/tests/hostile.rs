//! A publisher that sends what it should not: everything is refused or bounded, nothing fails.

use proptest::prelude::*;

use super::*;

fn everything() -> Vec<ReceivedMedia> {
    let simulcast =
        ReceivedMedia { rids: ["l", "h"].map(String::from).to_vec(), ssrcs: Vec::new(), ..video() };
    vec![audio(), simulcast]
}

fn ingress(media: Vec<ReceivedMedia>) -> (Ingress, Arc<SourceSlot>, Instant) {
    let (slot, now) = (Arc::new(SourceSlot::new()), Instant::now());
    (Ingress::new(media, IngressLimits::default(), slot.clone(), LOCAL, now), slot, now)
}

#[test]
fn the_largest_datagram_and_the_smallest_are_refused_or_taken_whole() {
    let (mut ingress, slot, now) = ingress(vec![video()]);
    assert_eq!(
        ingress.on_rtp(now, &[]),
        Err(Dropped::NotRtp(super::super::super::packet::NotRtp::HeaderCut))
    );
    let payload = [&[0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0][..], &vec![0; 65_500]].concat();
    let large = Draft { payload_type: 96, ssrc: VIDEO, payload, ..Draft::default() };
    assert_eq!(ingress.on_rtp(now, &large.bytes()).unwrap().outcome, Outcome::NewKeyFrame);
    assert_eq!(slot.load().video[0].ring.read().bytes(), 65_511);
    assert!(ingress.on_rtcp(now, &vec![0xff; 65_535]).is_err());
    assert!(ingress.on_rtcp(now, &vec![0x80; 65_535]).is_err());
    assert!(ingress.on_rtp(now, &vec![0xff; 65_535]).is_err());
}

#[test]
fn a_flood_of_ssrcs_fills_no_table() {
    let (mut ingress, slot, start) = ingress(vec![ReceivedMedia { ssrcs: Vec::new(), ..video() }]);
    let mut taken = HashSet::new();
    for ssrc in 0..100_000u32 {
        let now = start + Duration::from_micros(100) * ssrc;
        let payload_type = if ssrc % 3 == 0 { 97 } else { 96 };
        let draft = Draft { payload_type, ssrc, payload: vec![0x10, 0x01, 0x02], ..Draft::default() };
        if ingress.on_rtp(now, &draft.bytes()).is_ok_and(|accepted| accepted.is_new()) {
            taken.insert(ssrc);
        }
    }
    assert!(taken.len() <= 12, "one a second at most: {}", taken.len());
    assert_eq!(slot.load().video.len(), 1);
    assert_eq!(ingress.figures(start).encodings.len(), 1);
}

#[test]
fn numbers_that_jump_about_keep_lists_and_messages_small() {
    let (mut ingress, slot, start) = ingress(vec![video()]);
    let mut out = Vec::new();
    for step in 0..20_000u32 {
        let now = start + millis(1) * step;
        let sequence = (step.wrapping_mul(7_919) % 65_536) as u16;
        let mut draft = Draft {
            payload_type: 96,
            ssrc: VIDEO,
            sequence,
            payload: vec![0x10, 0x01, 0x02],
            ..Draft::default()
        };
        draft.extensions = vec![(TRANSPORT_ID, (step.wrapping_mul(104_729) as u16).to_be_bytes().to_vec())];
        let _ = ingress.on_rtp(now, &draft.bytes());
        for round in 0.. {
            assert!(round < 100, "feedback has an end");
            out.clear();
            if !ingress.poll_rtcp(now, &mut out) {
                break;
            }
            assert!(out.len() <= MOST_COMPOUND, "{}", out.len());
        }
    }
    let source = slot.load();
    let ring = source.video[0].ring.read();
    assert!(ring.head() - ring.oldest() <= RingLimits::VIDEO.packets as u64);
}

/// A packet that is nearly right: of a known stream or not, its fields at the edges.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let streams =
        prop_oneof![Just((111u8, AUDIO)), Just((96, VIDEO)), Just((97, RTX)), (90u8..100, 0u32..40)];
    let extensions = proptest::collection::vec((1u8..15, proptest::collection::vec(any::<u8>(), 1..5)), 0..4);
    let names = proptest::option::of(prop_oneof![Just("l"), Just("h"), Just("x")]);
    let payload = proptest::collection::vec(any::<u8>(), 0..40);
    (streams, any::<(u16, u32, bool)>(), extensions, names, payload, 0u8..4).prop_map(
        |((payload_type, ssrc), (sequence, timestamp, marker), mut extensions, rid, payload, padding)| {
            extensions.extend(rid.map(|rid| (RID_ID, rid.as_bytes().to_vec())));
            extensions.extend(rid.map(|_| (MID_ID, b"v".to_vec())));
            Draft {
                payload_type,
                ssrc,
                sequence: sequence % 300,
                timestamp,
                marker,
                extensions,
                payload,
                padding,
            }
            .bytes()
        },
    )
}

/// RTCP of kinds that are read, with lengths that may lie.
fn nearly_rtcp() -> impl Strategy<Value = Vec<u8>> {
    let part = (0x80u8..0xc0, 199u8..209, 0u16..12, proptest::collection::vec(any::<u8>(), 0..48))
        .prop_map(|(first, kind, words, body)| [&[first, kind][..], &words.to_be_bytes(), &body].concat());
    let block = (any::<u8>(), any::<u8>(), 0u16..6, proptest::collection::vec(any::<u8>(), 0..32)).prop_map(
        |(kind, specific, words, body)| {
            let mut part =
                [&[0x80, 207, 0, 0, 0, 0, 0, 1, kind % 9, specific][..], &words.to_be_bytes(), &body]
                    .concat();
            part.resize(part.len().next_multiple_of(4), 0);
            part[3] = (part.len() / 4 - 1) as u8;
            part
        },
    );
    proptest::collection::vec(prop_oneof![part, block], 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_taken_or_refused_with_a_reason(
        datagrams in proptest::collection::vec(
            prop_oneof![
                4 => nearly_right(),
                1 => nearly_rtcp(),
                1 => proptest::collection::vec(any::<u8>(), 0..80),
            ],
            1..200,
        ),
        cuts in proptest::collection::vec(0usize..80, 200),
        codec in prop_oneof![
            Just(Codec::Vp8), Just(Codec::Vp9 { profile: 0 }), Just(Codec::Av1 { profile: 0 }), Just(Codec::H264 { profile_level_id: 0 }),
        ],
    ) {
        let mut media = everything();
        media[1].codec.codec = codec;
        let (mut ingress, slot, start) = ingress(media);
        let (mut taken, mut refused) = (0, 0);
        let mut out = Vec::new();
        for (at, (datagram, cut)) in datagrams.iter().zip(cuts).enumerate() {
            let now = start + millis(7) * at as u32;
            // Some are cut short.
            let datagram = if cut < 20 { &datagram[..cut.min(datagram.len())] } else { &datagram[..] };
            match ingress.on_rtp(now, datagram) {
                Ok(_) => taken += 1,
                Err(_) => refused += 1,
            }
            refused += u64::from(ingress.on_rtcp(now, datagram).is_err());
            out.clear();
            while ingress.poll_rtcp(now, &mut out) {
                prop_assert!(rtc_rtcp::packet::unmarshal(&mut &out[..]).is_ok());
                out.clear();
            }
            prop_assert!(ingress.poll_timeout(now).is_none_or(|next| next > now));
        }
        let figures = ingress.figures(start);
        prop_assert_eq!(figures.dropped.malformed + figures.dropped.unknown + figures.dropped.too_old, refused);
        prop_assert!(figures.encodings.len() <= 3);
        let stored = slot.load().encodings().map(|encoding| encoding.ring.read().packets(0..u64::MAX).count()).sum::<usize>();
        prop_assert!(stored <= taken);
    }
}
