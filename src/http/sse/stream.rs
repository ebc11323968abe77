//! The driver of one stream: moves what the hub has for a session into the body of an answer, by the rules of [`Session`].
//!
//! It is to a stream what `ws` is to a socket, without the half that reads: a sign of life that the peer's system took counts
//! as one of the peer, and what a client of a socket pages through, the driver pages through in its place.

use super::{
    place::Place,
    text::{self, Message},
};
use crate::{
    clock,
    http::{
        link::Link,
        ws::{Attendance, Door},
    },
    hub::{
        Caller, Closing, SessionHandle,
        session::{Due, Session},
    },
};
use bytes::Bytes;
use communiconnect_protocol::{
    Channel, CloseCode, Code, ErrorBody, Format, GapPush, GapRange, GapReason, History, HistoryPage, LogItem,
    PingPush, PublicationPush, SkipPush, TokenExpiringPush, encode_push, kind,
};
use futures_util::{FutureExt, future::BoxFuture};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, timeout},
};
use tokio_util::sync::PollSender;

/// Bytes of pushes that are gathered for one write, as for a socket.
const WRITE_BYTES: usize = 16 << 10;
/// The event that ends a stream.
const CLOSE: &str = "close";
/// How long the last event may take to be written.
const SAY: Duration = Duration::from_secs(1);

/// What a stream begins with.
pub(super) struct Beginning {
    /// The session, which ends with the stream.
    pub(super) attendance: Attendance,
    pub(super) door: Arc<Door>,
    /// The connection that carries the stream.
    pub(super) link: Arc<Link>,
    /// Everything that the stream may tell of, in the order of `place`.
    pub(super) channels: Vec<Channel>,
    pub(super) place: Place,
    /// Where in `channels` more was missed than `text` tells.
    pub(super) unfinished: VecDeque<usize>,
    /// What is said first.
    pub(super) text: Vec<u8>,
    /// For how many milliseconds the token lasts.
    pub(super) expires_in: Option<u64>,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody reads any more.
    Gone,
    /// Ended by us.
    Close(CloseCode),
}

type Page = BoxFuture<'static, Result<HistoryPage, ErrorBody>>;

struct Stream {
    handle: Arc<SessionHandle>,
    door: Arc<Door>,
    link: Arc<Link>,
    channels: Vec<Channel>,
    places: HashMap<String, usize>,
    place: Place,
    unfinished: VecDeque<usize>,
    page: Option<Page>,
    text: Vec<u8>,
    chunks: PollSender<Bytes>,
    session: Session,
    /// Bytes that the connection had taken when it was last looked at.
    taken: u64,
    started: Instant,
    timer: Pin<Box<Sleep>>,
    /// A close that was asked for, and when it is due.
    closing: Option<(Closing, u64)>,
}

/// The body of the event `close`.
#[derive(Serialize)]
struct Closed<'a> {
    code: u16,
    reason: &'a str,
}

/// Runs a stream until it ends. `chunks` go into the answer's body.
pub(super) async fn run(beginning: Beginning, chunks: mpsc::Sender<Bytes>) {
    let Beginning { attendance, door, link, channels, place, unfinished, text, expires_in } = beginning;
    let stopping = door.tasks.clone();
    let gone = chunks.clone();
    let mut stream = Stream {
        handle: Arc::clone(attendance.session()),
        session: session(&door, expires_in),
        places: channels.iter().enumerate().map(|(place, channel)| (channel.to_string(), place)).collect(),
        taken: link.written(),
        page: None,
        chunks: PollSender::new(chunks),
        started: Instant::now(),
        timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        closing: None,
        door,
        link,
        channels,
        place,
        unfinished,
        text,
    };
    // What was asked for has been answered by `text`: what came meanwhile follows it.
    stream.handle.begin();
    let ending = tokio::select! {
        ending = poll_fn(|context| stream.poll(context)) => ending,
        () = gone.closed() => Ending::Gone,
        () = stopping.stopping() => Ending::Close(CloseCode::Drain),
    };
    let words = match ending {
        Ending::Close(code) => attendance.session().last_words(code),
        Ending::Gone => None,
    };
    // As with a socket: the session leaves before the goodbyes.
    drop(attendance);
    if let Ending::Close(code) = ending {
        stream.say_goodbye(code, words.as_deref().unwrap_or(code.reason())).await;
    }
}

fn session(door: &Door, expires_in: Option<u64>) -> Session {
    let paces = door.hub.settings().paces();
    let mut session = Session::new(0, paces, rand::random_range(0..=paces.ping_ms / 10));
    session.connected(0, expires_in);
    session
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        loop {
            let now = self.now();
            let taken = self.link.written();
            if taken != self.taken {
                self.taken = taken;
                self.session.write_moved();
            }
            while let Some(due) = self.session.tick(now) {
                if let Due::Close(code) = due {
                    return Poll::Ready(Ending::Close(code));
                }
                self.attend(due, now);
            }
            if !self.text.is_empty() {
                match self.chunks.poll_reserve(context) {
                    Poll::Ready(Ok(())) => {
                        let text = std::mem::take(&mut self.text);
                        // Whoever took the place has gone: the next round says so.
                        let _ = self.chunks.send_item(text.into());
                        self.session.write_moved();
                        continue;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Ending::Gone),
                    Poll::Pending => self.session.write_blocked(now),
                }
            } else {
                match self.poll_page(context) {
                    Poll::Ready(Some(ending)) => return Poll::Ready(ending),
                    Poll::Ready(None) | Poll::Pending => {}
                }
                self.take(context);
                // A page that told nothing wakes nobody: the next is begun at once.
                let has_next = self.page.is_none() && !self.unfinished.is_empty();
                if !self.text.is_empty() || has_next {
                    continue;
                }
            }
            // Behind what waits, as far as the connection takes it: whoever is sent away was told where to.
            if let Some(code) = self.closing_now(now) {
                return Poll::Ready(Ending::Close(code));
            }
            if self.poll_timer(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn attend(&mut self, due: Due, now: u64) {
        match due {
            Due::Ping => {
                text::heartbeat(&mut self.text);
                // It cannot answer. A peer that is gone takes nothing, and the kernel notices.
                self.session.heard(now);
            }
            Due::Heads => self.handle.ping(|heads| {
                let push = PingPush { at: clock::now_ms(), heads: heads.into_iter().collect() };
                encode_push(Format::Json, kind::PING, &push)
            }),
            Due::TokenExpiring => {
                let expires_at = self.handle.identity().person().and_then(|person| person.expires_at);
                let push = TokenExpiringPush { expires_at: expires_at.unwrap_or(0) };
                self.handle.notice(encode_push(Format::Json, kind::TOKEN_EXPIRING, &push));
            }
            Due::CommandLate { .. } | Due::Close(_) => {}
        }
    }

    /// With which code the stream is to be closed now, if it is.
    fn closing_now(&mut self, now: u64) -> Option<CloseCode> {
        if let Some(closing) = self.handle.closing()
            && self.closing.is_none_or(|(known, _)| known != closing)
        {
            self.closing = Some((closing, now + closing.after_ms));
        }
        let (closing, at) = self.closing?;
        (now >= at).then_some(closing.code)
    }

    /// Goes on with what was missed, a page at a time, so that no more waits than one.
    fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<Option<Ending>> {
        let Some(&place) = self.unfinished.front() else { return Poll::Ready(None) };
        let page = match &mut self.page {
            Some(page) => page,
            None => {
                self.page.insert(page_of(&self.door, &self.handle, &self.channels[place], &self.place, place))
            }
        };
        let page = ready!(page.as_mut().poll(context));
        self.page = None;
        match page {
            Ok(page) => {
                let is_last = !page.more;
                let Self { text, channels, place: reader, .. } = self;
                if let Some(gap) = page.gap {
                    expired(text, (&channels[place], place), gap, reader);
                }
                items(text, (&channels[place], place), page.publications, reader);
                if is_last {
                    self.unfinished.pop_front();
                    self.handle.begin();
                }
            }
            Err(error) if error.code.leaves_outcome_unknown() => {
                return Poll::Ready(Some(Ending::Close(CloseCode::ServerError)));
            }
            // The right was lost meanwhile, and the reader is told so.
            Err(_) => drop(self.unfinished.pop_front()),
        }
        Poll::Ready(None)
    }

    /// Takes a write's worth out of the outbox.
    fn take(&mut self, context: &mut Context<'_>) {
        let Self { handle, text, places, place, .. } = self;
        let mut frames = 0;
        handle.take(context.waker(), WRITE_BYTES, |frame, _| {
            let Some(message) = Message::read(frame) else { return };
            let told =
                message.told.as_ref().and_then(|(channel, offset)| Some((*places.get(&**channel)?, *offset)));
            if let Some((at, offset)) = told {
                place.move_to(at, offset);
            }
            text::event(text, message.kind, message.body, told.is_some().then_some(&*place));
            frames += 1;
        });
        if frames > 0 {
            self.door.hub.traffic().count(frames);
        }
    }

    /// Arms the timer for what comes first; ready where that is now.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let closing = self.closing.map(|(_, at)| at);
        let Some(deadline) = self.session.deadline().into_iter().chain(closing).min() else {
            return Poll::Pending;
        };
        self.timer.as_mut().reset(self.started + Duration::from_millis(deadline));
        self.timer.as_mut().poll(context)
    }

    /// Says why the stream ends. A reader that takes nothing is cut off, so that its connection does not wait for it.
    async fn say_goodbye(mut self, code: CloseCode, reason: &str) {
        text::event_of(&mut self.text, CLOSE, &Closed { code: code.number(), reason }, None);
        let room = poll_fn(|context| self.chunks.poll_reserve(context));
        match timeout(SAY, room).await {
            Ok(Ok(())) if code != CloseCode::WriteTimeout => {
                let _ = self.chunks.send_item(self.text.into());
            }
            _ => self.link.cut(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn page_of(
    door: &Arc<Door>,
    handle: &Arc<SessionHandle>,
    channel: &Channel,
    reader: &Place,
    place: usize,
) -> Page {
    let (hub, session) = (Arc::clone(&door.hub), Arc::clone(handle));
    let after = reader.position(place).map(|position| position.offset);
    let command = History { channel: channel.to_string(), after, before: None, limit: None };
    let patience = Duration::from_millis(hub.settings().command_ms);
    async move {
        let identity = (*session.identity()).clone();
        let caller = Caller { identity, session: Some(session), format: Format::Json };
        let page = timeout(patience, hub.history(&caller, command)).await;
        page.unwrap_or_else(|_| Err(ErrorBody::new(Code::Unavailable, "the log did not answer in time")))
    }
    .boxed()
}

/// Adds what was missed of a channel.
pub(super) fn items(
    text: &mut Vec<u8>,
    (channel, at): (&Channel, usize),
    items: Vec<LogItem>,
    reader: &mut Place,
) {
    for item in items {
        reader.move_to(at, item.offset());
        match item {
            LogItem::Publication { offset, event, data, at } => {
                let push = PublicationPush { channel: channel.clone(), offset, event, data, at };
                text::event_of(text, kind::PUBLICATION, &push, Some(reader));
            }
            LogItem::Skip { offset, .. } => {
                let push = SkipPush { channel: channel.clone(), offset };
                text::event_of(text, kind::SKIP, &push, Some(reader));
            }
        }
    }
}

/// Adds that a part is no longer kept.
fn expired(text: &mut Vec<u8>, (channel, at): (&Channel, usize), gap: GapRange, reader: &mut Place) {
    reader.move_to(at, gap.to);
    let push = GapPush { channel: channel.clone(), from: gap.from, to: gap.to, reason: GapReason::Expired };
    text::event_of(text, kind::GAP, &push, Some(reader));
}
