use super::*;
use crate::{
    broker::{Broker, Carried},
    publication::{Audience, Publication},
};
use communiconnect_protocol::{Channel, Data};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::sync::Arc;

fn state(key: &str, version: u64) -> State {
    let channel: Channel = "test:a".parse().expect("a test channel");
    State {
        channels: vec![channel],
        event: "s".into(),
        key: key.into(),
        version,
        data: Data::of(&version),
        actor: None,
    }
}

fn versions(states: Vec<State>) -> Vec<(String, u64)> {
    states.into_iter().map(|state| (state.key, state.version)).collect()
}

#[test]
fn the_first_change_goes_at_once_and_the_last_of_a_burst_after_the_pause() {
    let mut states = Coalescer::default();
    states.change(state("a", 1));
    assert_eq!(versions(states.take_due(0)), [("a".into(), 1)]);
    for version in 2..=50 {
        states.change(state("a", version));
    }
    assert_eq!(states.take_due(50), []);
    assert_eq!(states.deadline(), Some(100));
    assert_eq!(versions(states.take_due(100)), [("a".into(), 50)]);
    assert_eq!(states.take_due(200), []);
    assert_eq!(states.deadline(), None, "a key at rest is forgotten");
    assert!(states.keys.is_empty());
}

#[test]
fn an_older_value_that_comes_late_is_no_news() {
    let mut states = Coalescer::default();
    states.change(state("a", 7));
    states.change(state("a", 6));
    assert_eq!(versions(states.take_due(0)), [("a".into(), 7)]);
}

#[test]
fn many_keys_in_motion_lengthen_the_pause() {
    let mut states = Coalescer::default();
    for key in 0..5 * CALM_KEYS {
        states.change(state(&key.to_string(), 1));
    }
    assert_eq!(states.take_due(0).len(), 5 * CALM_KEYS);
    assert_eq!(states.deadline(), Some(500));
}

proptest! {
    #[test]
    fn values_of_a_key_rise_keep_their_distance_and_end_exact(
        changes in prop::collection::vec((0u64..80, 0u8..4), 1..200)
    ) {
        let mut states = Coalescer::default();
        let (mut now, mut newest) = (0, HashMap::<String, u64>::new());
        let mut told = HashMap::<String, Vec<(u64, u64)>>::new();
        let mut tell = |now, states: Vec<State>| {
            for state in states {
                told.entry(state.key).or_default().push((now, state.version));
            }
        };
        for (pause, key) in changes {
            while let Some(at) = states.deadline().filter(|at| *at <= now + pause) {
                tell(at, states.take_due(at));
            }
            now += pause;
            let version = newest.entry(key.to_string()).or_default();
            *version += 1;
            states.change(state(&key.to_string(), *version));
            tell(now, states.take_due(now));
        }
        while let Some(at) = states.deadline() {
            tell(at, states.take_due(at));
        }
        for (key, times) in &told {
            for pair in times.windows(2) {
                prop_assert!(pair[1].1 > pair[0].1, "versions of {} rise: {:?}", key, times);
                prop_assert!(pair[1].0 >= pair[0].0 + PAUSE_MS, "{} keeps its pace: {:?}", key, times);
            }
            prop_assert_eq!(times.last().map(|(_, version)| *version), newest.get(key).copied());
        }
        prop_assert_eq!(told.len(), newest.len());
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Vec<Broadcast>>>);

impl Broker for Recorder {
    fn publish(&self, batch: Vec<Broadcast>) -> Carried<'_> {
        self.0.lock().push(batch);
        Box::pin(std::future::ready(Ok(())))
    }

    fn subscribe(&self, _channel: &Channel) -> Carried<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe(&self, _channel: &Channel) -> Carried<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn probe(&self) -> Carried<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn publication(offset: u64) -> Publication {
    Publication {
        channel: "test:a".parse().expect("a test channel"),
        offset,
        event: "e".into(),
        data: Data::of(&offset),
        at: 0,
        actor: None,
        audience: Audience::Readers,
    }
}

/// Of each value of `a`, and of nothing else.
fn doubled(state: &State) -> Option<State> {
    let version = (state.key == "a").then_some(state.version * 2)?;
    Some(State { event: "doubled".into(), ..self::state("a", version) })
}

#[tokio::test(start_paused = true)]
async fn what_follows_from_states_is_told_once_a_second_and_the_last_always() {
    let broker = Arc::new(Recorder::default());
    let (sender, receiver) = mpsc::channel(16);
    let publisher = Publisher::new(broker.clone()).deriving(doubled).run(receiver);
    let began = tokio::time::Instant::now();
    let writer = async {
        for version in 1..=25 {
            let states = vec![state("a", version), state("b", version)];
            sender.send(Committed { publications: Vec::new(), states }).await.expect("room");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(sender);
    };
    tokio::join!(publisher, writer);
    assert_eq!(began.elapsed().as_millis(), 2_500);
    let told: Vec<u64> = broker
        .0
        .lock()
        .iter()
        .flatten()
        .filter_map(|broadcast| match broadcast {
            Broadcast::State(state) if state.event == "doubled" => Some(state.version),
            _ => None,
        })
        .collect();
    assert!(told.len() <= 4, "at once, after each second, and the last: {told:?}");
    assert_eq!((told.first(), told.last()), (Some(&2), Some(&50)));
}

#[tokio::test(start_paused = true)]
async fn commits_that_wait_make_one_batch_in_order_and_the_end_tells_what_is_left() {
    let broker = Arc::new(Recorder::default());
    let (sender, receiver) = mpsc::channel(16);
    for offset in 1..=3 {
        let commit = Committed { publications: vec![publication(offset)], states: vec![state("a", offset)] };
        sender.send(commit).await.expect("room");
    }
    let publisher = Publisher::new(broker.clone()).run(receiver);
    let writer = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let last = Committed { publications: Vec::new(), states: vec![state("a", 4)] };
        sender.send(last).await.expect("room");
        drop(sender);
    };
    tokio::join!(publisher, writer);
    let batches = broker.0.lock();
    let expected = (1..=3).map(|offset| Broadcast::Publication(publication(offset)));
    let expected: Vec<_> = expected.chain([Broadcast::State(state("a", 3))]).collect();
    assert_eq!(*batches, [expected, vec![Broadcast::State(state("a", 4))]]);
}
