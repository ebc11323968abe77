//! What nodes say to each other through Redis. Pure.
//!
//! A frame is one Redis message: a header that can be judged without reading on (version, kind, sender), and behind it
//! MessagePack of the structs below, written compactly (fields by place). Another version's frames are dropped: nodes of
//! two versions that run side by side for an upgrade repair from the log what they do not tell each other.

use crate::{
    broker::{Broadcast, Memo},
    publication::{Audience, Publication, Signal, State},
};
use communiconnect_protocol::{Channel, Data, UserId};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// Changes with anything below.
const VERSION: u8 = 1;

const KIND_ITEMS: u8 = 0;
const KIND_PROBE: u8 = 1;

/// Version, kind, sender.
const HEADER: usize = 10;
/// MessagePack's array of up to 2^32 - 1 items.
const ARRAY_32: u8 = 0xdd;
const ITEMS_HEADER: usize = HEADER + 5;

/// Which process sent a frame: drawn anew at each start, so that what a node said before is not its own any more.
pub(super) type Sender = u64;

/// What a frame turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// This node's own words came back; they were delivered here when they were said.
    Own,
    /// A probe, of this node if it is the sender.
    Probe { sender: Sender, nonce: u64 },
    /// What another node has to say.
    Items(Items),
}

/// The items of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Items {
    /// What it published.
    pub(super) broadcasts: Vec<Broadcast>,
    /// The last offsets that it knows of.
    pub(super) heads: Vec<(Channel, u64)>,
    /// It could not publish everything lately.
    pub(super) has_lost: bool,
}

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unheard {
    /// A node of another version.
    #[error("a frame of another version")]
    Version,
    /// Not a frame.
    #[error("not a frame")]
    Malformed,
}

#[derive(Serialize, Deserialize)]
enum Item<'a> {
    #[serde(rename = "p", borrow)]
    Publication(PublicationItem<'a>),
    #[serde(rename = "s", borrow)]
    State(StateItem<'a>),
    #[serde(rename = "c", borrow)]
    Signal(SignalItem<'a>),
    #[serde(rename = "h", borrow)]
    Head(HeadItem<'a>),
    #[serde(rename = "m", borrow)]
    Memo(MemoItem<'a>),
    #[serde(rename = "l")]
    Loss,
}

#[derive(Serialize, Deserialize)]
struct PublicationItem<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    offset: u64,
    event: &'a str,
    #[serde(serialize_with = "as_bytes")]
    data: &'a [u8],
    at: i64,
    /// 16 bytes, or none.
    #[serde(serialize_with = "as_bytes")]
    actor: &'a [u8],
    audience: u8,
}

#[derive(Serialize, Deserialize)]
struct StateItem<'a> {
    #[serde(borrow)]
    channels: Vec<Cow<'a, str>>,
    event: &'a str,
    key: &'a str,
    version: u64,
    #[serde(serialize_with = "as_bytes")]
    data: &'a [u8],
    #[serde(serialize_with = "as_bytes")]
    actor: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct SignalItem<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    event: &'a str,
    #[serde(serialize_with = "as_bytes")]
    data: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct MemoItem<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(serialize_with = "as_bytes")]
    body: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct HeadItem<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    offset: u64,
}

/// A frame that is being written.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    items: u32,
}

impl Frame {
    /// A frame without items.
    pub(super) fn new(sender: Sender) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend([VERSION, KIND_ITEMS]);
        bytes.extend(sender.to_be_bytes());
        bytes.extend([ARRAY_32, 0, 0, 0, 0]);
        Self { bytes, items: 0 }
    }

    /// The whole frame of a probe.
    pub(super) fn probe(sender: Sender, nonce: u64) -> Vec<u8> {
        let mut bytes = vec![VERSION, KIND_PROBE];
        bytes.extend(sender.to_be_bytes());
        bytes.extend(nonce.to_be_bytes());
        bytes
    }

    /// Adds a publication.
    pub(super) fn publication(&mut self, publication: &Publication) {
        let Publication { channel, offset, event, data, at, actor, audience } = publication;
        self.add(&Item::Publication(PublicationItem {
            channel: channel.to_string().into(),
            offset: *offset,
            event,
            data: data.as_bytes(),
            at: *at,
            actor: actor_bytes(actor.as_ref()),
            audience: match audience {
                Audience::Readers => 0,
                Audience::Server => 1,
                Audience::Nobody => 2,
            },
        }));
    }

    /// Adds a state, as these of its channels show it.
    pub(super) fn state<'a>(&mut self, state: &State, channels: impl Iterator<Item = &'a Channel>) {
        self.add(&Item::State(StateItem {
            channels: channels.map(|channel| channel.to_string().into()).collect(),
            event: &state.event,
            key: &state.key,
            version: state.version,
            data: state.data.as_bytes(),
            actor: actor_bytes(state.actor.as_ref()),
        }));
    }

    /// Adds a signal.
    pub(super) fn signal(&mut self, signal: &Signal) {
        self.add(&Item::Signal(SignalItem {
            channel: signal.channel.to_string().into(),
            event: &signal.event,
            data: signal.data.as_bytes(),
        }));
    }

    /// Adds a hub's word.
    pub(super) fn memo(&mut self, memo: &Memo) {
        self.add(&Item::Memo(MemoItem { channel: memo.channel.to_string().into(), body: &memo.body }));
    }

    /// Adds the last offset of a channel.
    pub(super) fn head(&mut self, channel: &Channel, offset: u64) {
        self.add(&Item::Head(HeadItem { channel: channel.to_string().into(), offset }));
    }

    /// Says that this node could not publish everything lately.
    pub(super) fn loss(&mut self) {
        self.add(&Item::Loss);
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The finished frame.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes[HEADER + 1..ITEMS_HEADER].copy_from_slice(&self.items.to_be_bytes());
        self.bytes
    }

    fn add(&mut self, item: &Item<'_>) {
        rmp_serde::encode::write(&mut self.bytes, item).expect("our own types always encode");
        self.items += 1;
    }
}

/// Reads a frame; `own` is this node.
pub(super) fn read(bytes: &[u8], own: Sender) -> Result<Heard, Unheard> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(Unheard::Malformed)?;
    if header[0] != VERSION {
        return Err(Unheard::Version);
    }
    let sender = Sender::from_be_bytes(header[2..].try_into().map_err(|_| Unheard::Malformed)?);
    match header[1] {
        KIND_PROBE => {
            let nonce = body.try_into().map_err(|_| Unheard::Malformed)?;
            Ok(Heard::Probe { sender, nonce: u64::from_be_bytes(nonce) })
        }
        KIND_ITEMS if sender == own => Ok(Heard::Own),
        KIND_ITEMS => read_items(body).ok_or(Unheard::Malformed),
        _ => Err(Unheard::Malformed),
    }
}

fn read_items(body: &[u8]) -> Option<Heard> {
    let read: Vec<Item<'_>> = rmp_serde::from_slice(body).ok()?;
    let mut items = Items { broadcasts: Vec::with_capacity(read.len()), ..Items::default() };
    for item in read {
        items.broadcasts.push(match item {
            Item::Publication(item) => Broadcast::Publication(Publication {
                channel: item.channel.parse().ok()?,
                offset: item.offset,
                event: item.event.into(),
                data: data(item.data),
                at: item.at,
                actor: read_actor(item.actor)?,
                audience: match item.audience {
                    0 => Audience::Readers,
                    1 => Audience::Server,
                    2 => Audience::Nobody,
                    _ => return None,
                },
            }),
            Item::State(item) => Broadcast::State(State {
                channels: item.channels.iter().map(|name| name.parse().ok()).collect::<Option<_>>()?,
                event: item.event.to_owned().into(),
                key: item.key.to_owned(),
                version: item.version,
                data: data(item.data),
                actor: read_actor(item.actor)?,
            }),
            Item::Signal(item) => Broadcast::Signal(Signal {
                channel: item.channel.parse().ok()?,
                event: item.event.into(),
                data: data(item.data),
            }),
            Item::Memo(item) => {
                Broadcast::Memo(Memo { channel: item.channel.parse().ok()?, body: item.body.to_vec().into() })
            }
            Item::Head(item) => {
                items.heads.push((item.channel.parse().ok()?, item.offset));
                continue;
            }
            Item::Loss => {
                items.has_lost = true;
                continue;
            }
        });
    }
    Some(Heard::Items(items))
}

fn data(bytes: &[u8]) -> Data {
    Data::from_stored(bytes.to_vec())
}

fn actor_bytes(actor: Option<&UserId>) -> &[u8] {
    actor.map_or(&[], |actor| actor.as_bytes())
}

fn read_actor(bytes: &[u8]) -> Option<Option<UserId>> {
    if bytes.is_empty() { Some(None) } else { Some(Some(UserId::from_bytes(bytes.try_into().ok()?))) }
}

fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn channel(name: &str) -> Channel {
        format!("test:{name}").parse().expect("a test channel")
    }

    fn samples() -> (Publication, State, Signal) {
        let publication = Publication {
            channel: channel("a"),
            offset: 7,
            event: "e".into(),
            data: Data::of(&"text"),
            at: -5,
            actor: Some(UserId::from_bytes([9; 16])),
            audience: Audience::Server,
        };
        let state = State {
            channels: vec![channel("a"), channel("b")],
            event: "s".into(),
            key: "k".into(),
            version: u64::MAX,
            data: Data::of(&1),
            actor: None,
        };
        let signal = Signal { channel: channel("c"), event: "g".into(), data: Data::of(&()) };
        (publication, state, signal)
    }

    fn frame() -> Vec<u8> {
        let (publication, state, signal) = samples();
        let mut frame = Frame::new(1);
        frame.publication(&publication);
        frame.state(&state, state.channels.iter());
        frame.signal(&signal);
        frame.head(&channel("a"), 8);
        frame.loss();
        frame.finish()
    }

    #[test]
    fn what_is_said_is_heard() {
        let (publication, state, signal) = samples();
        let broadcasts =
            vec![Broadcast::Publication(publication), Broadcast::State(state), Broadcast::Signal(signal)];
        let heads = vec![(channel("a"), 8)];
        let items = Items { broadcasts, heads, has_lost: true };
        assert_eq!(read(&frame(), 2), Ok(Heard::Items(items)));
    }

    #[test]
    fn own_words_and_probes_are_told_by_the_header() {
        assert_eq!(read(&frame(), 1), Ok(Heard::Own));
        assert_eq!(read(&Frame::probe(3, 77), 3), Ok(Heard::Probe { sender: 3, nonce: 77 }));
    }

    #[test]
    fn another_version_is_told_apart_from_garbage() {
        let mut bytes = frame();
        bytes[0] += 1;
        assert_eq!(read(&bytes, 2), Err(Unheard::Version));
        assert_eq!(read(b"", 2), Err(Unheard::Malformed));
    }

    proptest! {
        #[test]
        fn a_damaged_frame_is_no_panic(at in 1..frame().len(), by in 1..=255_u8, cut in 0..frame().len()) {
            let mut bytes = frame();
            bytes[at] ^= by;
            let _ = read(&bytes, 2);
            let _ = read(&bytes[..cut], 2);
            prop_assert!(read(&frame()[..cut], 2).is_err());
        }
    }
}
