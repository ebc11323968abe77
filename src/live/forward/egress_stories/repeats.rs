//! What is lost on the way is repeated; what the source lacks leaves its hole; what is dropped by choice leaves none.

use std::time::Duration;

use super::super::net::Conditions;
use super::super::packet::Rtp;
use super::stage::{Stage, VIDEO, VIDEO_RTX, audio, millis, nack, video, video_without_rtx};
use crate::live::media::{Codec, SentMedia};

fn rough() -> Conditions {
    Conditions {
        loss: 0.05,
        duplicate: 0.03,
        reorder: 0.05,
        detour: millis(12),
        delay: millis(20),
        jitter: millis(5),
    }
}

fn watch(seed: u64, media: SentMedia, conditions: Conditions) -> Stage {
    let mut stage = Stage::with_camera(seed, conditions);
    stage.run(millis(500));
    stage.join(vec![media]);
    stage.run(Duration::from_secs(6));
    stage.assert_clean();
    stage
}

#[test]
fn lost_packets_come_again_in_a_stream_of_their_own() {
    for seed in 200..210 {
        let stage = watch(seed, video(), rough());
        let shown = &stage.receiver.decoder.shown;
        assert!(shown.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1), "seed {seed}");
        assert!(shown.len() > 170, "seed {seed}: {}", shown.len());
        let repeats = stage.ledger.of(VIDEO_RTX).count();
        assert!(repeats as u64 >= stage.down.lost / 2, "seed {seed}: {repeats} for {}", stage.down.lost);
        assert_eq!(stage.ledger.holes(VIDEO_RTX), 0, "seed {seed}: its numbers have no holes");
        assert!(
            stage.ledger.packets.iter().all(|left| !left.is_repeat),
            "seed {seed}: no number is used twice"
        );
    }
}

#[test]
fn without_such_a_stream_the_same_bytes_come_again() {
    for seed in 220..230 {
        let stage = watch(seed, video_without_rtx(), rough());
        let shown = &stage.receiver.decoder.shown;
        assert!(shown.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1), "seed {seed}");
        assert!(shown.len() > 170, "seed {seed}: {}", shown.len());
        assert!(stage.ledger.packets.iter().any(|left| left.is_repeat), "seed {seed}");
    }
}

#[test]
fn where_bytes_are_repeated_nothing_on_them_changes_with_time() {
    let mut stage = Stage::with_camera(240, Conditions::default());
    stage.join(vec![video_without_rtx()]);
    let mut out = super::super::outgoing::Outgoing::new(16);
    stage.run(millis(1));
    stage.feeds[0].encoding.want_key_frame();
    stage.run(millis(200));
    let now = stage.now;
    let newest = stage.ledger.of(VIDEO).last().unwrap().index;
    stage.egress().on_rtcp(now, &nack(VIDEO, &[(newest & 0xffff) as u16]));
    stage.egress().poll(now, &mut out);
    let packet = out.iter().next().unwrap();
    let ids = video().extensions;
    let rtp = Rtp::parse(packet).unwrap();
    assert_eq!(rtp.extensions(&ids).transport_cc, None);
    assert_eq!(rtp.extensions(&ids).mid, Some("1"), "the MID stays the same and so may stand there");
    assert_eq!(packet.len(), 12 + 4 + 4 + rtp.payload.len(), "and nothing else");
}

#[test]
fn what_comes_late_from_the_publisher_fills_its_hole() {
    for seed in 250..260 {
        let mut stage = Stage::with_camera(seed, Conditions::default());
        stage.feeds[0].network.conditions =
            Conditions { reorder: 0.1, detour: millis(90), duplicate: 0.05, ..Conditions::default() };
        stage.join(vec![video_without_rtx()]);
        stage.receiver.habits.nack = false;
        stage.run(Duration::from_secs(5));
        stage.assert_clean();
        // The newest may still be on its way.
        assert!(stage.ledger.holes(VIDEO) <= 3, "seed {seed}: {}", stage.ledger.holes(VIDEO));
        let shown = &stage.receiver.decoder.shown;
        assert!(shown.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1), "seed {seed}");
        assert_eq!(stage.feeds[0].answered, 0, "seed {seed}: no key frame was needed");
    }
}

#[test]
fn what_the_publisher_never_sent_leaves_its_hole_and_a_key_frame_is_asked_for() {
    let mut stage = Stage::with_camera(270, Conditions::default());
    stage.feeds[0].every = 3_000;
    stage.join(vec![video()]);
    stage.run(Duration::from_secs(1));
    stage.feeds[0].network.conditions.loss = 1.0;
    stage.run(millis(34));
    stage.feeds[0].network.conditions.loss = 0.0;
    let lost = stage.feeds[0].network.lost as usize;
    assert!(lost > 0);
    stage.run(millis(500));
    assert_eq!(stage.feeds[0].answered, 0, "it may still come");
    stage.run(millis(500));
    assert_eq!(stage.feeds[0].answered, 1, "it was given up, and a key frame asked for once");
    stage.run(Duration::from_secs(3));
    stage.assert_clean();
    assert_eq!(stage.ledger.holes(VIDEO), lost, "exactly what the source lacks is missing");
    assert!(
        stage.feeds[0].camera.frame - stage.receiver.decoder.shown.last().unwrap().frame <= 2,
        "and it heals"
    );
}

#[test]
fn a_key_frame_after_the_hole_heals_it_without_asking() {
    let mut stage = Stage::with_camera(271, Conditions::default());
    stage.feeds[0].every = 10;
    stage.join(vec![video()]);
    stage.run(Duration::from_secs(1));
    stage.feeds[0].network.conditions.loss = 1.0;
    stage.run(millis(34));
    stage.feeds[0].network.conditions.loss = 0.0;
    stage.run(Duration::from_secs(3));
    assert_eq!(stage.feeds[0].answered, 0);
}

#[test]
fn the_publishers_own_probes_leave_no_hole() {
    let mut stage = Stage::with_camera(280, Conditions::default());
    stage.join(vec![video()]);
    for _ in 0..40 {
        stage.run(millis(50));
        let probe = stage.feeds[0].camera.probe();
        let now = stage.now;
        stage.feeds[0].store(now, &probe.bytes());
    }
    stage.assert_clean();
    assert_eq!(stage.ledger.holes(VIDEO), 0);
    assert!(stage.receiver.decoder.shown.len() >= 58);
}

#[test]
fn asking_again_and_again_gets_at_most_half_as_much_again() {
    let mut stage = Stage::with_camera(290, Conditions::default());
    stage.run(millis(100));
    stage.join(vec![video()]);
    stage.receiver.habits.nack = false;
    for _ in 0..1_000 {
        stage.run(millis(10));
        let newest = stage.ledger.of(VIDEO).last().unwrap().index;
        let all: Vec<u16> = (0..250).map(|behind| (newest.saturating_sub(behind) & 0xffff) as u16).collect();
        stage.receiver.say_once = nack(VIDEO, &all);
    }
    let bytes = |ssrc| stage.ledger.of(ssrc).map(|left| left.size).sum::<usize>();
    let (media, repeats) = (bytes(VIDEO), bytes(VIDEO_RTX));
    assert!(repeats <= media / 2 + 130 * 1024, "{repeats} repeated of {media}");
    assert!(repeats > 0);
}

#[test]
fn a_repeat_on_its_way_is_not_sent_twice() {
    let mut stage = Stage::with_camera(291, Conditions::default());
    stage.run(millis(100));
    stage.join(vec![video()]);
    stage.run(Duration::from_secs(1));
    let before = stage.ledger.of(VIDEO_RTX).count();
    let newest = (stage.ledger.of(VIDEO).last().unwrap().index & 0xffff) as u16;
    for _ in 0..3 {
        stage.receiver.say_once = nack(VIDEO, &[newest]);
        stage.run(millis(5));
    }
    assert_eq!(stage.ledger.of(VIDEO_RTX).count(), before + 1);
    stage.run(millis(200));
    stage.receiver.say_once = nack(VIDEO, &[newest]);
    stage.run(millis(5));
    assert_eq!(
        stage.ledger.of(VIDEO_RTX).count(),
        before + 2,
        "after a round trip it may have been lost as well"
    );
}

#[test]
fn lost_sound_is_repeated_byte_for_byte() {
    let mut stage = Stage::new(295, Conditions { loss: 0.05, delay: millis(10), ..Conditions::default() });
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(millis(100));
    stage.join(vec![audio()]);
    stage.run(Duration::from_secs(5));
    stage.assert_clean();
    let mut heard: Vec<u64> = stage.receiver.sound.iter().map(|(_, index, _)| *index).collect();
    heard.sort_unstable();
    heard.dedup();
    let expected = heard.last().unwrap() - heard[0] + 1;
    assert!(expected - heard.len() as u64 <= 2, "{} of {expected} heard", heard.len());
}

#[test]
fn a_lost_first_packet_is_made_up_for_although_nobody_can_know_of_it() {
    for media in [video(), video_without_rtx()] {
        let mut stage = Stage::with_camera(296, Conditions { delay: millis(10), ..Conditions::default() });
        stage.feeds[0].every = 300;
        stage.run(Duration::from_secs(2));
        stage.join(vec![media]);
        stage.drop_next = 1;
        stage.run(millis(300));
        stage.assert_clean();
        assert_eq!(stage.receiver.decoder.shown[0].frame, 0);
        assert!(stage.receiver.shown_at[0] - stage.receiver.joined.unwrap() < millis(60));
    }
}

#[test]
fn only_who_knows_retransmissions_is_sent_media_with_padding() {
    for (media, is_padded) in [(video(), true), (video_without_rtx(), false)] {
        let stage = watch(297, media, Conditions::default());
        stage.assert_clean();
        let padded = stage.ledger.of(VIDEO).filter(|left| left.is_padded).count();
        assert_eq!(padded > 0, is_padded, "{padded} packets of the picture are padded");
        assert_eq!(stage.ledger.of(VIDEO_RTX).filter(|left| left.is_padded).count(), 0);
    }
}
