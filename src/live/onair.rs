//! One live while it runs: a task that owns its life, its audience and its chat, and carries their effects out.
//!
//! Everything that happens to a live comes by its mailbox, one at a time; so states are noted, told and closed in one
//! order. What it decides is decided in the pure cores (`machine`, `audience`, `chat`); here is only who does it.

mod cuts;
mod figures;
mod peers;

use super::{
    audience::{Audience, Person, Tie},
    chat::{Bursts, ChatPace, Exempt, Wait},
    cockpit::{Second, Series},
    machine::{Effect, Event, Life, Stop},
    plane::{MediaEvent, PeerFigures, PublisherFigures, Relay},
    registry::{PeerEntry, PeerOwner},
    report::{self, UploadTotals},
    service::Parts,
    settings::{LEASE, RENEW_EVERY, REPORT_EVERY},
};
use crate::{
    broker::Broadcast,
    clock::now_ms,
    publication::Signal,
    store::{
        StoreError,
        lives::{Lease, LiveChange, LiveEnd, LivePulse},
    },
};
use communiconnect_protocol::{
    Channel, Code, Data, ErrorBody, Live, LiveId, LiveReason, LiveReport, LiveState, PeerId, PostId,
    ReactionKind, RtcCloseReason, SessionId, UserId, Viewers, event,
};
use cuts::Cuts;
use peers::Viewer;
pub(super) use peers::refused;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that wait for one live; who asks waits for room.
const MAILBOX: usize = 1_024;

/// Figures, pulses and samples.
const SECOND: Duration = Duration::from_secs(1);

/// An offer, and from where it came.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The SDP.
    pub sdp: String,
    /// The client's address, for the bound on half-open peers.
    pub client: IpAddr,
}

/// A peer that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The peer.
    pub peer: Arc<PeerEntry>,
    /// The answer, with all candidates.
    pub sdp: String,
}

/// Who wishes to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watcher {
    pub(super) person: Person,
    pub(super) owner: PeerOwner,
    /// The session that asked, which ends the watching by leaving.
    pub(super) session: Option<SessionId>,
    /// When it asked, which is before its right to was judged: joining is timed from there.
    pub(super) asked: Instant,
}

/// The reply to a wish.
type Answer<T> = oneshot::Sender<Result<T, ErrorBody>>;

/// What is asked of a live.
pub(super) enum Ask {
    Publish(Offered, PeerOwner, Answer<Answered>),
    Watch(Offered, Watcher, Answer<Answered>),
    /// A session watches, as it asked then.
    Join(Person, SessionId, Instant, Answer<()>),
    Leave(SessionId, Answer<bool>),
    Stop(Stop, Answer<LiveReport>),
    Report(Answer<LiveReport>),
    Write(UserId, String, Exempt, Answer<()>),
    Written(UserId),
    Slow(Duration),
    /// A reaction; answers whether it was counted, which it is not of somebody whose right nobody here knows.
    Tap(UserId, ReactionKind, Right, Answer<bool>),
    /// Who watches, guests left out.
    People(Answer<Vec<UserId>>),
    /// This person may no longer watch.
    Cut(UserId, RtcCloseReason),
    /// This peer is to be closed by its owner, with good-bye.
    Close(PeerId, Answer<bool>),
    SessionEnded(SessionId),
    /// Its post is gone, and the store has ended it.
    Removed,
    Media(Arc<PeerEntry>, MediaEvent),
    Figures(Vec<(Arc<PeerEntry>, PeerFigures)>),
}

/// How it is known that somebody may react.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// The store was asked a moment ago.
    Judged,
    /// By watching, if they do: who watches was let in, and is [cut](Ask::Cut) off when the right ends.
    ByWatching,
}

/// What everybody who watches may know at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// Whether media comes in.
    pub(super) is_active: bool,
    /// How many watch.
    pub(super) viewers: u64,
}

/// A running live's mailbox.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) id: LiveId,
    pub(super) post: PostId,
    pub(super) owner: UserId,
    /// The latest of what is to be seen.
    pub(super) sight: watch::Receiver<Sight>,
    asks: mpsc::Sender<Ask>,
}

impl Handle {
    /// Asks, and waits for the answer; a live that has ended meanwhile is a `conflict`.
    pub(super) async fn ask<T>(&self, make: impl FnOnce(Answer<T>) -> Ask) -> Result<T, ErrorBody> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(make(answer)).await.map_err(|_| over())?;
        answered.await.map_err(|_| over())?
    }

    /// Tells, and waits for room alone.
    pub(super) async fn tell(&self, ask: Ask) {
        // A live that has ended has nobody left to tell.
        let _ = self.asks.send(ask).await;
    }
}

/// The live that its task owns.
pub(super) struct OnAir {
    id: LiveId,
    parts: Arc<Parts>,
    relay: Arc<Relay>,
    life: Life,
    audience: Audience,
    chat: ChatPace,
    bursts: Bursts,
    viewers: HashMap<PeerId, Viewer>,
    cuts: Cuts,
    sight: watch::Sender<Sight>,
    upload: PublisherFigures,
    /// Whose media comes, and since when without a break.
    flows_since: Option<(PeerId, Instant)>,
    totals: UploadTotals,
    series: Series,
    interruptions: u64,
    /// Messages and reactions of this second.
    this_second: (u64, u64),
    next_second: Instant,
    pulse: Pulse,
    /// A state that the store could not note yet.
    unnoted: Option<(LiveState, Option<LiveReason>)>,
}

/// What the store was last told.
struct Pulse {
    viewers: Viewers,
    renew_at: Instant,
    report_at: Instant,
}

/// Whether a live goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    On,
    Over,
}

impl OnAir {
    /// Starts the task of a live that was just begun.
    pub(super) fn start(begun: &Live, parts: &Arc<Parts>) -> Handle {
        let (id, post, owner) = (begun.id, begun.post_id, begun.owner.id);
        let now = Instant::now();
        let (asks, mailbox) = mpsc::channel(MAILBOX);
        let (show, sight) = watch::channel(Sight::default());
        let settings = &parts.settings;
        let live = Self {
            id,
            parts: parts.clone(),
            relay: parts.plane.new_source(),
            life: Life::new(settings.patience, now),
            audience: Audience::new(owner, settings.audience),
            chat: ChatPace::new(settings.rates),
            bursts: Bursts::new(settings.rates),
            viewers: HashMap::new(),
            cuts: Cuts::default(),
            sight: show,
            upload: PublisherFigures::default(),
            flows_since: None,
            totals: UploadTotals::default(),
            series: Series::default(),
            interruptions: 0,
            this_second: (0, 0),
            next_second: now + SECOND,
            pulse: Pulse {
                viewers: Viewers::default(),
                renew_at: now + RENEW_EVERY,
                report_at: now + REPORT_EVERY,
            },
            unnoted: None,
        };
        parts.tasks.spawn(live.run(mailbox));
        Handle { id, post, owner, sight, asks }
    }

    async fn run(mut self, mut mailbox: mpsc::Receiver<Ask>) {
        let stop = self.parts.tasks.clone();
        loop {
            let wake = tokio::time::Instant::from_std(self.wake_at());
            let course = tokio::select! {
                ask = mailbox.recv() => match ask {
                    Some(ask) => self.take(ask).await,
                    None => Course::Over,
                },
                () = tokio::time::sleep_until(wake) => self.tick().await,
                () = stop.stopping() => self.happens(Event::Stop(Stop::Drain)).await,
            };
            if course == Course::Over {
                break;
            }
        }
        self.parts.registry.forget_live(self.id);
        // Who has asked meanwhile hears that it is over.
        mailbox.close();
    }

    fn wake_at(&self) -> Instant {
        let life = self.life.deadline().unwrap_or(self.next_second);
        let burst = self.bursts.deadline().unwrap_or(self.next_second);
        self.next_second.min(life).min(burst)
    }

    async fn take(&mut self, ask: Ask) -> Course {
        let now = Instant::now();
        match ask {
            Ask::Publish(offered, owner, answer) => return self.publish(offered, owner, answer).await,
            Ask::Watch(offered, who, answer) => drop(answer.send(self.watch(offered, who))),
            Ask::Join(person, session, asked, answer) => {
                drop(answer.send(self.join(person, session, asked)));
            }
            Ask::Leave(session, answer) => drop(answer.send(Ok(self.leave(session, now)))),
            Ask::Stop(by, answer) => {
                let course = self.happens(Event::Stop(by)).await;
                let report = self.parts.stores.lives.report(self.id).await;
                let report = report.and_then(|report| report.ok_or(StoreError::NotFound("live")));
                drop(answer.send(report.map_err(ErrorBody::from)));
                return course;
            }
            Ask::Report(answer) => drop(answer.send(Ok(self.report(now)))),
            Ask::Write(user, op, exempt, answer) => {
                let paced = self.chat.write(user, &op, exempt, now);
                drop(answer.send(paced.map_err(|wait| too_soon(wait, "messages"))));
            }
            Ask::Written(user) => {
                self.chat.written(user);
                self.this_second.0 += 1;
            }
            Ask::Slow(pause) => self.chat.set_slow(pause),
            Ask::Tap(user, kind, right, answer) => drop(answer.send(self.tap(user, kind, right, now))),
            Ask::People(answer) => drop(answer.send(Ok(self.audience.users().collect()))),
            Ask::Cut(user, reason) => self.cut(user, reason, now),
            Ask::Close(peer, answer) => {
                let (course, closed) = self.close_by_owner(peer).await;
                drop(answer.send(Ok(closed)));
                return course;
            }
            Ask::SessionEnded(session) => drop(self.audience.leave(Tie::Session(session), now)),
            Ask::Removed => {
                self.close_all(RtcCloseReason::Stopped);
                return Course::Over;
            }
            Ask::Media(peer, event) => return self.media(&peer, event).await,
            Ask::Figures(figures) => self.figures(figures, now),
        }
        Course::On
    }

    fn tap(
        &mut self,
        user: UserId,
        kind: ReactionKind,
        right: Right,
        now: Instant,
    ) -> Result<bool, ErrorBody> {
        if right == Right::ByWatching && !self.audience.knows(user) {
            return Ok(false);
        }
        let tapped = self.bursts.tap(user, kind, now);
        self.this_second.1 += u64::from(tapped.is_ok());
        tapped.map(|()| true).map_err(|wait| too_soon(wait, "reactions"))
    }

    /// Something happens in the life of the stream: what it brings is carried out before anything else happens.
    async fn happens(&mut self, event: Event) -> Course {
        let now = Instant::now();
        let (life, effects) = self.life.on(event, now);
        self.life = life;
        self.show();
        let mut course = Course::On;
        for effect in effects {
            match effect {
                Effect::Note(state, reason) => {
                    if state == LiveState::Live {
                        self.audience.begin(now);
                        // What is left of a live that is lost right after its beginning shall not be empty.
                        self.pulse.report_at = now;
                    }
                    self.interruptions += u64::from(state == LiveState::Interrupted);
                    if self.note(state, reason).await == Course::Over {
                        course = Course::Over;
                    }
                }
                Effect::ClosePublisher(peer, reason) => self.close_peer(peer, reason),
                Effect::End { reason, viewers, encoder_left } => {
                    let (report, at) = (self.report(now), now_ms());
                    let end = LiveEnd { id: self.id, reason, report, encoder_left, seen: None, at };
                    self.end(end).await;
                    self.close_viewers(viewers);
                    course = Course::Over;
                }
            }
        }
        course
    }

    async fn note(&mut self, state: LiveState, reason: Option<LiveReason>) -> Course {
        self.unnoted = None;
        let change = LiveChange { id: self.id, state, reason, lease: self.lease(), at: now_ms() };
        match self.parts.stores.lives.change(change).await {
            Ok(()) => Course::On,
            Err(StoreError::NotFound(_)) => {
                // Its post was deleted, or another node has ended it: the store has told so already.
                self.close_all(RtcCloseReason::Ended);
                Course::Over
            }
            Err(error) => {
                tracing::warn!(live = %self.id, %error, "a live's state could not be noted; trying on");
                self.unnoted = Some((state, reason));
                Course::On
            }
        }
    }

    async fn end(&self, end: LiveEnd) {
        for attempt in 1..=END_ATTEMPTS {
            match self.parts.stores.lives.end(end.clone()).await {
                Ok(_) | Err(StoreError::NotFound(_)) => return,
                Err(error) => {
                    tracing::warn!(live = %self.id, attempt, %error, "a live's end could not be stored");
                    tokio::time::sleep(END_PAUSE).await;
                }
            }
        }
        // Its lease runs out, and whoever sees that ends it with the last report.
        tracing::error!(live = %self.id, "a live's end was not stored; its lease will end it");
    }

    async fn tick(&mut self) -> Course {
        let now = Instant::now();
        if let Some(burst) = self.bursts.take(now) {
            let signal = Signal {
                channel: Channel::Live(self.id),
                event: event::LIVE_REACTIONS.into(),
                data: Data::of(&burst),
            };
            self.parts.broadcast(Broadcast::Signal(signal)).await;
        }
        let mut course = Course::On;
        if self.life.deadline().is_some_and(|due| due <= now) {
            course = self.happens(Event::Tick).await;
        }
        if course == Course::On && self.next_second <= now {
            self.next_second = now + SECOND;
            course = self.second(now).await;
        }
        course
    }

    /// Shows to those who follow what is to be seen now.
    fn show(&self) {
        let is_active = self.life.state() == LiveState::Live;
        let now = Sight { is_active, viewers: self.audience.current() };
        self.sight.send_if_modified(|sight| std::mem::replace(sight, now) != now);
    }

    async fn second(&mut self, now: Instant) -> Course {
        self.audience.advance(now);
        self.show();
        let (messages, reactions) = std::mem::take(&mut self.this_second);
        let loss = self.sample_upload(now);
        self.series.push(Second {
            viewers: self.audience.current(),
            bitrate: self.upload.bitrate,
            loss,
            messages,
            reactions,
        });
        let figures = self.told_figures(now);
        self.parts.broadcast(Broadcast::State(figures)).await;
        if let Some((state, reason)) = self.unnoted
            && self.note(state, reason).await == Course::Over
        {
            return Course::Over;
        }
        self.send_pulse(now).await
    }

    async fn send_pulse(&mut self, now: Instant) -> Course {
        let viewers = self.audience.viewers();
        // A peak is noted with the report that knows of it, so that what is left after a crash does not contradict itself.
        let rises = viewers.peak > self.pulse.viewers.peak;
        let (renews, reports) = (now >= self.pulse.renew_at, rises || now >= self.pulse.report_at);
        if viewers == self.pulse.viewers && !renews && !reports {
            return Course::On;
        }
        let report = reports.then(|| self.report(now));
        let pulse = LivePulse { id: self.id, viewers, report };
        match self.parts.stores.lives.pulse(self.lease(), vec![pulse]).await {
            Ok(gone) if gone.is_empty() => {
                self.pulse.viewers = viewers;
                self.pulse.renew_at = now + RENEW_EVERY;
                if reports {
                    self.pulse.report_at = now + REPORT_EVERY;
                }
                Course::On
            }
            Ok(_) => {
                self.close_all(RtcCloseReason::Ended);
                Course::Over
            }
            Err(error) => {
                tracing::warn!(live = %self.id, %error, "a live's lease could not be renewed");
                self.parts.leases.unanswered();
                Course::On
            }
        }
    }

    fn report(&mut self, now: Instant) -> LiveReport {
        self.audience.advance(now);
        let lasted = self.life.started().map_or(Duration::ZERO, |started| now - started);
        report::report(report::Parts {
            audience: &self.audience,
            chat: &self.chat,
            bursts: &self.bursts,
            upload: &self.totals,
            interruptions: self.interruptions,
            duration_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn lease(&self) -> Lease {
        let until = now_ms() + i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        Lease { node: self.parts.settings.node.clone(), until }
    }
}

/// Tries to store an end before its lease has to do it.
const END_ATTEMPTS: u32 = 3;
/// Between two of them.
const END_PAUSE: Duration = Duration::from_millis(200);

fn over() -> ErrorBody {
    ErrorBody::new(Code::Conflict, "this live has ended")
}

pub(super) fn full() -> ErrorBody {
    let message = "this live has as many viewers as this node serves: try again later";
    ErrorBody::new(Code::Unavailable, message).retry_after(FULL_RETRY_MS)
}

/// Milliseconds after which somebody may have left.
pub(super) const FULL_RETRY_MS: u64 = 5_000;

fn too_soon(wait: Wait, what: &str) -> ErrorBody {
    let ms = u64::try_from(wait.0.as_millis()).unwrap_or(u64::MAX).max(1);
    ErrorBody::new(Code::RateLimited, format!("too many {what}: wait")).retry_after(ms)
}
