//! Simulcast: layers by wish and by what the way carries, each begun where decoding can start.

use std::time::Duration;

use super::super::egress::{Cause, EgressEvent, Wish};
use super::super::net::Conditions;
use super::stage::{
    AUDIO, Bottleneck, Stage, VIDEO, VIDEO_RTX, audio, millis, remb, video, video_without_rtx,
};
use crate::live::media::{Codec, SentMedia};

/// 180p at 240 kbit/s, 360p at 720 kbit/s, 720p at 2.4 Mbit/s.
fn simulcast(seed: u64, conditions: Conditions) -> Stage {
    let mut stage = Stage::new(seed, conditions);
    for (size, bytes) in [((320, 180), 1_000), ((640, 360), 3_000), ((1_280, 720), 10_000)] {
        let feed = stage.add(Codec::Vp8);
        (feed.camera.size, feed.camera.frame_bytes, feed.every) = (size, bytes, 300);
        feed.camera.key_frame_bytes = bytes * 3;
        // Encodings of a publisher start their counters anywhere.
        feed.camera.timestamp = feed.camera.timestamp.wrapping_add(bytes as u32 * 7_919);
        feed.camera.sequence = feed.camera.sequence.wrapping_add(bytes as u16);
        feed.camera.picture_id = feed.camera.picture_id.wrapping_add(bytes as u16) & 0x7fff;
    }
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(millis(300));
    stage
}

/// The layers shown, with causes.
fn layers(stage: &Stage) -> Vec<(Option<usize>, Cause)> {
    let shown = |event: &EgressEvent| match event {
        EgressEvent::Layers { current, cause, .. } => Some((*current, *cause)),
        _ => None,
    };
    stage.events.iter().filter_map(|(_, event)| shown(event)).collect()
}

/// No hole, and pictures about 33 ms apart on the viewer's timeline.
fn assert_smooth(stage: &Stage, pictures: std::ops::RangeFrom<usize>) {
    stage.assert_clean();
    assert_eq!(stage.ledger.holes(VIDEO), 0);
    for pair in stage.receiver.decoder.shown[pictures].windows(2) {
        let step = pair[1].timestamp - pair[0].timestamp;
        assert!(step <= 6_300, "{step} ticks between {pair:?}");
        assert!(pair[1].frame >= pair[0].frame, "the past is not shown again: {pair:?}");
    }
}

#[test]
fn a_viewer_begins_with_the_best_layer() {
    let mut stage = simulcast(300, Conditions::default());
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(2));
    assert_eq!(layers(&stage), [(Some(2), Cause::Source)]);
    let EgressEvent::Layers { layers, .. } = &stage.events[0].1 else { panic!("{:?}", stage.events) };
    assert_eq!(layers.iter().map(|layer| layer.height).collect::<Vec<_>>(), [180, 360, 720]);
    assert_smooth(&stage, 12..);
}

#[test]
fn a_wish_is_fulfilled_with_the_layers_next_key_frame() {
    let mut stage = simulcast(301, Conditions { delay: millis(10), ..Conditions::default() });
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(1));
    for (wish, expected) in [
        (Wish::MaxHeight(400), 1),
        (Wish::MaxHeight(100), 0),
        (Wish::Auto, 2),
        (Wish::MaxHeight(180), 0),
        (Wish::MaxHeight(720), 2),
    ] {
        let answered = stage.feeds[expected].answered;
        stage.egress().wish(wish);
        stage.run(Duration::from_secs(1));
        assert_eq!(layers(&stage).last(), Some(&(Some(expected), Cause::Wish)), "{wish:?}");
        assert_eq!(stage.feeds[expected].answered, answered + 1, "one key frame was asked for");
    }
    assert_smooth(&stage, 12..);
}

#[test]
fn a_picture_keeps_its_time_whichever_layer_it_comes_from() {
    let mut stage = simulcast(302, Conditions::default());
    // The high layer takes longer to the server; the publisher's reports tell when its pictures were taken.
    stage.feeds[2].network.conditions.delay = millis(180);
    stage.run(millis(400));
    stage.join(vec![audio(), video()]);
    for wish in [Wish::MaxHeight(180), Wish::Auto, Wish::MaxHeight(360), Wish::Auto] {
        stage.run(Duration::from_secs(1));
        stage.egress().wish(wish);
    }
    stage.run(Duration::from_secs(1));
    stage.assert_clean();
    // All layers number the same pictures alike, one each 3,000 ticks.
    let shown = &stage.receiver.decoder.shown;
    let live = shown.iter().skip(30).map(|shown| shown.timestamp - 3_000 * u64::from(shown.frame));
    let (least, most) = (live.clone().min().unwrap(), live.max().unwrap());
    // Going up, the layer that lags shows what was seen already: its time is moved past it.
    assert!(most - least <= 4 * 200 * 90, "{} ticks apart", most - least);
    let down = shown.windows(2).filter(|pair| pair[1].is_key && pair[1].frame > pair[0].frame + 2);
    let jumps: Vec<_> = down
        .map(|pair| (pair[1].timestamp - pair[0].timestamp) / u64::from(pair[1].frame - pair[0].frame))
        .collect();
    assert_eq!(jumps.len(), 2, "twice to a layer that is ahead");
    assert!(jumps.iter().all(|step| (2_980..3_020).contains(step)), "{jumps:?} ticks a picture");
}

#[test]
fn switches_hold_together_on_a_rough_way() {
    for seed in 310..325 {
        let rough = Conditions {
            loss: 0.03,
            duplicate: 0.02,
            reorder: 0.04,
            detour: millis(15),
            delay: millis(25),
            jitter: millis(5),
        };
        let mut stage = simulcast(seed, rough);
        for feed in &mut stage.feeds {
            feed.network.conditions =
                Conditions { reorder: 0.03, detour: millis(40), duplicate: 0.02, ..Conditions::default() };
        }
        let media: SentMedia = if seed % 2 == 0 { video() } else { video_without_rtx() };
        stage.join(vec![audio(), media]);
        for wish in [Wish::MaxHeight(180), Wish::MaxHeight(360), Wish::Auto, Wish::MaxHeight(180), Wish::Auto]
        {
            stage.run(millis(1_300));
            stage.egress().wish(wish);
        }
        stage.run(Duration::from_secs(2));
        stage.assert_clean();
        assert_eq!(layers(&stage).len(), 6, "seed {seed}: {:?}", layers(&stage));
        assert!(
            stage.receiver.decoder.shown.len() > 200,
            "seed {seed}: {}",
            stage.receiver.decoder.shown.len()
        );
    }
}

#[test]
fn a_narrow_way_brings_the_layer_down_that_it_carries() {
    let mut stage = simulcast(330, Conditions { delay: millis(20), ..Conditions::default() });
    stage.bottleneck = Some(Bottleneck { bits_per_second: 1_200_000, buffer: millis(300) });
    stage.join(vec![audio(), video()]);
    let joined = stage.elapsed();
    stage.run(Duration::from_secs(8));
    assert_eq!(layers(&stage), [(Some(2), Cause::Source), (Some(1), Cause::Bandwidth)]);
    let down = stage.events.last().unwrap().0 - joined;
    assert!((millis(2_000)..millis(4_500)).contains(&down), "after two seconds of congestion: {down:?}");
    stage.assert_clean();
}

#[test]
fn random_loss_alone_takes_nothing_from_a_viewer() {
    let mut stage = simulcast(331, Conditions { loss: 0.06, delay: millis(20), ..Conditions::default() });
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(15));
    assert_eq!(layers(&stage), [(Some(2), Cause::Source)]);
    stage.assert_clean();
}

#[test]
fn heavy_loss_is_congestion_and_below_the_lowest_layer_video_pauses_while_sound_goes_on() {
    let mut stage = simulcast(332, Conditions { delay: millis(20), ..Conditions::default() });
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(1));
    stage.down.conditions.loss = 0.3;
    stage.run(Duration::from_secs(14));
    let seen = layers(&stage);
    assert_eq!(seen.last().map(|(layer, _)| *layer), Some(None), "{seen:?}");
    assert_eq!(stage.viewer.as_ref().unwrap().figures().pauses, 1);
    let paused_at = stage.events.last().unwrap().0;
    let after = |ssrc| {
        let from = stage.start + paused_at + millis(10);
        stage.ledger.of(ssrc).filter(move |left| left.at > from).count()
    };
    assert_eq!(after(VIDEO), 0);
    assert!(after(AUDIO) as u128 >= (stage.elapsed() - paused_at).as_millis() / 20 - 2);

    stage.down.conditions.loss = 0.0;
    stage.run(Duration::from_secs(30));
    let seen = layers(&stage);
    assert!(seen.iter().rev().any(|layer| *layer == (Some(0), Cause::Bandwidth)), "it comes back: {seen:?}");
    stage.assert_clean();
}

#[test]
fn after_quiet_a_probe_finds_that_the_way_carries_more() {
    for (seed, media) in [(333, video()), (334, video_without_rtx())] {
        let mut stage = simulcast(seed, Conditions { delay: millis(20), ..Conditions::default() });
        stage.bottleneck = Some(Bottleneck { bits_per_second: 1_200_000, buffer: millis(300) });
        stage.join(vec![audio(), media]);
        stage.run(Duration::from_secs(9));
        assert_eq!(layers(&stage).last().unwrap().0, Some(1), "seed {seed}: {:?}", layers(&stage));
        stage.bottleneck = Some(Bottleneck { bits_per_second: 10_000_000, buffer: millis(300) });
        stage.run(Duration::from_secs(25));
        assert_eq!(
            layers(&stage).last(),
            Some(&(Some(2), Cause::Bandwidth)),
            "seed {seed}: {:?}",
            layers(&stage)
        );
        stage.assert_clean();
        assert_eq!(stage.ledger.holes(VIDEO), 0, "seed {seed}");
    }
}

#[test]
fn reception_reports_alone_bring_a_viewer_down_and_up_as_well() {
    let plain = |mut media: SentMedia| {
        media.extensions.transport_cc = None;
        media.feedback.transport_cc = false;
        media
    };
    let mut stage = simulcast(338, Conditions { delay: millis(20), ..Conditions::default() });
    stage.receiver.habits.transport = false;
    stage.bottleneck = Some(Bottleneck { bits_per_second: 1_200_000, buffer: millis(300) });
    stage.join(vec![audio(), plain(video())]);
    stage.run(Duration::from_secs(12));
    assert_eq!(layers(&stage), [(Some(2), Cause::Source), (Some(1), Cause::Bandwidth)]);
    stage.bottleneck = Some(Bottleneck { bits_per_second: 10_000_000, buffer: millis(300) });
    stage.run(Duration::from_secs(30));
    assert_eq!(layers(&stage).last(), Some(&(Some(2), Cause::Bandwidth)), "{:?}", layers(&stage));
    stage.assert_clean();
}

#[test]
fn a_viewer_who_believes_in_its_way_is_not_probed() {
    let mut stage = simulcast(339, Conditions { delay: millis(20), ..Conditions::default() });
    stage.bottleneck = Some(Bottleneck { bits_per_second: 1_200_000, buffer: millis(300) });
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(6));
    assert_eq!(layers(&stage).last().unwrap().0, Some(1));
    stage.bottleneck = None;
    stage.run(millis(300));
    let before = stage.ledger.of(VIDEO_RTX).count();
    for _ in 0..10 {
        stage.receiver.say_once = remb(5_000_000);
        stage.run(millis(500));
    }
    assert_eq!(layers(&stage).last(), Some(&(Some(2), Cause::Bandwidth)));
    assert_eq!(stage.ledger.of(VIDEO_RTX).count(), before, "nothing was sent to find out");
    stage.assert_clean();
}

#[test]
fn a_way_that_stays_narrow_is_probed_ever_more_rarely_and_does_not_swing() {
    let mut stage = simulcast(335, Conditions { delay: millis(20), ..Conditions::default() });
    stage.bottleneck = Some(Bottleneck { bits_per_second: 1_200_000, buffer: millis(300) });
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(60));
    let changes = layers(&stage).len();
    assert_eq!(changes, 2, "{:?}", stage.events);
    let second = |at| {
        stage.ledger.rate(stage.start + Duration::from_secs(at), stage.start + Duration::from_secs(at + 1))
    };
    let probed: Vec<u64> = (5..60).filter(|&at| second(at) > 1_300_000).collect();
    assert!((2..=6).contains(&probed.len()), "after 5 s, 10 s, 20 s: {probed:?}");
    stage.assert_clean();
}

#[test]
fn a_layer_that_the_publisher_stops_is_left_and_taken_up_again() {
    let mut stage = simulcast(336, Conditions::default());
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(1));
    stage.feeds[2].is_on = false;
    stage.run(Duration::from_secs(4));
    assert_eq!(layers(&stage).last(), Some(&(Some(1), Cause::Source)));
    stage.feeds[2].is_on = true;
    stage.run(Duration::from_secs(3));
    assert_eq!(layers(&stage).last(), Some(&(Some(2), Cause::Source)));
    stage.assert_clean();
    assert_eq!(stage.ledger.holes(VIDEO), 0);
}

#[test]
fn a_viewer_that_falls_silent_is_spared_the_video() {
    let mut stage = simulcast(337, Conditions::default());
    stage.join(vec![audio(), video()]);
    stage.run(Duration::from_secs(2));
    stage.up.conditions.loss = 1.0;
    stage.run(Duration::from_secs(15));
    assert_eq!(layers(&stage).last().unwrap().0, None);
}
