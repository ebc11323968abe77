//! Publishers that come back, streams that begin anew, and what H264 adds to it.

use super::*;

#[test]
fn a_stream_with_a_new_ssrc_takes_over_only_from_a_silent_one() {
    let media = ReceivedMedia { ssrcs: Vec::new(), ..video() };
    let mut stage = Stage::new(vec![media], vec![camera()], Conditions::default());
    stage.cameras[0].extensions = vec![(MID_ID, b"v".to_vec())];
    stage.run(millis(500));
    let first = stage.source().video[0].id;

    let mut other = Camera { extensions: vec![(MID_ID, b"v".to_vec())], ..Camera::new(0x7777, 96) };
    let now = stage.now;
    let draft = other.picture(true).remove(0);
    assert_eq!(stage.ingress.on_rtp(now, &draft.bytes()), Err(Dropped::StreamTaken), "two cannot take turns");

    stage.rest(millis(1_000));
    stage.cameras = vec![other];
    stage.wants_key_frame = vec![true];
    stage.run(millis(500));
    let source = stage.source();
    assert_eq!(source.video.len(), 1);
    assert_ne!(source.video[0].id, first, "viewers see that it is another stream");
    assert!(stage.shown(&source.video[0]).len() > 10);
}

#[test]
fn a_goodbye_makes_room_at_once() {
    let mut stage = Stage::new(
        vec![ReceivedMedia { ssrcs: Vec::new(), ..video() }],
        vec![camera()],
        Conditions::default(),
    );
    stage.run(millis(500));
    stage.send_rtcp(&rtc_rtcp::goodbye::Goodbye { sources: vec![VIDEO], ..Default::default() });
    stage.rest(millis(1));
    stage.cameras = vec![Camera::new(0x7777, 96)];
    stage.wants_key_frame = vec![true];
    stage.run(millis(100));
    assert!(!stage.shown_of_only().is_empty());
}

#[test]
fn a_sender_that_begins_its_numbers_anew_goes_on_in_the_same_ring() {
    let mut stage = Stage::new(vec![video()], vec![camera()], Conditions::default());
    stage.run(millis(500));
    let head = stage.source().video[0].ring.read().head();
    stage.cameras[0].sequence = stage.cameras[0].sequence.wrapping_sub(20_000);
    stage.run(millis(1_000));
    let source = stage.source();
    let ring = source.video[0].ring.read();
    assert!(ring.head() > head && ring.head() - head < 70_000, "indices only grow");
    assert!(ring.newest_key_frame().unwrap().index > head, "a key frame was asked for");
    drop(ring);
    assert!(stage.heard.nacks.is_empty(), "what lies between was never sent");
    assert_eq!(stage.figures().encodings[0].lost, 0);
    assert_eq!(stage.figures().dropped.too_old, 1, "the first of them may have been a straggler");
}

#[test]
fn a_publisher_who_comes_back_takes_the_place_of_its_former_session_for_good() {
    let mut stage = Stage::new(vec![video()], vec![camera()], Conditions::default());
    stage.run(millis(200));
    let old = stage.source();
    let mut second =
        Ingress::new(vec![video()], IngressLimits::default(), stage.slot.clone(), LOCAL, stage.now);
    assert_eq!((old.generation, second.generation()), (1, 2));
    assert!(Arc::ptr_eq(&old, &stage.source()), "until it sends, viewers keep what there is");
    let draft = Camera::new(VIDEO, 96).picture(true).remove(0);
    second.on_rtp(stage.now, &draft.bytes()).unwrap();
    assert_eq!(stage.source().generation, 2);
    // The former session grows by a stream: nobody is to see it.
    stage.ingress.publish();
    assert_eq!(stage.source().generation, 2);
}

const SPS: [u8; 23] = [
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00,
    0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
];
const PPS: [u8; 4] = [0x68, 0xcb, 0x83, 0xcb];
const IDR: [u8; 4] = [0x65, 0x88, 0x84, 0x00];

fn h264() -> ReceivedMedia {
    let codec = Codec::H264 { profile_level_id: 0x42_e01f };
    ReceivedMedia {
        codec: PayloadCodec { codec, payload_type: 96, rtx: None },
        ssrcs: vec![(VIDEO, None)],
        ..video()
    }
}

#[test]
fn an_h264_stream_starts_at_its_parameter_sets_and_says_its_size() {
    let mut stage = Stage::new(vec![h264()], vec![Camera::new(VIDEO, 96)], Conditions::default());
    let send = |stage: &mut Stage, payload: &[u8], marker| {
        let draft = stage.cameras[0].draft(payload.to_vec(), marker);
        let accepted = stage.ingress.on_rtp(stage.now, &draft.bytes()).unwrap();
        stage.now += millis(1);
        accepted.outcome
    };
    assert_eq!(send(&mut stage, &SPS, false), Outcome::New);
    assert!(!stage.ingress.has_started());
    assert_eq!(send(&mut stage, &PPS, false), Outcome::New);
    assert_eq!(send(&mut stage, &IDR, true), Outcome::NewKeyFrame);
    assert!(stage.ingress.has_started());
    let source = stage.source();
    let (mark, oldest) =
        (source.video[0].ring.read().newest_key_frame().unwrap(), source.video[0].ring.read().oldest());
    assert_eq!(mark.index, oldest, "from the parameter sets on");
    assert_eq!(source.video[0].size(), Some(FrameSize { width: 1280, height: 720 }));

    assert!(!stage.figures().has_b_frames);
    stage.cameras[0].timestamp += 3_000;
    send(&mut stage, &[0x01, 0b1010_0000], true);
    assert!(stage.figures().has_b_frames, "browsers will not play it");
}
