//! The publisher goes and comes back: the viewer keeps its streams.

use std::time::Duration;

use super::super::egress::EgressEvent;
use super::super::net::Conditions;
use super::stage::{AUDIO, Stage, VIDEO, VIDEO_RTX, VP8, audio, millis, video};
use crate::live::media::{Codec, PayloadCodec, SentMedia};

const H264: Codec = Codec::H264 { profile_level_id: 0x42_e01f };

/// A live whose publisher went five seconds ago.
fn interrupted(seed: u64, media: Vec<SentMedia>) -> Stage {
    let mut stage = Stage::new(seed, Conditions { delay: millis(10), ..Conditions::default() });
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(millis(200));
    stage.join(media);
    stage.run(Duration::from_secs(3));
    stage.feeds.clear();
    stage.run(Duration::from_secs(5));
    stage
}

#[test]
fn who_comes_back_is_seen_on_the_same_streams_with_time_that_went_on() {
    let mut stage = interrupted(400, vec![audio(), video()]);
    let shown = stage.receiver.decoder.shown.len();
    let heard = stage.receiver.sound.len();
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    stage.publish();
    let back = stage.now;
    stage.run(Duration::from_secs(2));

    stage.assert_clean();
    let pictures = &stage.receiver.decoder.shown;
    assert!(pictures[shown].is_key);
    assert!(stage.receiver.shown_at[shown] - back <= millis(12), "its first key frame is shown at once");
    let step = (pictures[shown].timestamp - pictures[shown - 1].timestamp) / 90;
    assert!((4_900..5_200).contains(&step), "{step} ms passed on the viewer's timeline");
    let (before, after) = (stage.receiver.sound[heard - 1], stage.receiver.sound[heard]);
    assert_eq!(after.1, before.1 + 1, "its numbers go on");
    let step = after.2.wrapping_sub(before.2) / 48;
    assert!((4_900..5_200).contains(&step), "{step} ms passed for the ear");
    assert_eq!(stage.ledger.holes(VIDEO) + stage.ledger.holes(AUDIO), 0);
    assert!(stage.ledger.packets.iter().all(|left| [VIDEO, VIDEO_RTX, AUDIO].contains(&left.ssrc)));
    let due = stage.ledger.reports.iter().find(|(at, _)| *at >= back).unwrap();
    assert!(due.0 - back <= millis(50), "sound and picture are related anew at once");
}

#[test]
fn who_takes_over_without_a_gap_is_seen_without_a_gap() {
    let mut stage = interrupted(401, vec![video()]);
    stage.add(Codec::Vp8);
    stage.publish();
    stage.run(Duration::from_secs(1));
    stage.feeds.clear();
    stage.add(Codec::Vp8);
    stage.publish();
    stage.run(Duration::from_secs(1));
    stage.assert_clean();
    let shown = &stage.receiver.decoder.shown;
    let last =
        shown.windows(2).rev().take(40).map(|pair| pair[1].timestamp - pair[0].timestamp).max().unwrap();
    assert!(last <= 4_000, "{last} ticks");
}

#[test]
fn another_codec_comes_under_the_payload_type_that_was_negotiated_for_it() {
    let h264 = PayloadCodec { codec: H264, payload_type: 102, rtx: None };
    let both = SentMedia { codecs: vec![VP8, h264], ..video() };
    let mut stage = interrupted(402, vec![both]);
    let before = stage.ledger.of(VIDEO).last().copied().unwrap();
    assert_eq!(before.payload_type, 100);
    stage.add(H264);
    stage.feeds[0].is_on = false;
    stage.publish();
    let now = stage.now;
    h264_key_frame(&mut stage, now);
    stage.run(millis(100));
    let after: Vec<_> = stage.ledger.of(VIDEO).filter(|left| left.at >= now).collect();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|left| left.payload_type == 102));
    assert_eq!(after[0].index, before.index + 1);
    assert_eq!(stage.ledger.faults, Vec::<String>::new());
    assert!(!stage.events.iter().any(|(_, event)| *event == EgressEvent::Renegotiate));
}

#[test]
fn another_codec_that_was_not_negotiated_needs_a_new_negotiation() {
    let mut stage = interrupted(403, vec![audio(), video()]);
    stage.add(H264);
    stage.feeds[0].is_on = false;
    stage.publish();
    let now = stage.now;
    h264_key_frame(&mut stage, now);
    stage.run(Duration::from_secs(2));
    let told = stage.events.iter().filter(|(_, event)| *event == EgressEvent::Renegotiate).count();
    assert_eq!(told, 1);
    assert!(stage.ledger.of(VIDEO).all(|left| left.at < now));
}

#[test]
fn a_viewer_may_come_before_the_publisher() {
    let mut stage = Stage::new(404, Conditions::default());
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(3));
    assert!(stage.ledger.packets.is_empty() && stage.events.is_empty());
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(Duration::from_secs(1));
    stage.assert_clean();
    assert_eq!(stage.receiver.decoder.shown[0].frame, 0);
    assert!(stage.receiver.decoder.shown.len() >= 29);
    assert!(stage.receiver.sound.len() >= 48);
}

/// Parameter sets and an IDR slice, in two packets.
fn h264_key_frame(stage: &mut Stage, now: std::time::Instant) {
    let sps = vec![0x67, 0x42, 0xe0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0xd0, 0x0f, 0x08, 0x84, 0x6a];
    let feed = &mut stage.feeds[0];
    for (payload, marker) in [(sps, false), (vec![0x65, 0x88, 0x84, 0x00, 0x10], true)] {
        let draft = feed.camera.draft(payload, marker);
        feed.store(now, &draft.bytes());
    }
}

#[test]
fn a_picture_that_comes_late_is_shown_and_the_sound_goes_on() {
    let mut stage = Stage::new(403, Conditions { delay: millis(10), ..Conditions::default() });
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(millis(200));
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(3));
    assert!(stage.receiver.sound.len() > 100 && stage.receiver.decoder.shown.is_empty());
    assert!(!stage.egress().has_sent_picture());

    stage.add(Codec::Vp8);
    stage.publish_more();
    stage.run(Duration::from_secs(1));
    assert!(stage.receiver.decoder.shown.first().is_some_and(|picture| picture.is_key));
    assert!(stage.egress().has_sent_picture());
    let numbers: Vec<_> = stage.receiver.sound.iter().map(|(_, number, _)| *number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no sound is missed for it");
    assert_eq!(stage.ledger.holes(VIDEO) + stage.ledger.holes(AUDIO), 0);
}
