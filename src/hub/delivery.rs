//! A push that many sessions share: encoded once per format, on first use, and handed out by reference count.

use crate::publication::{Audience, Publication, Signal, State};
use bytes::Bytes;
use communiconnect_protocol::{Channel, Class, Data, Format, SkipPush, UserId, encode_push, kind};
use serde::Serialize;
use std::sync::{Arc, OnceLock};

/// One push of a channel, the same bytes for every subscriber.
#[derive(Debug)]
pub struct Delivery {
    channel: Channel,
    event: Arc<str>,
    data: Data,
    body: Body,
    frames: [OnceLock<Bytes>; 2],
}

#[derive(Debug)]
enum Body {
    Publication { offset: u64, at: i64, actor: Option<UserId>, audience: Audience },
    State { key: String, version: u64, actor: Option<UserId> },
    Signal,
}

/// What tells states apart: a newer one of the same identity replaces an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateKey<'a> {
    channel: &'a Channel,
    event: &'a str,
    key: &'a str,
}

impl Delivery {
    /// A durable event.
    pub fn publication(publication: Publication) -> Arc<Self> {
        let Publication { channel, offset, event, data, at, actor, audience } = publication;
        Self::new(channel, event, data, Body::Publication { offset, at, actor, audience })
    }

    /// An absolute value, as one of its channels shows it.
    pub fn state(state: &State, channel: &Channel) -> Arc<Self> {
        let body = Body::State { key: state.key.clone(), version: state.version, actor: state.actor };
        Self::new(channel.clone(), state.event.as_ref().into(), state.data.clone(), body)
    }

    /// An ephemeral event.
    pub fn signal(signal: Signal) -> Arc<Self> {
        Self::new(signal.channel, signal.event, signal.data, Body::Signal)
    }

    fn new(channel: Channel, event: Arc<str>, data: Data, body: Body) -> Arc<Self> {
        Arc::new(Self { channel, event, data, body, frames: Default::default() })
    }

    /// Which channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// How it behaves when a reader is slow.
    pub fn class(&self) -> Class {
        match self.body {
            Body::Publication { .. } => Class::A,
            Body::State { .. } => Class::B,
            Body::Signal => Class::C,
        }
    }

    /// What happened.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The event's body.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Whom a publication speaks to; none for states and signals, which have no log.
    pub fn audience(&self) -> Option<Audience> {
        match self.body {
            Body::Publication { audience, .. } => Some(audience),
            Body::State { .. } | Body::Signal => None,
        }
    }

    /// The place of a publication in its channel; none for states and signals.
    pub fn offset(&self) -> Option<u64> {
        match self.body {
            Body::Publication { offset, .. } => Some(offset),
            Body::State { .. } | Body::Signal => None,
        }
    }

    /// Who did it or whose thing a state is of, for the filter of blocked pairs.
    pub fn actor(&self) -> Option<UserId> {
        match self.body {
            Body::Publication { actor, .. } | Body::State { actor, .. } => actor,
            Body::Signal => None,
        }
    }

    /// Whether readers get these bytes; publications for the server alone or of deleted things are skipped.
    pub fn is_for_readers(&self) -> bool {
        self.audience().is_none_or(|audience| audience == Audience::Readers)
    }

    /// The identity of a state; none for others.
    pub fn state_key(&self) -> Option<StateKey<'_>> {
        match &self.body {
            Body::State { key, .. } => Some(StateKey { channel: &self.channel, event: &self.event, key }),
            Body::Publication { .. } | Body::Signal => None,
        }
    }

    /// The version of a state; 0 for others.
    pub fn version(&self) -> u64 {
        match self.body {
            Body::State { version, .. } => version,
            Body::Publication { .. } | Body::Signal => 0,
        }
    }

    /// The whole message in one format, encoded by whoever asks first.
    pub fn frame(&self, format: Format) -> &Bytes {
        let slot = match format {
            Format::Msgpack => &self.frames[0],
            Format::Json => &self.frames[1],
        };
        slot.get_or_init(|| self.encode(format))
    }

    /// The message for a reader who may not see the publication.
    pub fn skip_frame(&self, format: Format) -> Bytes {
        let offset = self.offset().unwrap_or(0);
        encode_push(format, kind::SKIP, &SkipPush { channel: self.channel.clone(), offset })
    }

    fn encode(&self, format: Format) -> Bytes {
        let (channel, event, data) = (&self.channel, &*self.event, &self.data);
        match &self.body {
            Body::Publication { offset, at, .. } => {
                let body = PublicationBody { channel, offset: *offset, event, data, at: *at };
                encode_push(format, kind::PUBLICATION, &body)
            }
            Body::State { key, version, .. } => {
                let body = StateBody { channel, event, key, version: *version, data };
                encode_push(format, kind::STATE, &body)
            }
            Body::Signal => encode_push(format, kind::SIGNAL, &SignalBody { channel, event, data }),
        }
    }
}

/// `communiconnect_protocol::PublicationPush`, borrowed: a delivery is encoded without copying its parts.
#[derive(Serialize)]
struct PublicationBody<'a> {
    channel: &'a Channel,
    offset: u64,
    event: &'a str,
    data: &'a Data,
    at: i64,
}

/// `communiconnect_protocol::StatePush`, borrowed.
#[derive(Serialize)]
struct StateBody<'a> {
    channel: &'a Channel,
    event: &'a str,
    key: &'a str,
    version: u64,
    data: &'a Data,
}

/// `communiconnect_protocol::SignalPush`, borrowed.
#[derive(Serialize)]
struct SignalBody<'a> {
    channel: &'a Channel,
    event: &'a str,
    data: &'a Data,
}

#[cfg(test)]
mod tests {
    use super::*;
    use communiconnect_protocol::{PublicationPush, SignalPush, StatePush};

    #[test]
    fn the_borrowed_bodies_are_those_of_the_protocol() {
        let channel: Channel = "test:a".parse().expect("a test channel");
        let data = Data::of(&serde_json::json!({"n": 1}));
        for format in Format::ALL {
            let publication = PublicationPush {
                channel: channel.clone(),
                offset: 7,
                event: "e".into(),
                data: data.clone(),
                at: 5,
            };
            let delivery = Delivery::publication(Publication {
                channel: channel.clone(),
                offset: 7,
                event: "e".into(),
                data: data.clone(),
                at: 5,
                actor: None,
                audience: Audience::Readers,
            });
            assert_eq!(*delivery.frame(format), encode_push(format, kind::PUBLICATION, &publication));

            let state = State {
                channels: vec![channel.clone()],
                event: "s".into(),
                key: "k".into(),
                version: 3,
                data: data.clone(),
                actor: None,
            };
            let push = StatePush {
                channel: channel.clone(),
                event: "s".into(),
                key: "k".into(),
                version: 3,
                data: data.clone(),
            };
            assert_eq!(
                *Delivery::state(&state, &channel).frame(format),
                encode_push(format, kind::STATE, &push)
            );

            let signal = Signal { channel: channel.clone(), event: "g".into(), data: data.clone() };
            let push = SignalPush { channel: channel.clone(), event: "g".into(), data: data.clone() };
            assert_eq!(*Delivery::signal(signal).frame(format), encode_push(format, kind::SIGNAL, &push));
        }
    }
}
