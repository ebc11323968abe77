//! What a viewer may say, what it may cost, and what happens when its shard is late.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::net::Conditions;
use super::stage::{AUDIO, Stage, VIDEO, VIDEO_RTX, audio, message, millis, video, video_without_rtx};
use crate::live::media::Codec;

fn watched(seed: u64) -> Stage {
    let mut stage = Stage::new(seed, Conditions::default());
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(millis(700));
    stage.join(vec![audio(), video()]);
    stage.run(millis(300));
    stage
}

#[test]
fn a_viewer_costs_less_than_a_fifth_of_its_budget_of_memory() {
    // 32 KB for the whole viewer, of which transport and keys take 10-16.
    let mut stage = Stage::with_camera(500, Conditions { loss: 0.1, ..Conditions::default() });
    stage.feeds[0].every = 900;
    stage.run(Duration::from_secs(29));
    stage.join(vec![audio(), video()]);
    for _ in 0..100 {
        stage.run(millis(50));
        let probe = stage.feeds[0].camera.probe();
        let now = stage.now;
        stage.feeds[0].store(now, &probe.bytes());
    }
    let memory = stage.egress().memory();
    assert!(memory < 16 * 1024, "{memory}");
}

#[test]
fn a_shard_that_was_late_catches_up_or_skips_to_a_key_frame() {
    for (every, skips) in [(30, 1), (3_000, 0)] {
        let mut stage = Stage::with_camera(501, Conditions::default());
        (stage.feeds[0].every, stage.feeds[0].camera.frame_bytes) = (every, 12_000);
        stage.run(millis(100));
        stage.join(vec![video()]);
        stage.run(Duration::from_secs(3));
        let viewer = stage.viewer.take();
        stage.run(millis(1_500));
        stage.viewer = viewer;
        stage.run(Duration::from_secs(1));
        stage.assert_clean();
        assert_eq!(stage.ledger.holes(VIDEO), 0, "what was skipped leaves no hole");
        assert_eq!(stage.egress().figures().skips, skips, "every {every}");
        let shown = stage.receiver.decoder.shown.last().unwrap().frame;
        assert!(stage.feeds[0].camera.frame - shown <= 2, "every {every}");
    }
}

#[test]
fn the_last_word_names_every_stream() {
    let mut stage = watched(502);
    let (now, mut out) = (stage.now, Vec::new());
    stage.egress().goodbye(now, &mut out);
    let mut last = vec![];
    last.extend(AUDIO.to_be_bytes());
    last.extend(VIDEO.to_be_bytes());
    assert!(out.ends_with(&message(203, 2, &last)));
}

#[test]
fn the_round_trip_and_the_loss_are_known_from_reports() {
    let mut stage = watched(503);
    stage.run(Duration::from_secs(3));
    let (at, (_, ntp, _)) = *stage.ledger.reports.last().unwrap();
    let mut body = vec![0, 0, 0, 9];
    body.extend(VIDEO.to_be_bytes());
    body.extend([64, 0, 0, 0]);
    body.extend([0; 8]);
    body.extend(((ntp >> 16 & 0xffff_ffff) as u32).to_be_bytes());
    body.extend(0_u32.to_be_bytes());
    stage.egress().on_rtcp(at + millis(40), &message(201, 1, &body));
    let figures = stage.egress().figures();
    assert!(figures.round_trip.unwrap().abs_diff(millis(40)) < millis(2), "{figures:?}");
    assert!(figures.bitrate > 400_000, "{figures:?}");
    assert!(figures.packets > 100 && figures.bytes > 100_000, "{figures:?}");
}

#[test]
fn an_idle_viewer_asks_for_no_attention() {
    let mut stage = watched(504);
    stage.feeds.iter_mut().for_each(|feed| feed.is_on = false);
    stage.run(Duration::from_secs(3));
    let timeout = stage.egress().poll_timeout().unwrap();
    assert!(timeout > stage.now + millis(1), "the next report is the next event");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_viewer_says_it_never_panics_and_never_reuses_a_number(
        messages in prop::collection::vec(
            (0_u8..32, prop::sample::select(vec![200_u8, 201, 202, 203, 204, 205, 206]),
             prop::sample::select(vec![VIDEO, VIDEO_RTX, AUDIO, 0, u32::MAX]),
             prop::collection::vec(any::<u8>(), 0..120)),
            1..40),
        has_rtx in any::<bool>(),
    ) {
        let mut stage = Stage::with_camera(505, Conditions::default());
        stage.run(millis(300));
        stage.join(vec![if has_rtx { video() } else { video_without_rtx() }]);
        stage.receiver.habits.nack = false;
        for (count, kind, ssrc, mut rest) in messages {
            let mut body = vec![0, 0, 0, 9];
            body.extend(ssrc.to_be_bytes());
            rest.truncate(rest.len() / 4 * 4);
            body.extend(rest);
            stage.receiver.say_once = message(kind, count, &body);
            stage.run(millis(40));
        }
        prop_assert_eq!(&stage.ledger.faults, &Vec::<String>::new());
    }

    #[test]
    fn bytes_without_any_form_are_passed_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut stage = Stage::with_camera(506, Conditions::default());
        stage.join(vec![video()]);
        stage.run(millis(50));
        let now: Instant = stage.now;
        stage.egress().on_rtcp(now, &bytes);
        stage.run(millis(50));
    }
}
