//! `GET /v1/sse`: pushes one way, as server-sent events, for where WebSocket is blocked.
//!
//! A stream is a session of the hub like a socket's, with the same rights, bounds and outbox; it gives no commands, and
//! `Last-Event-ID` tells where its reader stands in all its channels. Owns the events' text and what drives a stream.

mod place;
mod stream;
mod text;

use super::{
    Peer, Problem,
    arrival::arrive,
    bearer,
    listener::UNACKNOWLEDGED,
    pace::Source,
    query::Query,
    socket::{takes_somebody, through_proxy},
    state::HttpState,
    ws::{Attendance, Door},
};
use crate::{
    auth::{Identity, network_of},
    clock::now_ms,
    hub::{
        Caller,
        session::{Paces, too_late},
    },
    metrics,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{
    Channel, Code, Connected, ErrorBody, Format, LogItem, Recovered, SubscribeOutcome, SubscribeRefused,
    Subscribed, Sync, SyncChannel,
};
use futures_util::{StreamExt, stream::poll_fn};
use place::Place;
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use stream::Beginning;
use tokio::sync::mpsc;

/// Where a reader stood, as its browser tells when it comes back.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Milliseconds after which readers are to come back, drawn between these: streams that ended together do not return
/// together.
const RETRY_MS: std::ops::RangeInclusive<u64> = 500..=3_000;

/// Begins a stream, or says why not.
pub(super) async fn listen(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, _) = request.into_parts();
    let wish = Wish::read(&head)?;
    takes_somebody(&state)?;
    let identity = state.door.auth.authenticate(wish.token.as_deref(), now_ms()).await;
    let identity = identity.map_err(|denied| denied.error)?;
    let peer = head.extensions.get::<Peer>().expect("the listener names every peer");
    let guests = Source::Guests(network_of(peer.client));
    state.pace.take(identity.user_id().map_or(guests, Source::Person))?;
    if head.method == Method::HEAD {
        return Ok(answer(Body::empty()));
    }
    let slot = through_proxy(&state, peer)?;
    let attendance = Attendance::begin(&state.door.hub, Format::Json);
    let beginning = begin(&state.door, attendance, (identity, peer.client), wish);
    let beginning = tokio::time::timeout(state.settings.command_time, beginning).await;
    let mut beginning = beginning.map_err(|_| too_late())??;
    beginning.link = peer.link();
    beginning.link.be_patient_for(patience(state.door.hub.settings().paces()));
    let (chunks, mut body) = mpsc::channel(1);
    state.door.tasks.spawn(async move {
        let _held = slot;
        stream::run(beginning, chunks).await;
    });
    metrics::STREAMS_OPENED.add(1);
    Ok(answer(Body::from_stream(poll_fn(move |context| body.poll_recv(context)).map(Ok::<_, Infallible>))))
}

/// How long a reader may acknowledge or take nothing. It gives no sign of life: this with the heartbeat, which is written at
/// the pace of pings, is what a socket's pong is.
fn patience(paces: Paces) -> Duration {
    Duration::from_millis(paces.pong_ms + paces.write_timeout_ms).min(UNACKNOWLEDGED)
}

fn answer(body: Body) -> Response {
    let fields = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that buffer would hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (fields, body).into_response()
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    channels: Vec<Channel>,
    token: Option<String>,
    last_event_id: Option<String>,
}

impl Wish {
    fn read(head: &Parts) -> Result<Self, ErrorBody> {
        let query = Query::of(&head.uri)?;
        let mut channels = Vec::new();
        let names = query.text("channels").unwrap_or_default();
        for (place, name) in names.split(',').filter(|name| !name.is_empty()).enumerate() {
            let channel: Channel = name
                .parse()
                .map_err(|error| ErrorBody::invalid(format!("channels.{place}"), format!("{error}")))?;
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        // RFC 6750 §2.3: for whoever can send no header, as a browser's `EventSource`.
        let (sent, asked) = (bearer::token(&head.headers)?, query.text("access_token"));
        if sent.is_some() && asked.is_some() {
            let message = "give the token in Authorization or as access_token, not both";
            return Err(ErrorBody::new(Code::BadRequest, message));
        }
        // A browser that comes back by itself sends the header; its address stays as it was first.
        let header =
            head.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
        Ok(Self {
            channels,
            token: sent.or(asked).map(str::to_owned),
            last_event_id: header.or_else(|| query.text("last_event_id")).map(str::to_owned),
        })
    }
}

/// Makes a session of it: who it is, then what it listens to.
async fn begin(
    door: &Arc<Door>,
    attendance: Attendance,
    (identity, client): (Identity, IpAddr),
    wish: Wish,
) -> Result<Beginning, ErrorBody> {
    let session = attendance.session();
    session.comes_from(client);
    let own = identity.user_id().map(Channel::User);
    let asked: Vec<Channel> =
        wish.channels.into_iter().filter(|channel| Some(channel) != own.as_ref()).collect();
    if own.is_none() && asked.is_empty() {
        return Err(ErrorBody::invalid("channels", "name at least one channel: ?channels=feed:ID,post:ID"));
    }
    let channels: Vec<Channel> = own.iter().chain(&asked).cloned().collect();
    let place = match &wish.last_event_id {
        Some(id) => Place::read(id, &channels)?,
        None => Place::new(&channels),
    };
    let resume: BTreeMap<_, _> =
        own.iter().filter_map(|own| Some((own.to_string(), place.position(0)?))).collect();
    let mut connected = arrive(door, session, identity, resume).await.map_err(|denied| denied.error)?;
    let caller = Caller {
        identity: (*session.identity()).clone(),
        session: Some(Arc::clone(session)),
        format: Format::Json,
    };
    let first = channels.len() - asked.len();
    let wishes = asked.iter().enumerate().map(|(at, channel)| {
        let (epoch, offset) =
            place.position(first + at).map(|position| (position.epoch, position.offset)).unzip();
        SyncChannel { channel: channel.to_string(), epoch, offset }
    });
    let synced = door.hub.sync(&caller, Sync { channels: wishes.collect(), bytes: None }).await?;
    for (channel, outcome) in asked.iter().zip(synced.subscriptions) {
        connected.subscriptions.insert(channel.to_string(), outcome);
    }
    let begun = Begun::of(connected, &channels, place, asked.len())?;
    Ok(Beginning {
        expires_in: begun.expires_in,
        unfinished: begun.unfinished,
        text: begun.text,
        place: begun.place,
        link: Arc::default(),
        door: Arc::clone(door),
        attendance,
        channels,
    })
}

/// What is said first, and what is to be said behind it.
struct Begun {
    text: Vec<u8>,
    place: Place,
    unfinished: VecDeque<usize>,
    expires_in: Option<u64>,
}

impl Begun {
    /// `connected` with what was missed taken out: it follows as the events that it would have been.
    fn of(
        mut connected: Connected,
        channels: &[Channel],
        mut place: Place,
        asked: usize,
    ) -> Result<Self, ErrorBody> {
        let mut missed = Vec::new();
        let mut unfinished = VecDeque::new();
        let mut refusals = Vec::new();
        for (at, channel) in channels.iter().enumerate() {
            match connected.subscriptions.get_mut(&channel.to_string()) {
                Some(SubscribeOutcome::Subscribed(subscribed)) => {
                    let asked_for = place.position(at).map(|position| position.offset);
                    place.begin(at, &subscribed.epoch, start(subscribed, asked_for));
                    if std::mem::take(&mut subscribed.more) {
                        unfinished.push_back(at);
                    }
                    missed.push((at, std::mem::take(&mut subscribed.publications)));
                }
                Some(SubscribeOutcome::Refused(SubscribeRefused { error, channel })) => {
                    if error.code.leaves_outcome_unknown() {
                        return Err(error.clone());
                    }
                    *channel = None;
                    refusals.push(error.clone());
                }
                None => {}
            }
        }
        if asked > 0 && refusals.len() == asked {
            return Err(refusals.remove(0));
        }
        let mut text = Vec::new();
        text::retry(&mut text, rand::random_range(RETRY_MS));
        text::event_of(&mut text, "connected", &connected, Some(&place));
        for (at, items) in missed {
            stream::items(&mut text, (&channels[at], at), items, &mut place);
        }
        let left = |at: i64| u64::try_from(at - now_ms()).unwrap_or(0);
        Ok(Self { text, place, unfinished, expires_in: connected.expires_at.map(left) })
    }
}

/// Up to where the reader was told before what was missed.
fn start(subscribed: &Subscribed, asked_for: Option<u64>) -> u64 {
    match (subscribed.recovered, &subscribed.gap) {
        (Recovered::Ok, _) => asked_for.unwrap_or(subscribed.offset),
        (Recovered::Gap, Some(gap)) => gap.to,
        (Recovered::Gap, None) => {
            let first = subscribed.publications.first().map(LogItem::offset);
            first.map_or(subscribed.offset, |first| first.saturating_sub(1))
        }
        (Recovered::New | Recovered::Reset, _) => subscribed.offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(target: &str, fields: &[(&'static str, &str)]) -> Result<Wish, ErrorBody> {
        let mut request = axum::http::Request::get(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Wish::read(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_request_names_channels_a_token_and_a_place() {
        let read = wish("/v1/sse?channels=test:a,test%3Ab,,test:a", &[]).expect("reads");
        assert_eq!(read.channels.iter().map(ToString::to_string).collect::<Vec<_>>(), ["test:a", "test:b"]);
        assert_eq!((read.token, read.last_event_id), (None, None));
        let read = wish("/v1/sse?access_token=abc&last_event_id=old", &[("last-event-id", "new")]);
        let read = read.expect("reads");
        assert_eq!((read.token.as_deref(), read.last_event_id.as_deref()), (Some("abc"), Some("new")));
        let refused = wish("/v1/sse?channels=test:a,nope", &[]).expect_err("no channel");
        assert_eq!(refused.field.as_deref(), Some("channels.1"));
        let both = wish("/v1/sse?access_token=abc", &[("authorization", "Bearer abc")]);
        assert_eq!(both.expect_err("both").code, Code::BadRequest);
    }
}
