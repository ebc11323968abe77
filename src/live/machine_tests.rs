use super::*;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// A live with a clock that moves only when told.
struct Story {
    life: Life,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        let now = Instant::now();
        Self { life: Life::new(Patience::default(), now), now }
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        let (life, effects) = self.life.on(event, self.now);
        self.life = life;
        effects
    }

    /// Lets time pass, with a tick at each deadline on the way.
    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        let until = self.now + time;
        let mut effects = Vec::new();
        while let Some(due) = self.life.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let ticked = self.on(Event::Tick);
            assert!(
                !ticked.is_empty(),
                "a deadline without an effect would be asked for for ever: {:?}",
                self.life
            );
            effects.extend(ticked);
        }
        self.now = until;
        effects
    }

    /// A live with a publisher that sends.
    fn on_air() -> Self {
        let mut story = Self::new();
        story.on(Event::Arrived(peer(1)));
        story.on(Event::Connected(peer(1)));
        assert_eq!(story.on(Event::MediaStarted(peer(1))), [note(LiveState::Live)]);
        story
    }
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 16])
}

fn note(state: LiveState) -> Effect {
    Effect::Note(state, None)
}

fn interrupted(reason: LiveReason) -> Effect {
    Effect::Note(LiveState::Interrupted, Some(reason))
}

fn ended(reason: LiveReason, viewers: RtcCloseReason) -> Effect {
    Effect::End { reason, viewers, encoder_left: false }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nobody_sends_anything_and_it_ends_after_ten_minutes() {
    let mut story = Story::new();
    assert_eq!(story.pass(599 * SECOND), []);
    assert_eq!(story.pass(SECOND), [ended(LiveReason::NoMedia, RtcCloseReason::Ended)]);
    assert_eq!(story.life.deadline(), None);
}

#[test]
fn a_publisher_without_media_is_let_go_after_ten_seconds_and_another_may_try() {
    let mut story = Story::new();
    assert_eq!(story.on(Event::Arrived(peer(1))), [note(LiveState::Connecting)]);
    assert_eq!(story.pass(9 * SECOND), []);
    assert_eq!(story.on(Event::Connected(peer(1))), []);
    assert_eq!(story.pass(9 * SECOND), []);
    let closed = Effect::ClosePublisher(peer(1), RtcCloseReason::Timeout);
    assert_eq!(story.pass(SECOND), [closed, note(LiveState::Created)]);
    assert_eq!(story.on(Event::Arrived(peer(2))), [note(LiveState::Connecting)]);
    assert_eq!(story.on(Event::Gone(peer(2), Gone::Lost)), [note(LiveState::Created)]);
}

#[test]
fn an_encoder_whose_key_frame_takes_long_is_waited_for_while_its_packets_come() {
    let mut story = Story::new();
    story.on(Event::Arrived(peer(1)));
    story.on(Event::Connected(peer(1)));
    for _ in 0..30 {
        story.on(Event::Receiving(peer(1)));
        assert_eq!(story.pass(SECOND), []);
    }
    assert_eq!(story.on(Event::MediaStarted(peer(1))), [note(LiveState::Live)]);
}

#[test]
fn who_stalls_is_interrupted_and_goes_on_by_itself() {
    let mut story = Story::on_air();
    assert_eq!(story.on(Event::Stalled(peer(1))), [interrupted(LiveReason::Stalled)]);
    assert_eq!(story.pass(29 * SECOND), []);
    assert_eq!(story.on(Event::Resumed(peer(1))), [note(LiveState::Live)]);
    assert_eq!(story.pass(60 * SECOND), [], "the old grace is forgotten");
    assert_eq!(story.on(Event::Stalled(peer(1))), [interrupted(LiveReason::Stalled)]);
    let effects = story.pass(30 * SECOND);
    assert!(effects.contains(&ended(LiveReason::Timeout, RtcCloseReason::Ended)), "{effects:?}");
}

#[test]
fn who_is_lost_comes_back_from_another_device_in_time() {
    let mut story = Story::on_air();
    assert_eq!(story.on(Event::Gone(peer(1), Gone::Lost)), [interrupted(LiveReason::Lost)]);
    story.pass(29 * SECOND);
    assert_eq!(story.life.admits(story.now), Ok(()));
    story.on(Event::Arrived(peer(2)));
    story.on(Event::Connected(peer(2)));
    assert_eq!(story.pass(5 * SECOND), [], "its media is on the way");
    assert_eq!(story.on(Event::MediaStarted(peer(2))), [note(LiveState::Live)]);
}

#[test]
fn who_is_lost_and_stays_away_is_ended_after_thirty_seconds() {
    let mut story = Story::on_air();
    story.on(Event::Gone(peer(1), Gone::Lost));
    assert_eq!(story.pass(29 * SECOND), []);
    assert_eq!(story.pass(SECOND), [ended(LiveReason::Timeout, RtcCloseReason::Ended)]);
}

#[test]
fn coming_back_without_media_does_not_keep_a_live_for_ever() {
    let mut story = Story::on_air();
    story.on(Event::Gone(peer(1), Gone::Lost));
    let mut lasted = 0;
    for number in 2..100 {
        story.on(Event::Arrived(peer(number)));
        story.on(Event::Connected(peer(number)));
        lasted += 5;
        if !story.pass(5 * SECOND).is_empty() {
            break;
        }
    }
    assert_eq!((lasted, story.life.state()), (40, LiveState::Ended));
}

#[test]
fn the_newest_publisher_wins_once_it_is_connected() {
    let mut story = Story::on_air();
    assert_eq!(story.on(Event::Arrived(peer(2))), [], "the first goes on meanwhile");
    let replaced = Effect::ClosePublisher(peer(1), RtcCloseReason::Replaced);
    assert_eq!(story.on(Event::Connected(peer(2))), [replaced]);
    assert_eq!(story.on(Event::Gone(peer(1), Gone::Lost)), [], "nobody's loss any more");
    assert_eq!(story.on(Event::MediaStarted(peer(2))), [], "viewers have noticed nothing");
    assert_eq!(story.life.state(), LiveState::Live);
}

#[test]
fn a_challenger_that_never_connects_takes_nothing_over() {
    let mut story = Story::on_air();
    story.on(Event::Arrived(peer(2)));
    assert_eq!(story.pass(10 * SECOND), [Effect::ClosePublisher(peer(2), RtcCloseReason::Timeout)]);
    assert_eq!((story.life.state(), story.life.publisher()), (LiveState::Live, Some(peer(1))));
}

#[test]
fn two_encoders_with_one_key_do_not_fight_for_ever() {
    let mut story = Story::on_air();
    story.on(Event::Arrived(peer(2)));
    story.on(Event::Connected(peer(2)));
    story.on(Event::MediaStarted(peer(2)));
    story.pass(29 * SECOND);
    assert_eq!(story.life.admits(story.now), Err(NotNow::TakenOver { after: SECOND }));
    story.pass(SECOND);
    assert_eq!(story.life.admits(story.now), Ok(()));
}

#[test]
fn a_taker_over_without_media_leaves_the_live_interrupted() {
    let mut story = Story::on_air();
    story.on(Event::Arrived(peer(2)));
    story.on(Event::Connected(peer(2)));
    let closed = Effect::ClosePublisher(peer(2), RtcCloseReason::Timeout);
    assert_eq!(story.pass(10 * SECOND), [closed, interrupted(LiveReason::Stalled)]);
    assert_eq!(story.life.admits(story.now), Ok(()), "nobody sends, so anybody may");
}

#[test]
fn whoever_stops_it_the_report_comes_before_the_good_byes() {
    for (by, reason, told) in [
        (Stop::Owner, LiveReason::Stopped, RtcCloseReason::Stopped),
        (Stop::Moderator, LiveReason::Banned, RtcCloseReason::Banned),
        (Stop::Drain, LiveReason::Drain, RtcCloseReason::Drain),
    ] {
        let mut story = Story::on_air();
        story.on(Event::Arrived(peer(2)));
        let closed = [peer(1), peer(2)].map(|peer| Effect::ClosePublisher(peer, told));
        assert_eq!(story.on(Event::Stop(by)), [ended(reason, told), closed[0], closed[1]]);
        assert_eq!(story.on(Event::Stop(by)), [], "once");
        assert_eq!(story.on(Event::MediaStarted(peer(1))), [], "and for good");
        assert_eq!(story.life.admits(story.now), Err(NotNow::Ended));
    }
}

#[test]
fn after_twelve_hours_it_is_over() {
    let mut story = Story::on_air();
    let effects = story.pass(12 * 3_600 * SECOND);
    let closed = Effect::ClosePublisher(peer(1), RtcCloseReason::Duration);
    assert_eq!(effects, [ended(LiveReason::Limit, RtcCloseReason::Duration), closed]);
}

#[test]
fn the_end_tells_whether_the_encoder_had_left_before() {
    for (how, encoder_left) in [(Gone::Left, true), (Gone::Lost, false)] {
        let mut story = Story::on_air();
        story.on(Event::Gone(peer(1), how));
        let effects = story.on(Event::Stop(Stop::Owner));
        assert!(
            matches!(effects[0], Effect::End { encoder_left: told, .. } if told == encoder_left),
            "{effects:?}"
        );
    }
    let mut story = Story::on_air();
    story.on(Event::Gone(peer(1), Gone::Left));
    story.on(Event::Arrived(peer(2)));
    story.on(Event::Connected(peer(2)));
    let effects = story.on(Event::Stop(Stop::Owner));
    assert!(matches!(effects[0], Effect::End { encoder_left: false, .. }), "it came back: {effects:?}");
}

/// Whatever happens in whatever order: one end, nothing after it, told states follow each other, and closed peers are
/// peers that were there.
#[test]
fn any_order_of_events_ends_once() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..500 {
        let mut story = Story::new();
        let mut told = LiveState::Created;
        let mut ends = 0;
        for _ in 0..200 {
            let who = peer(random.random_range(1..4));
            let events = [
                Event::Arrived(who),
                Event::Connected(who),
                Event::Receiving(who),
                Event::MediaStarted(who),
                Event::Stalled(who),
                Event::Resumed(who),
                Event::Gone(who, Gone::Lost),
                Event::Gone(who, Gone::Left),
                Event::Tick,
            ];
            let mut effects = match random.random_range(0..100) {
                0 => story.on(Event::Stop(Stop::Owner)),
                _ => story.on(*events.choose(&mut random).expect("not empty")),
            };
            effects.extend(story.pass(Duration::from_millis(random.random_range(0..8_000))));
            for effect in effects {
                match effect {
                    Effect::Note(state, reason) => {
                        assert_ne!(state, told, "told twice");
                        assert_eq!(reason.is_some(), state == LiveState::Interrupted);
                        assert_eq!(ends, 0, "told after the end");
                        told = state;
                    }
                    Effect::End { .. } => ends += 1,
                    Effect::ClosePublisher(..) => {}
                }
            }
        }
        assert!(ends <= 1);
        story.pass(13 * 3_600 * SECOND);
        assert_eq!(story.life.state(), LiveState::Ended, "every live ends");
    }
}
