use super::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

const SECOND: Duration = Duration::from_secs(1);

fn user(number: u64) -> UserId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    UserId::from_bytes(bytes)
}

fn person(number: u64) -> Person {
    Person::User(user(number))
}

fn session(number: u64) -> Tie {
    Tie::Session(SessionId::from_bytes(*user(number).as_bytes()))
}

fn peer_id(number: u64) -> PeerId {
    PeerId::from_bytes(*user(number).as_bytes())
}

fn peer(number: u64) -> Tie {
    Tie::Peer(peer_id(number))
}

fn audience() -> (Audience, Instant) {
    (Audience::new(user(0), AudienceLimits::default()), Instant::now())
}

#[test]
fn two_tabs_are_one_viewer_and_the_owner_is_none() {
    let (mut audience, now) = audience();
    assert_eq!(audience.join(person(1), session(1), now), Ok(true));
    assert_eq!(audience.join(person(1), session(2), now), Ok(false));
    assert_eq!(audience.join(person(1), peer(1), now), Ok(false));
    assert_eq!(audience.join(person(0), session(3), now), Ok(false), "the owner");
    assert_eq!(audience.viewers(), Viewers { current: 1, peak: 1 });
    assert!(!audience.leave(session(1), now) && !audience.leave(session(2), now));
    assert!(audience.leave(peer(1), now), "the last tie");
    assert!(!audience.leave(peer(1), now), "once");
    assert_eq!((audience.viewers(), audience.moves()), (Viewers { current: 0, peak: 1 }, (1, 1)));
}

#[test]
fn each_guest_is_one_and_so_is_each_nameless_peer() {
    let (mut audience, now) = audience();
    for number in 1..=3 {
        let guest = Person::Guest(SessionId::from_bytes(*user(number).as_bytes()));
        audience.join(guest, session(number), now).expect("room");
        audience.join(guest, peer(number), now).expect("room");
        audience.join(Person::Nameless(peer_id(10 + number)), peer(10 + number), now).expect("room");
    }
    assert_eq!((audience.current(), audience.unique()), (6, 6));
}

#[test]
fn five_hundred_joins_and_leaves_in_random_order_are_counted_exactly() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut audience, mut now) = audience();
    audience.begin(now);
    let mut there: BTreeMap<Tie, Person> = BTreeMap::new();
    let (mut peak, mut seen, mut viewer_ms) = (0, HashSet::new(), 0);
    let began = now;
    for step in 0..1_000 {
        let people = |there: &BTreeMap<Tie, Person>| there.values().collect::<HashSet<_>>().len() as u64;
        let pause = random.random_range(0..2_000);
        viewer_ms += pause * people(&there);
        now += Duration::from_millis(pause);
        // Five hundred ties, each joined once and left once, whichever comes up; most people have several.
        let tie = if step % 2 == 0 { session(step / 2) } else { peer(step / 2) };
        if there.len() > 250 || (random.random_bool(0.4) && !there.is_empty()) {
            let (tie, _) = there.iter().nth(random.random_range(0..there.len())).expect("not empty");
            let tie = *tie;
            there.remove(&tie);
            audience.leave(tie, now);
        } else {
            let person = person(random.random_range(1..100));
            if there.values().filter(|other| **other == person).count() < 16 {
                there.insert(tie, person);
                seen.insert(person);
                audience.join(person, tie, now).expect("room");
            }
        }
        peak = peak.max(people(&there));
        assert_eq!(audience.viewers(), Viewers { current: people(&there), peak }, "step {step}");
    }
    assert_eq!(audience.unique(), seen.len() as u64);
    let average = viewer_ms as f64 / (now - began).as_millis() as f64;
    assert!((audience.average() - average).abs() <= 0.05, "{} against {average}", audience.average());
    for tie in there.keys() {
        audience.leave(*tie, now);
    }
    let (joins, leaves) = audience.moves();
    assert_eq!((audience.current(), joins), (0, leaves));
    assert!(audience.people.is_empty() && audience.ties.is_empty(), "nobody is remembered for ever");
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let now = Instant::now();
    let limits = AudienceLimits { people: 2, ties_per_person: 2 };
    let mut audience = Audience::new(user(0), limits);
    audience.join(person(1), session(1), now).expect("room");
    audience.join(person(2), session(2), now).expect("room");
    assert_eq!(audience.join(person(3), session(3), now), Err(Full));
    assert_eq!(audience.join(person(1), peer(1), now), Ok(false), "who is there may bring a second tab");
    assert_eq!(audience.join(person(1), peer(2), now), Err(Full), "and no third");
    audience.leave(session(2), now);
    assert_eq!(audience.join(person(3), session(3), now), Ok(true));
}

#[test]
fn uniques_are_exact_to_ten_thousand_and_near_above() {
    let (mut audience, now) = audience();
    for number in 1..=30_000 {
        audience.join(person(number), session(1), now).expect("room");
        audience.leave(session(1), now);
        if number == 10_000 {
            assert_eq!(audience.unique(), 10_000);
        }
    }
    let off = audience.unique() as f64 / 30_000.0 - 1.0;
    assert!(off.abs() < 0.05, "{} of 30000", audience.unique());
    assert_eq!(audience.moves(), (30_000, 30_000));
}

#[test]
fn watch_time_counts_delivered_media_once_per_person() {
    let (mut audience, mut now) = audience();
    audience.join(person(1), peer(1), now).expect("room");
    audience.join(person(1), peer(2), now).expect("room");
    audience.join(person(2), peer(3), now).expect("room");
    for _ in 0..10 {
        now += SECOND;
        audience.delivered(peer_id(1), SECOND, now);
        audience.delivered(peer_id(2), SECOND, now);
    }
    now += 100 * SECOND;
    audience.delivered(peer_id(3), SECOND, now);
    let times = audience.watch_times();
    assert_eq!((times.total, times.mean), (11_000, 5_500), "what nothing was delivered in is not watched");
    audience.leave(peer(3), now);
    assert_eq!(audience.watch_times(), times, "a visit that is over counts as before");
    let within = |value: u64, wished: u64| value.abs_diff(wished) <= wished / 500;
    assert!(within(times.p50, 1_000) && within(times.p95, 10_000), "{times:?}");
}

#[test]
fn retention_has_a_point_every_ten_seconds_however_seldom_it_is_looked_at() {
    let (mut audience, began) = audience();
    audience.join(person(1), session(1), began).expect("room");
    audience.begin(began);
    audience.join(person(2), session(2), began + 15 * SECOND).expect("room");
    audience.leave(session(1), began + 32 * SECOND);
    audience.advance(began + 40 * SECOND);
    let points = [(0, 1), (10_000, 1), (20_000, 2), (30_000, 2), (40_000, 1)];
    assert_eq!(audience.retention(), points);
    audience.advance(began + 13 * 3_600 * SECOND);
    assert_eq!(audience.retention().len(), POINTS, "and no more than twelve hours of them");
}

#[test]
fn joining_is_told_by_phase() {
    let (mut audience, _) = audience();
    for ms in 1..=100 {
        let span = Duration::from_millis(ms);
        audience.joined_in(JoinSpans { answer: span, connect: 2 * span, media: span * 3 });
    }
    let phases = audience.join_phases();
    assert_eq!(phases.answer, JoinTimes { p50: 50, p95: 95 });
    assert_eq!(phases.total, JoinTimes { p50: 300, p95: 570 });
    assert_eq!(phases.picture, None, "nobody has got one");
    for ms in 1..=20 {
        audience.pictured_in(Duration::from_millis(ms));
    }
    let phases = audience.join_phases();
    assert_eq!(phases.picture, Some(JoinTimes { p50: 10, p95: 19 }));
    assert_eq!(phases.total, JoinTimes { p50: 300, p95: 570 }, "up to the first packet");
}

#[test]
fn ten_thousand_come_and_go_and_nothing_grows() {
    let (mut audience, mut now) = audience();
    audience.begin(now);
    for round in 0..10_000 {
        now += Duration::from_millis(10);
        audience.join(person(1 + round % 50), session(round), now).expect("room");
        audience.delivered(peer_id(round), SECOND, now);
        audience.leave(session(round), now);
    }
    assert_eq!((audience.people.len(), audience.ties.len(), audience.unique()), (0, 0, 50));
    assert!(audience.visits.distinct_values() <= 2_048, "visits of no length need no room");
}
