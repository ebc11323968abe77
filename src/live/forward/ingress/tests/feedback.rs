//! What a publisher is told of its sending, and what it tells itself.

use super::*;

const WAY: Conditions = Conditions {
    loss: 0.0,
    duplicate: 0.0,
    reorder: 0.0,
    detour: Duration::ZERO,
    delay: Duration::from_millis(20),
    jitter: Duration::ZERO,
};

#[test]
fn reports_come_each_second_and_the_first_one_soon() {
    let mut stage = Stage::new(vec![video()], vec![camera()], Conditions { loss: 0.1, ..WAY });
    stage.habits.answers_nacks = false;
    stage.run(millis(10_000));
    let times = stage.heard.reports.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert!(times[0] <= millis(300), "{:?}", times[0]);
    assert!(
        times.windows(2).all(|pair| (990..1_010).contains(&(pair[1] - pair[0]).as_millis())),
        "{times:?}"
    );
    let last = &stage.heard.reports.last().unwrap().1;
    assert_eq!(last.ssrc, VIDEO);
    assert!((last.last_sequence_number & 0xffff).abs_diff(u32::from(stage.cameras[0].sequence)) < 100);
    assert_eq!(last.last_sequence_number >> 16, 1, "the number wrapped once");
    assert!((5..40).contains(&last.fraction_lost), "a tenth: {}", last.fraction_lost);
    let loss = stage.figures().loss;
    assert!((0.02..0.2).contains(&loss), "{loss}");
}

#[test]
fn transport_wide_feedback_comes_often_and_is_true_to_loss_and_disorder() {
    let rough = Conditions { loss: 0.05, reorder: 0.05, detour: millis(15), jitter: millis(5), ..WAY };
    let mut stage = Stage::new(vec![video()], vec![camera()], rough);
    stage.transport_sequence = Some(65_000);
    stage.run(millis(20_000));
    stage.up.conditions.loss = 0.0;
    stage.run(millis(500));
    let feedback = &stage.heard.transport;
    let gaps = feedback.windows(2).map(|pair| pair[1].0 - pair[0].0).collect::<Vec<_>>();
    assert!(gaps.iter().all(|gap| (50..=140).contains(&gap.as_millis())), "{gaps:?}");
    let mut received = HashSet::new();
    for (at, (_, message)) in feedback.iter().enumerate() {
        assert_eq!(message.fb_pkt_count, at as u8, "no message is missing");
        let symbols = message.packet_chunks.iter().flat_map(|chunk| match chunk {
            rtc_rtcp::transport_feedbacks::transport_layer_cc::PacketStatusChunk::RunLengthChunk(run) => {
                vec![run.packet_status_symbol as u16; run.run_length.into()]
            }
            rtc_rtcp::transport_feedbacks::transport_layer_cc::PacketStatusChunk::StatusVectorChunk(
                vector,
            ) => vector.symbol_list.iter().map(|&symbol| symbol as u16).collect(),
        });
        for (at, symbol) in symbols.take(message.packet_status_count.into()).enumerate() {
            if symbol != 0 {
                received.insert(message.base_sequence_number.wrapping_add(at as u16));
            }
        }
    }
    let sent = u64::from(stage.transport_sequence.unwrap().wrapping_sub(65_000));
    let untold = sent - received.len() as u64;
    assert!(untold >= stage.up.lost && untold <= stage.up.lost + 12, "{untold} of {} lost", stage.up.lost);
}

#[test]
fn without_transport_wide_feedback_an_estimate_is_told_that_leaves_room() {
    let media = ReceivedMedia { feedback: Feedback { transport_cc: false, ..video().feedback }, ..video() };
    let mut stage = Stage::new(vec![media], vec![camera()], WAY);
    stage.transport_sequence = Some(1);
    stage.run(millis(5_000));
    assert!(stage.heard.transport.is_empty());
    assert!((4..=6).contains(&stage.heard.estimates.len()));
    let estimate = stage.heard.estimates.last().unwrap().1;
    assert!(
        (1_300_000.0..1_500_000.0).contains(&estimate),
        "half more than 600 kbit/s, and headroom: {estimate}"
    );

    let mut both = Stage::new(vec![video()], vec![camera()], WAY);
    both.transport_sequence = Some(1);
    both.run(millis(5_000));
    assert!(both.heard.estimates.is_empty() && !both.heard.transport.is_empty());
}

#[test]
fn the_round_trip_is_known_from_echoes_else_from_repairs() {
    let mut stage = Stage::new(vec![video()], vec![camera()], WAY);
    stage.run(millis(2_000));
    assert!((39..=42).contains(&stage.figures().round_trip.unwrap().as_millis()));

    let mut deaf = Stage::new(vec![video()], vec![camera()], Conditions { loss: 0.1, ..WAY });
    deaf.habits.echoes_reference_times = false;
    deaf.run(millis(5_000));
    assert!(
        (39..=50).contains(&deaf.figures().round_trip.unwrap().as_millis()),
        "{:?}",
        deaf.figures().round_trip
    );
}

#[test]
fn sound_and_picture_share_one_offset_whatever_the_network_does() {
    let mut stage =
        Stage::new(vec![audio(), video()], vec![camera()], Conditions { jitter: millis(200), ..WAY });
    let opus = |timestamp| Draft {
        payload_type: 111,
        ssrc: AUDIO,
        timestamp,
        payload: vec![1, 2, 3],
        ..Draft::default()
    };
    stage.send(opus(48_000));
    stage.run(millis(500));
    let unreported = stage.source().audio.as_ref().unwrap().clock().unwrap();
    assert!(!unreported.is_reported && unreported.at <= stage.now, "until a report comes, by arrival");

    // The publisher's clock: sound 96,000 and picture 180,000 were captured at the same moment, half a second into second 1,000.
    let moment = 1_000u64 << 32 | 1 << 31;
    let report =
        |ssrc, ntp_time, rtp_time| SenderReport { ssrc, ntp_time, rtp_time, ..SenderReport::default() };
    stage.send_rtcp(&report(AUDIO, moment, 96_000));
    stage.rest(millis(700));
    let wrapped = u32::MAX - 90_000 + 3_000;
    stage.send_rtcp(&report(VIDEO, moment + (1 << 32), wrapped.wrapping_add(90_000)));
    stage.rest(millis(700));
    let source = stage.source();
    let (sound, picture) =
        (source.audio.as_ref().unwrap().clock().unwrap(), source.video[0].clock().unwrap());
    assert!(sound.is_reported && picture.is_reported);
    let first_picture = (1 << 32) + u64::from(wrapped);
    assert_eq!(picture.time_of(first_picture), sound.time_of((1 << 32) + 96_000), "both are that moment");
    assert_eq!(sound.time_of((1 << 32) + 96_000 + 48_000), sound.at + millis(1_000));
}

#[test]
fn a_publisher_that_says_goodbye_has_left_until_it_sends_again() {
    let mut stage = Stage::new(vec![video()], vec![camera()], WAY);
    stage.run(millis(200));
    assert!(!stage.ingress.has_left());
    let bye = rtc_rtcp::goodbye::Goodbye { sources: vec![VIDEO], ..Default::default() };
    stage.send_rtcp(&bye);
    stage.rest(millis(30));
    assert!(stage.ingress.has_left());
    stage.run(millis(100));
    assert!(!stage.ingress.has_left());
}

#[test]
fn a_silent_publisher_is_known_by_its_last_packet_and_told_nothing_new() {
    let mut stage = Stage::new(vec![video()], vec![camera()], WAY);
    assert_eq!((stage.ingress.last_rtp(), stage.ingress.poll_timeout(stage.now)), (None, None));
    stage.run(millis(1_000));
    stage.rest(millis(100));
    let last = stage.ingress.last_rtp().unwrap();
    stage.rest(millis(5_000));
    assert_eq!(stage.ingress.last_rtp(), Some(last));
    assert_eq!(stage.figures().bitrate, 0);
    assert_eq!(stage.source().video[0].bitrate(), 0);
    assert!(stage.heard.nacks.is_empty() && stage.heard.key_frame_requests.is_empty());
}

#[test]
fn however_much_is_to_be_told_each_compound_fits_a_datagram() {
    let ssrcs = (0..4).map(|at| (VIDEO + at, None));
    let media = ReceivedMedia { ssrcs: ssrcs.clone().collect(), ..video() };
    let start = Instant::now();
    let mut ingress = Ingress::new(vec![media], IngressLimits::default(), Arc::default(), LOCAL, start);
    let mut transport = 0u16;
    for sequence in 0..500u16 {
        for (ssrc, _) in ssrcs.clone() {
            transport += 1;
            // As far apart as no bitmap of a NACK reaches.
            if sequence % 18 != 17 {
                let extensions = vec![(TRANSPORT_ID, transport.to_be_bytes().to_vec())];
                let payload = vec![0x10, 0x11, 0x00];
                let draft =
                    Draft { payload_type: 96, ssrc, sequence, extensions, payload, ..Draft::default() };
                ingress.on_rtp(start, &draft.bytes()).unwrap();
            }
        }
    }
    let now = start + millis(200);
    let (mut compound, mut count, mut asked) = (Vec::new(), 0, 0);
    while ingress.poll_rtcp(now, &mut compound) {
        assert!(compound.len() <= MOST_COMPOUND, "{} bytes", compound.len());
        for part in rtc_rtcp::packet::unmarshal(&mut &compound[..]).unwrap() {
            asked += part.as_any().downcast_ref::<TransportLayerNack>().map_or(0, |nack| nack.nacks.len());
        }
        (count, compound) = (count + 1, Vec::new());
    }
    assert!((3..8).contains(&count), "{count} compounds");
    assert_eq!(asked, 4 * (500 / 18), "each hole once");
    assert!(ingress.poll_timeout(now).is_some_and(|next| next > now));
}
