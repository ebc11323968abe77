//! Which stream is which: simulcast by RID, by announced SSRCs, or by nothing but the payload type.

use super::*;

/// Three cameras with the extensions of simulcast by RID: small, middle, large.
fn simulcast() -> (ReceivedMedia, Vec<Camera>) {
    let media =
        ReceivedMedia { rids: ["h", "m", "l"].map(String::from).to_vec(), ssrcs: Vec::new(), ..video() };
    let cameras = [("l", (320, 180), 1_000), ("h", (1280, 720), 6_000), ("m", (640, 360), 2_500)];
    let cameras = cameras.iter().zip(0u32..).map(|((rid, size, bytes), at)| Camera {
        rtx: Some((97, 0x3100 + at)),
        size: *size,
        frame_bytes: *bytes,
        extensions: vec![(MID_ID, b"v".to_vec()), (RID_ID, rid.as_bytes().to_vec())],
        ..Camera::new(0x3000 + at, 96)
    });
    (media, cameras.collect())
}

fn repair_rid(camera: &Camera, mut draft: Draft) -> Draft {
    let rid = camera.extensions.iter().find(|(id, _)| *id == RID_ID).unwrap().1.clone();
    draft.extensions = vec![(MID_ID, b"v".to_vec()), (RRID_ID, rid)];
    draft
}

#[test]
fn simulcast_is_learnt_from_the_packets_and_ordered_by_size() {
    let (media, cameras) = simulcast();
    let mut stage = Stage::new(vec![media], cameras, Conditions::default());
    stage.run(millis(1_000));
    // Who was understood repeats no names.
    for camera in &mut stage.cameras {
        camera.extensions.clear();
    }
    stage.run(millis(1_000));
    let source = stage.source();
    let order = source.video.iter().map(|encoding| encoding.rid.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(order, ["l", "m", "h"]);
    for encoding in &source.video {
        assert!(stage.shown(encoding).len() >= 59, "{:?}", encoding.rid);
        assert!((29.0..=31.0).contains(&encoding.fps()), "{}", encoding.fps());
    }
    let rates = source.video.iter().map(|encoding| encoding.bitrate()).collect::<Vec<_>>();
    assert!(rates.is_sorted() && rates[0] > 200_000, "{rates:?}");
    let figures = stage.figures();
    assert_eq!(figures.size, Some(FrameSize { width: 1280, height: 720 }));
    assert_eq!(figures.dropped, DroppedCounts::default());
}

#[test]
fn a_retransmission_stream_is_matched_by_the_rid_that_it_repairs() {
    let (media, cameras) = simulcast();
    let mut stage = Stage::new(vec![media], cameras, Conditions::default());
    stage.run(millis(300));
    stage.habits.answers_nacks = false;
    for at in [2, 0, 1] {
        let lost = stage.cameras[at].sequence;
        let mut drafts = stage.cameras[at].picture(false);
        drafts.remove(0);
        for draft in drafts.into_iter().chain(stage.cameras[at].picture(false)) {
            stage.send(draft);
        }
        stage.rest(millis(20));
        let repeat = stage.cameras[at].repeat(lost).unwrap();
        let repeat = repair_rid(&stage.cameras[at], repeat);
        stage.send(repeat);
        stage.rest(millis(5));
    }
    for camera in &stage.cameras {
        let source = stage.source();
        let encoding = source
            .video
            .iter()
            .find(|encoding| encoding.size().unwrap().width == u32::from(camera.size.0))
            .unwrap();
        assert_eq!(stage.shown(encoding).last().unwrap().frame, camera.frame - 1);
    }
    assert_eq!(stage.figures().dropped, DroppedCounts::default());
}

#[test]
fn a_stream_without_a_known_name_is_dropped_and_counted() {
    let (media, mut cameras) = simulcast();
    cameras[0].extensions[1].1 = b"x".to_vec();
    cameras[1].extensions.truncate(1);
    let mut stage = Stage::new(vec![media], cameras, Conditions::default());
    stage.run(millis(100));
    assert_eq!(stage.source().video.len(), 1);
    assert!(stage.figures().dropped.unknown > 10);
    let now = stage.now;
    let repeat = Draft { payload_type: 97, ssrc: 0x9999, ..stage.cameras[2].repeat(65_501).unwrap() };
    let accepted = stage.ingress.on_rtp(now, &Draft { extensions: Vec::new(), ..repeat }.bytes()).unwrap();
    assert_eq!(accepted.outcome, Outcome::Duplicate, "it repairs the section's only stream");
}

#[test]
fn announced_streams_need_no_extensions() {
    let media = ReceivedMedia {
        extensions: ExtensionIds::default(),
        ssrcs: vec![(VIDEO, Some(RTX)), (VIDEO + 16, Some(RTX + 16))],
        ..video()
    };
    let second = Camera { rtx: Some((97, RTX + 16)), size: (640, 360), ..Camera::new(VIDEO + 16, 96) };
    let mut stage = Stage::new(
        vec![audio(), media],
        vec![second, camera()],
        Conditions { loss: 0.05, ..Conditions::default() },
    );
    stage.run(millis(5_000));
    let sizes =
        stage.source().video.iter().map(|encoding| encoding.size().unwrap().width).collect::<Vec<_>>();
    assert_eq!(sizes, [320, 640], "lowest first, whichever came first");
    let repaired = stage.figures().encodings.iter().map(|track| track.counts.repaired).collect::<Vec<_>>();
    assert!(repaired.len() == 2 && repaired.iter().all(|&repaired| repaired > 10), "{repaired:?}");
}

#[test]
fn a_payload_type_that_names_one_section_is_enough() {
    let plain = |media: ReceivedMedia| ReceivedMedia {
        extensions: ExtensionIds::default(),
        ssrcs: Vec::new(),
        ..media
    };
    let mut stage = Stage::new(
        vec![plain(audio()), plain(video())],
        vec![camera()],
        Conditions { loss: 0.05, ..Conditions::default() },
    );
    stage.send(Draft { payload_type: 111, ssrc: 9, payload: vec![1], ..Draft::default() });
    stage.run(millis(3_000));
    assert!(stage.shown_of_only().len() > 80);
    let figures = stage.figures();
    assert!(
        figures.encodings.iter().any(|track| track.counts.repaired > 5),
        "retransmissions find their stream too"
    );

    let now = stage.now;
    let foreign = Draft { payload_type: 98, ssrc: 10, payload: vec![1], ..Draft::default() };
    assert_eq!(stage.ingress.on_rtp(now, &foreign.bytes()), Err(Dropped::UnknownStream));
    let wrong = Draft { payload_type: 111, ssrc: VIDEO, payload: vec![1], ..Draft::default() };
    assert_eq!(stage.ingress.on_rtp(now, &wrong.bytes()), Err(Dropped::PayloadType));
}

#[test]
fn sound_alone_is_published_and_started_without_a_picture() {
    let mut stage = Stage::new(vec![audio()], Vec::new(), Conditions::default());
    assert!(!stage.ingress.has_started());
    for number in 0..100u16 {
        let timestamp = u32::from(number) * 960;
        stage.send(Draft {
            payload_type: 111,
            ssrc: AUDIO,
            sequence: number,
            timestamp,
            payload: vec![7; 80],
            ..Draft::default()
        });
        stage.rest(millis(20));
    }
    assert!(stage.ingress.has_started());
    let source = stage.source();
    assert!(source.video.is_empty());
    let sound = source.audio.as_ref().unwrap();
    assert_eq!(sound.ring.read().packets(0..u64::MAX).count(), 100);
    assert!((30_000..34_000).contains(&sound.bitrate()), "{}", sound.bitrate());
}

impl Stage {
    /// Sound of so long, 20 ms a packet.
    fn speak(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 20 {
            let number = u16::try_from(self.elapsed().as_millis() / 20 % 0x1_0000).unwrap();
            let timestamp = u32::from(number) * 960;
            let payload = vec![7; 80];
            self.send(Draft {
                payload_type: 111,
                ssrc: AUDIO,
                sequence: number,
                timestamp,
                payload,
                ..Draft::default()
            });
            self.rest(millis(20));
        }
    }
}

#[test]
fn sound_whose_picture_does_not_come_is_started_alone_after_a_while() {
    let mut stage = Stage::new(vec![audio(), video()], Vec::new(), Conditions::default());
    stage.speak(millis(2_900));
    assert!(!stage.ingress.has_started(), "the camera may still be starting");
    stage.speak(millis(200));
    assert!(stage.ingress.has_started());
    let heard = stage.source();
    assert!(heard.audio.is_some() && heard.video.is_empty());

    stage.cameras = vec![camera()];
    stage.wants_key_frame = vec![true];
    stage.run(millis(500));
    let seen = stage.source();
    assert_eq!(seen.generation, heard.generation, "the same session goes on");
    assert!(seen.video[0].ring.read().newest_key_frame().is_some());
    assert!(stage.ingress.has_started());
}

#[test]
fn probes_are_no_picture_and_a_picture_without_a_beginning_is_waited_for() {
    let mut stage = Stage::new(vec![audio(), video()], vec![camera()], Conditions::default());
    let probe = Draft { payload_type: 96, ssrc: VIDEO, sequence: 1, padding: 200, ..Draft::default() };
    stage.send(probe);
    stage.speak(millis(3_100));
    assert!(stage.ingress.has_started(), "a probe shows nothing");

    let mut stage = Stage::new(vec![audio(), video()], vec![camera()], Conditions::default());
    stage.habits.answers_key_frame_requests = false;
    stage.wants_key_frame = vec![false];
    stage.run(millis(100));
    stage.speak(millis(5_000));
    assert!(!stage.ingress.has_started(), "its next key frame shows it");
}
