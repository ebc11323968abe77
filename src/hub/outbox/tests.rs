use super::*;
use crate::publication::{Audience, Publication, Signal, State};
use communiconnect_protocol::{Data, SkipPush};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

const BUDGET: Budget = Budget { bytes: 4_000, count: 40 };
const CHANNELS: u8 = 3;
const KEYS: u8 = 4;

#[derive(Clone, Debug)]
enum Move {
    Publication { channel: u8, size: usize, hidden: bool },
    State { channel: u8, key: u8, size: usize },
    Signal { channel: u8 },
    Reply,
    Ping,
    Pop(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (0..CHANNELS, 0usize..600, prop::bool::weighted(0.1))
            .prop_map(|(channel, size, hidden)| Move::Publication { channel, size, hidden }),
        3 => (0..CHANNELS, 0..KEYS, 0usize..300)
            .prop_map(|(channel, key, size)| Move::State { channel, key, size }),
        2 => (0..CHANNELS).prop_map(|channel| Move::Signal { channel }),
        1 => Just(Move::Reply),
        1 => Just(Move::Ping),
        3 => (0usize..30).prop_map(Move::Pop),
    ];
    prop::collection::vec(one, 0..400)
}

fn channel(number: u8) -> Channel {
    format!("test:{number}").parse().expect("a test channel")
}

fn publication(number: u8, offset: u64, size: usize) -> Arc<Delivery> {
    Delivery::publication(Publication {
        channel: channel(number),
        offset,
        event: "e".into(),
        data: Data::of(&"x".repeat(size)),
        at: 0,
        actor: None,
        audience: Audience::Readers,
    })
}

fn state(number: u8, key: u8, version: u64, size: usize) -> Arc<Delivery> {
    let state = State {
        channels: vec![channel(number)],
        event: "s".into(),
        key: key.to_string(),
        version,
        data: Data::of(&"x".repeat(size)),
        actor: None,
    };
    Delivery::state(&state, &channel(number))
}

fn signal(number: u8) -> Arc<Delivery> {
    Delivery::signal(Signal { channel: channel(number), event: "g".into(), data: Data::of(&1) })
}

/// The next message.
fn next(outbox: &mut Outbox) -> Option<Frame> {
    outbox.pop(|bytes, is_reply| Frame { bytes: Bytes::copy_from_slice(bytes), is_reply })
}

/// What a reader makes of the frames: everything it may check without knowing what was pushed.
#[derive(Default)]
struct Reader {
    /// Last offset told of, by channel.
    offsets: BTreeMap<String, u64>,
    /// Newest version, by channel and key.
    versions: BTreeMap<(String, String), u64>,
    replies: u64,
    level: u8,
    gaps: usize,
}

#[derive(Deserialize)]
struct StateSeen {
    channel: String,
    key: String,
    version: u64,
}

#[derive(Deserialize)]
struct OffsetSeen {
    channel: String,
    offset: u64,
}

impl Reader {
    fn read(&mut self, frame: &Frame) {
        let (id, kind, body): (u64, String, serde_json::Value) =
            serde_json::from_slice(&frame.bytes).expect("a message");
        if frame.is_reply {
            assert_eq!((id, kind.as_str()), (self.replies + 1, "ok"), "replies in order");
            self.replies = id;
            return;
        }
        match kind.as_str() {
            kind::PUBLICATION | kind::SKIP => {
                let seen: OffsetSeen = serde_json::from_value(body).expect("an offset");
                self.advance(&seen.channel, seen.offset, seen.offset);
            }
            kind::GAP => {
                let gap: GapPush = serde_json::from_value(body).expect("a gap");
                assert_eq!(gap.reason, GapReason::Slow);
                self.gaps += 1;
                self.advance(&gap.channel.to_string(), gap.from, gap.to);
            }
            kind::STATE => {
                let seen: StateSeen = serde_json::from_value(body).expect("a state");
                let newest = self.versions.entry((seen.channel, seen.key)).or_default();
                assert!(seen.version > *newest, "versions rise");
                *newest = seen.version;
            }
            kind::FLOW => {
                let flow: FlowPush = serde_json::from_value(body).expect("a flow");
                assert_ne!(flow.level, self.level, "flow tells of changes alone");
                self.level = flow.level;
            }
            kind::SIGNAL | kind::PING => {}
            other => panic!("unexpected {other}"),
        }
    }

    fn advance(&mut self, channel: &str, from: u64, to: u64) {
        let last = self.offsets.entry(channel.to_owned()).or_default();
        assert_eq!(from, *last + 1, "{channel}: no hole and nothing twice");
        assert!(to >= from);
        *last = to;
    }
}

fn replay(moves: &[Move]) -> (Reader, BTreeMap<String, u64>) {
    let mut outbox = Outbox::new(Format::Json, BUDGET);
    let mut reader = Reader::default();
    let (mut heads, mut versions) =
        (BTreeMap::<String, u64>::new(), BTreeMap::<(String, String), u64>::new());
    let mut asked = 0;
    for step in moves {
        match *step {
            Move::Publication { channel: number, size, hidden } => {
                let head = heads.entry(channel(number).to_string()).or_default();
                *head += 1;
                let delivery = publication(number, *head, size);
                let verdict = if hidden { outbox.push_skip(&delivery) } else { outbox.push(&delivery) };
                assert_eq!(verdict, Verdict::Kept);
            }
            Move::State { channel: number, key, size } => {
                let version = versions.entry((channel(number).to_string(), key.to_string())).or_default();
                *version += 1;
                assert_ne!(outbox.push(&state(number, key, *version, size)), Verdict::Thinned);
            }
            Move::Signal { channel } => {
                let _ = outbox.push(&signal(channel));
            }
            Move::Reply => {
                asked += 1;
                outbox.push_reply(communiconnect_protocol::encode_ok(Format::Json, asked, &()));
            }
            Move::Ping => {
                if !outbox.has_ping() {
                    outbox.push_ping(encode_push(Format::Json, kind::PING, &()));
                }
            }
            Move::Pop(count) => {
                for _ in 0..count {
                    let Some(frame) = next(&mut outbox) else { break };
                    reader.read(&frame);
                }
            }
        }
        assert!(outbox.load.bytes <= BUDGET.bytes, "{} bytes wait", outbox.load.bytes);
        assert!(outbox.load.count <= BUDGET.count, "{} pushes wait", outbox.load.count);
        assert!(outbox.states.len() <= usize::from(CHANNELS * KEYS));
    }
    while let Some(frame) = next(&mut outbox) {
        reader.read(&frame);
    }
    assert!(outbox.is_empty());
    assert_eq!((outbox.load.bytes, outbox.load.count, outbox.state_bytes, outbox.pings), (0, 0, 0, 0));
    assert!(outbox.states.is_empty());
    assert_eq!(reader.replies, asked, "every reply left");
    assert_eq!(reader.versions, versions, "the last of every state arrived");
    assert_eq!(reader.level, 0, "recovered once all has left");
    (reader, heads)
}

proptest! {
    #[test]
    fn every_offset_is_sent_or_named_in_a_gap_once_and_in_order(moves in moves()) {
        let (reader, heads) = replay(&moves);
        prop_assert_eq!(reader.offsets, heads);
    }

    #[test]
    fn a_reader_who_keeps_up_loses_nothing(moves in moves()) {
        let moves: Vec<Move> = moves.into_iter().flat_map(|step| [step, Move::Pop(usize::MAX)]).collect();
        let (reader, heads) = replay(&moves);
        prop_assert_eq!(reader.offsets, heads);
        prop_assert_eq!(reader.gaps, 0);
    }
}

#[test]
fn the_loudest_channel_is_cut_and_a_quiet_one_is_not() {
    let mut outbox = Outbox::new(Format::Json, BUDGET);
    let _ = outbox.push(&publication(1, 1, 10));
    for offset in 1..=200 {
        let _ = outbox.push(&publication(0, offset, 100));
    }
    let mut kinds = Vec::new();
    while let Some(frame) = next(&mut outbox) {
        let text = String::from_utf8(frame.bytes.to_vec()).expect("text");
        kinds.push(text.contains("test:1").then_some(text));
    }
    let quiet: Vec<_> = kinds.into_iter().flatten().collect();
    assert_eq!(quiet.len(), 1);
    assert!(quiet[0].contains("\"publication\""), "{quiet:?}");
}

#[test]
fn signals_are_thinned_before_anything_else_and_the_reader_is_told() {
    let mut outbox = Outbox::new(Format::Json, BUDGET);
    let thinned = (0..100).filter(|_| outbox.push(&signal(0)) == Verdict::Thinned).count();
    assert!(thinned >= 100 - BUDGET.count);
    let first = next(&mut outbox).expect("a flow");
    assert!(String::from_utf8_lossy(&first.bytes).starts_with(r#"[0,"flow",{"level":1"#));
}

#[test]
fn states_without_end_are_an_overload() {
    let mut outbox = Outbox::new(Format::Json, BUDGET);
    let verdicts: Vec<_> = (0..=2 * BUDGET.count)
        .map(|key| outbox.push(&state(0, u8::try_from(key).expect("few"), 1, 1)))
        .collect();
    assert_eq!(verdicts.iter().position(|verdict| *verdict == Verdict::Overloaded), Some(2 * BUDGET.count));
}

#[test]
fn a_purged_channel_leaves_nothing_behind() {
    let mut outbox = Outbox::new(Format::Json, BUDGET);
    let _ = outbox.push(&publication(0, 1, 10));
    let _ = outbox.push(&state(0, 1, 1, 10));
    let _ = outbox.push(&state(1, 1, 1, 10));
    let _ = outbox.push_skip(&publication(0, 2, 10));
    outbox.purge(&channel(0));
    let _ = outbox.push(&state(1, 1, 2, 10));
    let left: Vec<_> = std::iter::from_fn(|| next(&mut outbox)).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((outbox.load.bytes, outbox.state_bytes), (0, 0));
}

#[test]
fn a_skip_names_the_offset_alone() {
    let mut outbox = Outbox::new(Format::Json, BUDGET);
    let _ = outbox.push_skip(&publication(0, 9, 10));
    let frame = next(&mut outbox).expect("a skip");
    let expected = SkipPush { channel: channel(0), offset: 9 };
    assert_eq!(frame.bytes, encode_push(Format::Json, kind::SKIP, &expected));
}
