//! Who comes late sees a picture at once, whatever the publisher's key-frame interval.

use std::time::Duration;

use super::super::egress::{EgressEvent, Permission, UNCONFIRMED_RATE};
use super::super::net::Conditions;
use super::super::source::AnswersKeyFrames;
use super::stage::{AUDIO, Left, Stage, VIDEO, audio, millis, pli, video};
use crate::live::media::Codec;

/// A publisher like OBS: a key frame every ten seconds, and deaf to requests.
fn deaf(seed: u64, conditions: Conditions) -> Stage {
    let mut stage = Stage::with_camera(seed, conditions);
    stage.feeds[0].every = 300;
    stage.feeds[0].answers = false;
    stage.feeds[0].encoding.set_answers_key_frames(AnswersKeyFrames::No);
    stage
}

/// The distinct outgoing timestamps of the picture, in order.
fn timestamps(stage: &Stage) -> Vec<u32> {
    let mut all: Vec<u32> = stage.ledger.of(VIDEO).map(|left| left.timestamp).collect();
    all.dedup();
    all
}

#[test]
fn a_deaf_publishers_picture_is_there_at_once_and_live_a_moment_later() {
    let mut stage = deaf(1, Conditions { delay: millis(10), ..Conditions::default() });
    stage.run(Duration::from_secs(8));
    let joined = stage.now;
    stage.join(vec![video()]);
    stage.run(millis(400));

    stage.assert_clean();
    let shown = &stage.receiver.decoder.shown;
    assert_eq!(shown[0].frame, 0, "the key frame came eight seconds ago");
    assert!(shown.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1), "every picture since is shown");
    assert!(
        stage.receiver.shown_at[0] - joined <= millis(15),
        "the first one network delay after the request"
    );
    let newest = shown.last().unwrap();
    assert!(stage.feeds[0].camera.frame - newest.frame <= 2, "and the viewer is at the live edge");
    assert_eq!(stage.feeds[0].answered, 0);
}

/// How much later than told for each packet of the picture was sent, in milliseconds, where live ones are sent in time.
fn lateness(stage: &Stage) -> Vec<f64> {
    let all: Vec<_> = stage.ledger.of(VIDEO).collect();
    let last = all.last().unwrap();
    let late = |left: &&Left| {
        let told = f64::from(left.timestamp.wrapping_sub(last.timestamp).cast_signed()) / 90.0;
        -(last.at - left.at).as_secs_f64() * 1_000.0 - told
    };
    all.iter().map(late).collect()
}

#[test]
fn replayed_pictures_are_a_millisecond_apart_and_lead_up_to_live_time() {
    let mut stage = deaf(2, Conditions::default());
    stage.run(Duration::from_secs(5));
    stage.join(vec![video()]);
    stage.run(millis(500));

    let steps: Vec<u32> = timestamps(&stage).windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let live_from = steps.iter().position(|&step| step != 90).unwrap();
    assert!((148..=151).contains(&live_from), "{live_from} pictures of five seconds were pressed together");
    assert!(
        steps[live_from + 2..].iter().all(|&step| step == 3_000),
        "what follows keeps its own time: {steps:?}"
    );
    let late = lateness(&stage);
    assert!(late[0] > 100.0, "a decoder that is late hurries: {}", late[0]);
    assert!(late.windows(2).all(|pair| pair[1] < pair[0] + 3.0), "and catches up all the time: {late:?}");
    assert!(late.iter().all(|&late| late > -5.0), "without being ahead: {late:?}");
}

#[test]
fn a_replay_that_takes_long_is_told_for_as_long_as_it_takes() {
    let mut stage = deaf(13, Conditions::default());
    (stage.feeds[0].every, stage.feeds[0].camera.frame_bytes) = (600, 5_800);
    stage.run(Duration::from_secs(16));
    stage.join(vec![video()]);
    let joined = stage.now;
    stage.run(millis(1_500));

    stage.assert_clean();
    let replayed = stage.ledger.of(VIDEO).filter(|left| left.at < joined + millis(400)).count();
    assert!(replayed < 2_000, "it is a long one: {replayed} packets");
    let late = lateness(&stage);
    let (least, most) =
        late.iter().fold((0.0_f64, 0.0_f64), |(least, most), &late| (least.min(late), most.max(late)));
    assert!(least > -20.0 && most < 40.0, "from {least} to {most} ms");
}

#[test]
fn a_key_frame_that_comes_into_a_long_replay_spares_its_rest() {
    let mut stage = Stage::with_camera(14, Conditions::default());
    (stage.feeds[0].every, stage.feeds[0].camera.frame_bytes) = (600, 20_000);
    stage.feeds[0].encoding.set_answers_key_frames(AnswersKeyFrames::Unknown);
    // The ring keeps so much of an old group of pictures when a new one begins.
    stage.run(millis(2_800));
    let frame = stage.feeds[0].camera.frame;
    stage.join(vec![video()]);
    let joined = stage.now;
    stage.egress().permit_replays(Permission::OnAsking);
    stage.run(millis(1));
    assert!(stage.egress().wanted_replay().is_some());
    stage.egress().permit_replays(Permission::Granted);
    stage.run(millis(2));
    // As a shard does once it has begun; what would be asked for now would wait behind everybody else.
    stage.egress().permit_replays(Permission::OnAsking);
    for _ in 0..400 {
        stage.run(millis(1));
        assert_eq!(stage.egress().wanted_replay(), None, "its turn was paid for");
    }

    stage.assert_clean();
    assert_eq!(stage.feeds[0].answered, 1, "nobody knew whether it answers, so it was asked");
    let shown = &stage.receiver.decoder.shown;
    assert_eq!(shown[0].frame, 0, "there is a picture at once");
    let fresh = shown.iter().position(|picture| picture.frame >= frame).unwrap();
    assert!(shown[fresh].is_key && fresh < 50, "{fresh} old pictures were seen");
    assert!(stage.receiver.shown_at[fresh] - joined <= millis(60));
    assert_eq!(stage.ledger.holes(VIDEO), 0);
}

#[test]
fn a_replay_goes_out_in_bursts() {
    let mut stage = deaf(3, Conditions::default());
    stage.run(Duration::from_secs(8));
    stage.join(vec![video()]);
    let joined = stage.now;
    stage.run(millis(100));
    for burst in 0..20 {
        let at = joined + millis(2 * burst);
        let count = stage.ledger.of(VIDEO).filter(|left| left.at >= at && left.at < at + millis(2)).count();
        assert!(count <= 24, "{count} packets at {burst}");
    }
    let bursts = stage.ledger.of(VIDEO).filter(|left| left.at == joined).count();
    assert_eq!(bursts, 24);
}

#[test]
fn sound_joins_when_the_picture_is_live_and_both_are_reported_at_once() {
    let mut stage = Stage::new(4, Conditions::default());
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    stage.feeds[0].every = 300;
    stage.publish();
    stage.run(Duration::from_secs(9));
    stage.join(vec![audio(), video()]);
    stage.run(millis(300));

    stage.assert_clean();
    let left: Vec<_> = stage.ledger.of(VIDEO).map(|left| left.at).collect();
    let live = left.windows(2).find(|pair| pair[1] - pair[0] > millis(5)).unwrap()[0];
    let first_sound = stage.ledger.of(AUDIO).next().unwrap();
    assert!(first_sound.at >= live, "sound waits for the picture");
    assert!(first_sound.at - live <= millis(20), "and no longer");
    assert_eq!(stage.ledger.of(AUDIO).count(), 1 + (stage.now - first_sound.at).as_millis() as usize / 20);
    let first: Vec<_> = stage.ledger.reports.iter().take(2).collect();
    assert_eq!(first[0].0, first[1].0, "both reports are in one packet");
    assert_ne!(first[0].1.0, first[1].1.0, "one for each stream");
    assert_eq!(first[0].1.1, first[1].1.1, "at one time");
    assert!(first[0].0 >= live && first[0].0 - live <= millis(25));
}

#[test]
fn reports_speak_of_the_sources_time_and_never_of_a_pressed_one() {
    let mut stage = deaf(5, Conditions::default());
    stage.run(Duration::from_secs(9));
    stage.join(vec![video()]);
    stage.run(Duration::from_secs(3));
    let left: Vec<_> = stage.ledger.of(VIDEO).copied().collect();
    assert!(stage.ledger.reports.len() >= 2);
    for (at, (_, _, reported)) in &stage.ledger.reports {
        // A picture is stored and sent in the millisecond after it was taken.
        let live = left.last().unwrap();
        let ahead = (live.at - *at).as_micros() as i64 * 90 / 1_000;
        let differs = i64::from(reported.wrapping_sub(live.timestamp).cast_signed()) + ahead;
        assert!((0..=180).contains(&differs), "{differs} ticks of 90 kHz apart");
    }
}

#[test]
fn a_long_group_of_pictures_is_not_replayed_where_the_publisher_answers() {
    let mut stage = Stage::with_camera(6, Conditions::default());
    (stage.feeds[0].every, stage.feeds[0].camera.frame_bytes) = (300, 20_000);
    stage.run(Duration::from_secs(5));
    let frame = stage.feeds[0].camera.frame;
    stage.join(vec![video()]);
    stage.run(millis(500));

    stage.assert_clean();
    assert_eq!(stage.feeds[0].answered, 1, "it was asked once");
    assert!(stage.receiver.decoder.shown[0].frame >= frame, "its answer was waited for");
    assert!(stage.receiver.shown_at[0] - stage.receiver.joined.unwrap() < millis(50));
}

#[test]
fn a_deaf_publishers_long_group_of_pictures_is_replayed_more_slowly() {
    let mut stage = deaf(7, Conditions::default());
    stage.feeds[0].camera.frame_bytes = 20_000;
    stage.run(Duration::from_secs(5));
    stage.join(vec![video()]);
    let joined = stage.now;
    stage.run(millis(1_500));

    stage.assert_clean();
    assert_eq!(stage.receiver.decoder.shown[0].frame, 0);
    assert!(stage.feeds[0].camera.frame - stage.receiver.decoder.shown.last().unwrap().frame <= 2);
    let rate = stage.ledger.rate(joined, joined + millis(400));
    assert!((30_000_000..45_000_000).contains(&rate), "{rate}");
}

#[test]
fn an_answer_that_never_comes_ends_the_waiting_with_a_replay() {
    let mut stage = Stage::with_camera(8, Conditions::default());
    (stage.feeds[0].every, stage.feeds[0].camera.frame_bytes) = (300, 20_000);
    // It answered once; now it does not.
    stage.feeds[0].answers = false;
    stage.run(Duration::from_secs(5));
    stage.join(vec![video()]);
    stage.run(millis(2_500));
    stage.assert_clean();
    assert!(stage.receiver.shown_at[0] - stage.receiver.joined.unwrap() <= millis(1_250));
    assert!(stage.feeds[0].camera.frame - stage.receiver.decoder.shown.last().unwrap().frame <= 2);
}

#[test]
fn without_a_key_frame_in_the_ring_the_viewer_is_told_and_hears() {
    let mut stage = Stage::new(9, Conditions::default());
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    (stage.feeds[0].every, stage.feeds[0].camera.frame) = (150, 1);
    stage.feeds[0].answers = false;
    stage.publish();
    stage.run(Duration::from_secs(2));
    stage.join(vec![audio(), video()]);
    stage.run(millis(100));
    assert!(stage.events.iter().any(|(_, event)| *event == EgressEvent::WaitingForKeyFrame));
    assert!(stage.ledger.of(AUDIO).count() >= 4, "sound does not wait for a key frame");
    assert_eq!(stage.ledger.of(VIDEO).count(), 0);

    stage.run(Duration::from_secs(4));
    stage.assert_clean();
    assert_eq!(stage.receiver.decoder.shown[0].frame, 150, "the picture comes with the key frame");
    let told = stage.events.iter().filter(|(_, event)| *event == EgressEvent::WaitingForKeyFrame).count();
    assert_eq!(told, 1);
}

#[test]
fn a_request_during_a_replay_is_ignored_and_a_later_one_passed_on() {
    let mut stage = Stage::with_camera(10, Conditions::default());
    stage.feeds[0].every = 300;
    stage.run(Duration::from_secs(8));
    stage.join(vec![video()]);
    for _ in 0..10 {
        stage.receiver.say_once = pli(VIDEO);
        stage.run(millis(20));
    }
    assert_eq!(stage.feeds[0].answered, 0, "the replay is the answer");
    stage.run(Duration::from_secs(1));
    stage.receiver.say_once = pli(VIDEO);
    stage.run(Duration::from_secs(1));
    assert_eq!(stage.feeds[0].answered, 1);
    stage.assert_clean();
}

#[test]
fn a_viewer_of_a_deaf_publisher_that_lost_its_picture_is_given_another_replay() {
    let mut stage = deaf(11, Conditions::default());
    stage.run(Duration::from_secs(2));
    stage.join(vec![video()]);
    stage.run(Duration::from_secs(4));
    stage.receiver.decoder = Default::default();
    stage.receiver.shown_at.clear();
    let asked = stage.now;
    stage.receiver.say_once = pli(VIDEO);
    stage.run(millis(300));
    assert_eq!(stage.ledger.faults, Vec::<String>::new());
    assert!(stage.receiver.decoder.shown[0].is_key);
    assert!(stage.receiver.shown_at[0] - asked <= millis(10));
    assert!(stage.feeds[0].camera.frame - stage.receiver.decoder.shown.last().unwrap().frame <= 2);
}

#[test]
fn an_address_that_is_not_confirmed_gets_little_and_no_replay() {
    let mut stage = Stage::new(12, Conditions::default());
    stage.add(Codec::Vp8);
    stage.add(Codec::Opus);
    stage.feeds[0].every = 300;
    stage.feeds[0].answers = false;
    stage.publish();
    stage.run(Duration::from_secs(5));
    stage.join(vec![audio(), video()]);
    let (joined, now) = (stage.now, stage.now);
    stage.egress().permit_replays(Permission::Never);
    stage.egress().set_rate_cap(Some(UNCONFIRMED_RATE), now);
    stage.run(Duration::from_secs(7));

    let rate = stage.ledger.rate(joined, stage.now);
    assert!(rate <= UNCONFIRMED_RATE + 5_000, "{rate}");
    assert!(stage.ledger.of(AUDIO).count() > 340, "its sound gets through");
    assert!(stage.ledger.of(VIDEO).all(|left| left.at >= joined + Duration::from_millis(4_900)), "no replay");

    let now = stage.now;
    stage.egress().set_rate_cap(None, now);
    stage.egress().permit_replays(Permission::Free);
    stage.run(millis(500));
    assert_eq!(stage.ledger.faults, Vec::<String>::new());
    assert!(
        stage.feeds[0].camera.frame - stage.receiver.decoder.shown.last().unwrap().frame <= 2,
        "at once live"
    );
}

#[test]
fn a_replay_whose_turn_has_not_come_is_heard_before_it_is_seen() {
    let mut stage = deaf(14, Conditions::default());
    stage.add(Codec::Opus);
    stage.publish();
    stage.run(Duration::from_secs(5));
    stage.join(vec![audio(), video()]);
    stage.egress().permit_replays(Permission::OnAsking);
    stage.run(millis(1));
    let wanted = stage.egress().wanted_replay().expect("it would begin");
    assert!(wanted > 10_000, "{wanted} bytes of five seconds");
    assert_eq!(stage.ledger.packets.len(), 0, "sound waits for the answer alone");

    stage.egress().permit_replays(Permission::Deferred);
    stage.run(Duration::from_secs(1));
    assert!(stage.ledger.of(AUDIO).count() > 40 && stage.ledger.of(VIDEO).count() == 0);
    assert!(stage.egress().wanted_replay().is_some(), "it keeps its place by asking again");
    assert!(stage.events.is_empty(), "a turn comes soon: {:?}", stage.events);

    stage.egress().permit_replays(Permission::Granted);
    stage.run(millis(300));
    assert_eq!(stage.ledger.faults, Vec::<String>::new());
    assert!(stage.receiver.decoder.shown[0].is_key);
    assert!(stage.feeds[0].camera.frame - stage.receiver.decoder.shown.last().unwrap().frame <= 2);
    assert_eq!(stage.egress().wanted_replay(), None);
}

#[test]
fn a_replay_of_too_many_pictures_is_not_asked_for() {
    let mut stage = deaf(15, Conditions::default());
    (stage.feeds[0].every, stage.feeds[0].camera.frame_bytes) = (100_000, 100);
    // Fifty a second, or the ring would let go of the key frame first.
    stage.feeds[0].interval = millis(20);
    stage.run(Duration::from_secs(20));
    stage.join(vec![video()]);
    stage.egress().permit_replays(Permission::OnAsking);
    stage.run(millis(50));
    assert!(stage.feeds[0].camera.frame < 1_024, "as many pictures as can be replayed");
    assert!(stage.egress().wanted_replay().is_some());

    // It waits for its turn, and meanwhile they become too many: the turn comes to nothing, and it asks no more.
    stage.egress().permit_replays(Permission::Deferred);
    stage.run(Duration::from_secs(1));
    assert!(stage.feeds[0].camera.frame > 1_024 && stage.egress().wanted_replay().is_some());
    stage.egress().permit_replays(Permission::Granted);
    stage.run(millis(100));
    assert_eq!((stage.egress().wanted_replay(), stage.ledger.of(VIDEO).count()), (None, 0));
    assert!(matches!(stage.events[..], [(_, EgressEvent::WaitingForKeyFrame)]), "{:?}", stage.events);

    // Who comes now never asks.
    stage.join(vec![video()]);
    stage.egress().permit_replays(Permission::OnAsking);
    stage.run(millis(100));
    assert_eq!(stage.egress().wanted_replay(), None);
}

#[test]
fn what_comes_into_a_replay_after_its_planning_gets_no_other_pictures_time() {
    let mut stage = deaf(13, Conditions::default());
    stage.feeds[0].camera.frame_bytes = 900;
    stage.run(Duration::from_secs(2));
    let lost = stage.feeds[0].camera.picture(false);
    stage.run(Duration::from_secs(4));
    stage.join(vec![video()]);
    stage.run(millis(1));
    let now = stage.now;
    stage.feeds[0].store(now, &lost[0].bytes());
    stage.run(millis(300));
    assert_eq!(stage.ledger.faults, Vec::<String>::new());
    let late = stage.ledger.of(VIDEO).map(|left| left.timestamp).collect::<Vec<_>>();
    let pictures = stage.feeds[0].camera.frame as usize - 1;
    let repeated = late.windows(2).filter(|pair| pair[0] == pair[1]).count();
    // Only the key frame has more than one packet.
    assert_eq!((late.len() - repeated, repeated), (pictures, 5));
    assert_eq!(stage.ledger.holes(VIDEO), 1, "its hole stays");
}

#[test]
fn a_replay_survives_what_networks_do() {
    for seed in 100..130 {
        let mut stage = deaf(
            seed,
            Conditions {
                loss: 0.03,
                duplicate: 0.02,
                reorder: 0.03,
                detour: millis(15),
                delay: millis(20),
                jitter: millis(5),
            },
        );
        // The publisher's own way loses nothing for good but brings much of it late.
        stage.feeds[0].network.conditions =
            Conditions { reorder: 0.05, detour: millis(60), duplicate: 0.02, ..Conditions::default() };
        stage.run(Duration::from_secs(4));
        stage.join(vec![video()]);
        stage.run(Duration::from_secs(4));
        stage.feeds[0].network.conditions = Conditions::default();
        stage.run(millis(300));

        stage.assert_clean();
        let shown = &stage.receiver.decoder.shown;
        assert_eq!(shown[0].frame, 0, "seed {seed}");
        let broken = shown.windows(2).find(|pair| pair[1].frame != pair[0].frame + 1);
        assert_eq!(broken, None, "seed {seed}: every picture is shown, lost or late");
        assert!(stage.feeds[0].camera.frame - shown.last().unwrap().frame <= 8, "seed {seed}");
        assert_eq!(stage.ledger.holes(VIDEO), 0, "seed {seed}");
    }
}
