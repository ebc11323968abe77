//! Loss, disorder and probes: what is missing is asked for, what cannot be had is replaced by a key frame.

use super::*;

const FAR: Conditions = Conditions {
    loss: 0.0,
    duplicate: 0.0,
    reorder: 0.0,
    detour: Duration::ZERO,
    delay: Duration::from_millis(25),
    jitter: Duration::ZERO,
};

#[test]
fn a_clean_way_shows_every_picture_and_asks_for_nothing() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    stage.run(millis(10_000));
    let frames = stage.cameras[0].frame;
    let shown = stage.shown_of_only();
    assert!(shown.len() as u32 >= frames - 1, "all but what is on its way: {} of {frames}", shown.len());
    assert!(shown.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1));
    assert!(
        shown.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp + 3_000),
        "timestamps pass their wrap"
    );
    assert!(stage.heard.nacks.is_empty() && stage.heard.key_frame_requests.is_empty());
    assert_eq!(stage.source().video[0].size(), Some(FrameSize { width: 320, height: 180 }));
    let figures = stage.figures();
    assert!((29.0..=31.0).contains(&figures.fps), "{}", figures.fps);
    assert!(
        (570_000..640_000).contains(&figures.bitrate),
        "2,500 bytes 30 times a second: {}",
        figures.bitrate
    );
    assert_eq!((figures.loss, figures.nacks, figures.dropped), (0.0, 0, DroppedCounts::default()));
}

#[test]
fn what_is_lost_comes_again_by_retransmission_and_every_picture_is_shown() {
    let mut stage = Stage::new(vec![video()], vec![camera()], Conditions { loss: 0.1, ..FAR });
    stage.run(millis(20_000));
    stage.up.conditions.loss = 0.0;
    stage.run(millis(1_000));
    let frames = stage.cameras[0].frame;
    assert!(stage.shown_of_only().len() as u32 >= frames - 1, "{} of {frames}", stage.shown_of_only().len());
    assert_eq!(stage.missing(), 0);
    assert!(stage.heard.key_frame_requests.is_empty(), "a hole that was filled needs no key frame");
    let lost = stage.up.lost;
    let figures = stage.figures();
    assert!(
        figures.nacks >= lost * 8 / 10 && figures.nacks <= lost * 13 / 10,
        "{} requests for {lost}",
        figures.nacks
    );
    assert!(
        figures.encodings[0].lost * 10 >= lost * 8,
        "loss is told before repairs: {}",
        figures.encodings[0].lost
    );
}

#[test]
fn without_a_retransmission_stream_the_packet_itself_is_repeated() {
    let media = ReceivedMedia {
        codec: PayloadCodec { rtx: None, ..video().codec },
        ssrcs: vec![(VIDEO, None)],
        ..video()
    };
    let mut stage = Stage::new(vec![media], vec![Camera::new(VIDEO, 96)], Conditions { loss: 0.1, ..FAR });
    stage.run(millis(10_000));
    stage.up.conditions.loss = 0.0;
    stage.run(millis(1_000));
    assert!(stage.shown_of_only().len() as u32 >= stage.cameras[0].frame - 1);
    assert!(stage.figures().encodings[0].counts.repaired > 50);
}

#[test]
fn disorder_and_repetition_alone_lose_no_picture() {
    let rough = Conditions { duplicate: 0.05, reorder: 0.05, detour: millis(8), jitter: millis(15), ..FAR };
    let mut stage = Stage::new(vec![video()], vec![camera()], rough);
    stage.run(millis(10_000));
    stage.rest(millis(100));
    let frames = stage.cameras[0].frame;
    assert!(stage.shown_of_only().len() as u32 >= frames - 2);
    assert!(stage.heard.key_frame_requests.is_empty());
    let figures = stage.figures();
    assert!(figures.encodings[0].counts.duplicates > 10);
    assert_eq!(figures.encodings[0].lost, 0, "what is late is not lost");
    assert!(stage.heard.nacks.is_empty(), "overtaken within 10 ms is not missing");
}

#[test]
fn a_request_is_repeated_after_a_round_trip_and_not_before() {
    let mut stage = Stage::new(vec![video()], vec![camera()], Conditions { delay: millis(60), ..FAR });
    stage.habits.answers_nacks = false;
    stage.run(millis(3_000));
    assert!(
        (115..=125).contains(&stage.figures().round_trip.unwrap().as_millis()),
        "{:?}",
        stage.figures().round_trip
    );
    stage.up.conditions.loss = 1.0;
    let lost = stage.cameras[0].sequence;
    stage.film();
    stage.up.conditions.loss = 0.0;
    stage.now += millis(1);
    stage.run(millis(3_000));
    let times = stage
        .heard
        .nacks
        .iter()
        .filter(|(_, _, sequence)| *sequence == lost)
        .map(|(at, _, _)| *at)
        .collect::<Vec<_>>();
    assert!((5..=8).contains(&times.len()), "within a second: {times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= millis(120)), "{times:?}");
}

#[test]
fn what_nobody_repeats_is_given_up_and_a_key_frame_asked_for() {
    let mut stage = Stage::new(vec![video()], vec![camera()], Conditions { loss: 0.005, ..FAR });
    stage.habits.answers_nacks = false;
    stage.run(millis(60_000));
    let requests = stage.heard.key_frame_requests.clone();
    assert!(requests.len() > 3, "{requests:?}");
    assert!(
        requests.windows(3).all(|three| three[2].0 - three[0].0 >= millis(999)),
        "at most two a second: {requests:?}"
    );
    let shown = stage.shown_of_only();
    assert!(shown.iter().filter(|picture| picture.is_key).count() > 3, "pictures go on after each key frame");
    assert!(stage.figures().encodings[0].counts.given_up > 10);
}

#[test]
fn a_crowd_of_wishes_costs_a_fifth_of_the_bitrate_at_most() {
    let mut big = camera();
    big.key_frame_bytes = 60_000;
    let mut stage = Stage::new(vec![video()], vec![big], FAR);
    stage.run(millis(1_000));
    stage.key_frame_bytes = 0;
    let before = stage.all_bytes;
    for _ in 0..3_000 {
        stage.source().video[0].want_key_frame();
        stage.run(millis(10));
    }
    let (on_request, all) = (stage.key_frame_bytes, stage.all_bytes - before);
    assert!(on_request > 2 * 60_000, "wishes are heard");
    assert!(on_request - 60_000 <= all / 5, "{on_request} of {all} bytes, the first being free");
    assert_eq!(stage.source().video[0].answers_key_frames(), AnswersKeyFrames::Yes);
}

#[test]
fn a_publisher_that_ignores_requests_is_found_out() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    stage.habits = Habits { answers_key_frame_requests: false, key_frame_every: 150, ..CHROMIUM };
    for _ in 0..100 {
        if let Some(encoding) = stage.source().video.first() {
            encoding.want_key_frame();
        }
        stage.run(millis(100));
    }
    assert_eq!(stage.source().video[0].answers_key_frames(), AnswersKeyFrames::No);
    assert!(stage.heard.key_frame_requests.len() <= 10);
}

#[test]
fn a_publisher_that_takes_no_requests_is_not_sent_any() {
    let media = ReceivedMedia { feedback: Feedback { nack: true, ..Feedback::default() }, ..video() };
    let mut stage = Stage::new(vec![media], vec![camera()], FAR);
    stage.run(millis(100));
    stage.source().video[0].want_key_frame();
    stage.run(millis(3_000));
    assert!(stage.heard.key_frame_requests.is_empty());
    assert_eq!(stage.source().video[0].answers_key_frames(), AnswersKeyFrames::No);
}

#[test]
fn where_only_full_intra_requests_are_understood_they_are_counted() {
    let media =
        ReceivedMedia { feedback: Feedback { nack: true, fir: true, ..Feedback::default() }, ..video() };
    let mut stage = Stage::new(vec![media], vec![camera()], FAR);
    stage.run(millis(3_000));
    for _ in 0..2 {
        stage.source().video[0].want_key_frame();
        stage.run(millis(3_000));
    }
    assert_eq!(stage.heard.full_intra, [1, 2]);
    assert_eq!(stage.shown_of_only().iter().filter(|picture| picture.is_key).count(), 3);
}

#[test]
fn a_stream_that_lost_its_first_key_frame_is_asked_for_one_soon() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    stage.wants_key_frame = vec![false];
    stage.run(millis(500));
    assert!(stage.heard.key_frame_requests[0].0 <= millis(250), "{:?}", stage.heard.key_frame_requests);
    assert!(stage.ingress.has_started() && !stage.shown_of_only().is_empty());
}

#[test]
fn probes_are_no_holes_and_are_not_asked_for() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    for _ in 0..100 {
        stage.film();
        for _ in 0..3 {
            let probe = stage.cameras[0].probe();
            stage.send(probe);
        }
        stage.rest(millis(33));
    }
    stage.rest(millis(100));
    assert_eq!((stage.shown_of_only().len(), stage.missing()), (100, 0));
    assert!(stage.heard.nacks.is_empty());
    let counts = stage.figures().encodings[0].counts;
    assert_eq!((counts.padding, counts.duplicates), (300, 0));
}

#[test]
fn a_lost_probe_costs_no_key_frame() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    for picture in 0..100 {
        stage.film();
        let probe = stage.cameras[0].probe();
        if picture % 10 != 5 {
            stage.send(probe);
        }
        stage.rest(millis(33));
    }
    stage.rest(millis(2_000));
    assert!(!stage.heard.nacks.is_empty(), "nobody can know that it was a probe");
    assert_eq!(stage.figures().encodings[0].counts.given_up, 10);
    assert!(stage.heard.key_frame_requests.is_empty(), "but the pictures around it follow each other");
}

#[test]
fn a_retransmission_stream_may_carry_probes_too() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    stage.run(millis(500));
    for (payload, padding) in [(vec![], 255), (vec![0], 0), (vec![1, 2], 10)] {
        stage.send(Draft { payload_type: 97, ssrc: RTX, padding, payload, ..Draft::default() });
    }
    stage.rest(millis(100));
    assert_eq!(stage.figures().encodings[0].counts.padding, 3);
    assert_eq!(stage.figures().dropped, DroppedCounts::default());
}

#[test]
fn a_long_break_is_not_asked_for_packet_by_packet() {
    let mut stage = Stage::new(vec![video()], vec![camera()], FAR);
    stage.run(millis(1_000));
    stage.up.conditions.loss = 1.0;
    stage.run(millis(10_000));
    stage.up.conditions.loss = 0.0;
    stage.run(millis(1_000));
    assert!(stage.heard.nacks.len() < 10, "{} requests", stage.heard.nacks.len());
    assert!(!stage.heard.key_frame_requests.is_empty());
    assert_eq!(
        stage.shown_of_only().last().unwrap().frame,
        stage.cameras[0].frame - 2,
        "the picture is back"
    );
}
