//! Bytes that somebody broke: decoding them never panics and never allocates beyond a small multiple of their length.

use crate::{lines::frozen, seed};
use allocation_counter::measure;
use communiconnect_protocol::{
    Command, DecodeError, ErrorBody, Format, decode_body, decode_command, decode_message,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::TestRunner,
};

/// Bytes that decoding may hold at one time for each byte of the message. The worst is text of DEL characters where
/// something else is expected: serde quotes it with six bytes for each, in buffers that grow by doubling (30 in all).
const PER_BYTE: u64 = 40;

/// Bytes beside that: the nodes of small maps, a full list of empty texts, the words of a refusal.
const BESIDE: u64 = 96 * 1024;

/// What somebody does to a message.
#[derive(Clone, Debug)]
enum Mutation {
    /// Turns bits over.
    Flip(Index, u8),
    /// Leaves out what follows.
    Cut(Index),
    /// Puts bytes in.
    Grow(Index, Vec<u8>),
    /// Opens more and more levels.
    Nest(Index, u8, usize),
    /// Claims a length that is not there.
    Lie(Index, u8, u32),
    /// Says a part again.
    Repeat(Index, Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Headers of MessagePack that carry a length, and JSON's punctuation.
    let header = select(b"\xc4\xc5\xc6\xc7\xc8\xc9\xd9\xda\xdb\xdc\xdd\xde\xdf".to_vec());
    let opener = select(b"\x91\x81\xdd\xdf[{\"".to_vec());
    let garbage = prop_oneof![
        vec(any::<u8>(), 1..40),
        vec(select(b"[]{}\",:\\0-.e\xa0\x90\x80\xc0\xc1\xff".to_vec()), 1..40),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), garbage).prop_map(|(at, bytes)| Mutation::Grow(at, bytes)),
        (any::<Index>(), opener, 1..20_000_usize)
            .prop_map(|(at, byte, levels)| Mutation::Nest(at, byte, levels)),
        (any::<Index>(), header, any::<u32>()).prop_map(|(at, byte, len)| Mutation::Lie(at, byte, len)),
        (any::<Index>(), any::<Index>(), 1..50_usize)
            .prop_map(|(from, to, times)| Mutation::Repeat(from, to, times)),
    ]
}

fn apply(message: &mut Vec<u8>, mutation: Mutation) {
    // One past the end counts as a place too.
    let places = message.len() + 1;
    match mutation {
        Mutation::Flip(at, bits) => {
            if let Some(byte) = message.get_mut(at.index(places)) {
                *byte ^= bits;
            }
        }
        Mutation::Cut(at) => message.truncate(at.index(places)),
        Mutation::Grow(at, bytes) => insert(message, at.index(places), &bytes),
        Mutation::Nest(at, byte, levels) => insert(message, at.index(places), &vec![byte; levels]),
        Mutation::Lie(at, byte, len) => {
            let lie = [&[byte][..], &len.to_be_bytes()].concat();
            insert(message, at.index(places), &lie);
        }
        Mutation::Repeat(from, to, times) => {
            let (from, to) = (from.index(places), to.index(places));
            let part = message[from.min(to)..from.max(to)].repeat(times);
            insert(message, to, &part);
        }
    }
    message.truncate(MAX_MESSAGE);
}

/// `limits.message_bytes`: nothing longer reaches the decoder.
const MAX_MESSAGE: usize = 64 * 1024;

fn insert(message: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    message.splice(at..at, bytes.iter().copied());
}

/// Decodes `message` in every way there is; fails where that takes too much memory.
fn decode_bounded(message: &[u8]) -> Result<(), TestCaseError> {
    let bound = PER_BYTE * message.len() as u64 + BESIDE;
    for format in Format::ALL {
        let mut refused = None;
        let command = measure(|| refused = decode_command(format, message).err());
        prop_assert!(
            command.bytes_max <= bound,
            "command: {} bytes for {}",
            command.bytes_max,
            message.len()
        );
        if let Some(refused) = refused {
            prop_assert!(is_short(&refused), "{refused:?}");
        }
        let server = measure(|| drop(decode_message(format, message)));
        prop_assert!(server.bytes_max <= bound, "message: {} bytes for {}", server.bytes_max, message.len());
    }
    Ok(())
}

fn is_short(DecodeError { error: ErrorBody { message, field, .. }, .. }: &DecodeError) -> bool {
    message.len() <= 512 && field.as_ref().is_none_or(|field| field.len() <= 128)
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(seed::config(cases))
}

#[test]
fn mutated_messages() {
    let corpus: Vec<Vec<u8>> =
        frozen().iter().flat_map(|line| [line.msgpack(), line.json.as_bytes().to_vec()]).collect();
    runner(20_000)
        .run(&(select(corpus), vec(mutation(), 1..4)), |(mut message, mutations)| {
            for mutation in mutations {
                apply(&mut message, mutation);
            }
            decode_bounded(&message)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn random_bytes() {
    let bytes = prop_oneof![vec(any::<u8>(), 0..300), vec(select(b"[]{}\",:\\u0-.e7 ".to_vec()), 0..300)];
    runner(20_000).run(&bytes, |bytes| decode_bounded(&bytes)).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn random_bodies_of_every_command() {
    let value = prop_oneof![
        select(b"\x00\xff\xc0\xc2\xcf\xcb\xa0\x90\x80\xc4\xd4\xd9".to_vec())
            .prop_map(|byte| vec![byte, 0, 0, 0]),
        vec(any::<u8>(), 0..20),
    ];
    let entry = (select(KEYS.to_vec()), value).prop_map(|(key, value)| {
        [&[0xa0 | u8::try_from(key.len()).expect("a short key")], key.as_bytes(), &value].concat()
    });
    let body = vec(entry, 0..6).prop_map(|entries| {
        [&[0x80 | u8::try_from(entries.len()).expect("few entries")][..], &entries.concat()].concat()
    });
    runner(20_000)
        .run(&(select(Command::NAMES.to_vec()), body), |(name, body)| {
            let bound = PER_BYTE * body.len() as u64 + BESIDE;
            let info = measure(|| drop(decode_body(Format::Msgpack, name, &body)));
            prop_assert!(info.bytes_max <= bound);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// Keys that commands know.
const KEYS: &[&str] = &[
    "op",
    "channel",
    "channels",
    "epoch",
    "offset",
    "limit",
    "post_id",
    "post_ids",
    "kind",
    "media_ids",
    "resume",
    "flags",
    "client",
    "ids",
    "content",
    "visibility",
    "anonymous",
    "on",
    "reply",
    "token",
];

/// Messages of the full size, each the worst that its way of wasting can do.
#[test]
fn the_worst_messages_of_full_size() {
    let fill = |head: &[u8], unit: &[u8], tail: &[u8]| {
        let times = (MAX_MESSAGE - head.len() - tail.len()) / unit.len();
        [head, &unit.repeat(times), tail].concat()
    };
    // So many elements that the array32 or map32 header does not lie.
    let counted = |head: &[u8], marker: u8, unit: &[u8], tail: &[u8]| {
        let times = (MAX_MESSAGE - head.len() - 5 - tail.len()) / unit.len();
        let count = u32::try_from(times).expect("few").to_be_bytes();
        [head, &[marker], &count, &unit.repeat(times), tail].concat()
    };
    let worst = [
        ("empty texts", counted(b"\x93\x07\xa7connect\x81\xa5flags", 0xdd, b"\xa0", b"")),
        ("empty ids", counted(b"\x93\x07\xabpost.counts\x81\xa8post_ids", 0xdd, b"\xa0", b"")),
        ("nil for maps", counted(b"\x93\x07\xa4sync\x81\xa8channels", 0xdd, b"\xc0", b"")),
        ("small maps", counted(b"\x93\x07\xa4sync\x81\xa8channels", 0xdd, b"\x81\xa7channel\xa0", b"")),
        ("unknown elements", counted(b"\x93\x07\xa4sync\x82\xa8channels\x90\xa1x", 0xdd, b"\xc0", b"")),
        (
            "elements, then an error",
            counted(b"\x93\x07\xa4sync\x82\xa1x", 0xdd, b"\x00", b"\xa8channels\xc0"),
        ),
        (
            "control characters for a bool",
            counted(b"\x93\x07\xaafollow.set\x82\xa7user_id\xa1u\xa2on", 0xdb, b"\x01", b""),
        ),
        (
            "text of DEL for a bool",
            counted(b"\x93\x07\xaafollow.set\x82\xa7user_id\xa1u\xa2on", 0xdb, b"\x7f", b""),
        ),
        ("json empty texts", fill(br#"[7,"connect",{"flags":[""#, br#"",""#, br#""]}]"#)),
        ("json empty ids", fill(br#"[7,"post.counts",{"post_ids":[""#, br#"",""#, br#""]}]"#)),
        (
            "json control text for a bool",
            fill(br#"[7,"follow.set",{"user_id":"u","on":""#, b"\x7f", br#""}]"#),
        ),
        ("json text with an escape", fill(br#"[7,"refresh",{"token":"\n"#, b"x", br#""}]"#)),
        ("json long key", fill(br#"[7,"connect",{"resume":{""#, b"\x7f", br#"":1}}]"#)),
        ("json numbers", fill(br#"[0,"x",{"x":[1"#, b",1", b"]}]")),
        ("json names", fill(br#"[7,""#, b"x", br#"",{}]"#)),
    ];
    for (name, message) in worst {
        let mut peak = 0;
        for format in Format::ALL {
            peak = peak.max(measure(|| drop(decode_command(format, &message))).bytes_max);
            peak = peak.max(measure(|| drop(decode_message(format, &message))).bytes_max);
        }
        println!(
            "{name}: {peak} bytes for {}, {:.1} each",
            message.len(),
            peak as f64 / message.len() as f64
        );
        decode_bounded(&message).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}
