//! One reader at work: its socket is opened, read, left or cut as the run says, and opened again.

use super::{
    dial,
    frames::{self, Frame, Frames},
    room::{Order, Room, Wish},
    session::{Moment, Session},
};
use crate::clock::now_us;
use anyhow::{Context, Result};
use rand::Rng;
use std::{io::ErrorKind, rc::Rc, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch, time::Instant};

/// How a reader behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It reads all the time.
    #[default]
    Steady,
    /// It stops reading while the run says so; its kernel buffer is this small, so that the server notices.
    Stalls(u32),
    /// It comes and goes: stays and is away for up to this long.
    ComesAndGoes(Duration),
}

/// Tries to open a connection before a reader gives up, and how long it waits between them.
const TRIES: u32 = 20;
/// Up to so long, as `protocol/SPEC.md` asks of clients (section 15).
const WAIT: Duration = Duration::from_millis(1_000);

/// How long opening one may take: in a storm it waits for all the others.
const OPENING: Duration = Duration::from_secs(30);

/// Why a connection ended.
enum End {
    /// Everything has come, or the run is over.
    Done,
    /// The run has cut it: back at once.
    Cut,
    /// The reader has gone for so long.
    Gone(Duration),
    /// Nobody asked for it.
    Closed(String, Option<Duration>),
}

/// A reader and what it needs.
pub(super) struct Seat {
    pub(super) number: usize,
    pub(super) wish: Wish,
    pub(super) session: Session,
    pub(super) room: Rc<Room>,
    pub(super) orders: watch::Receiver<Order>,
    /// Since when it has wished to be there, and whether for the first time; over all tries, until it has what it came for.
    pub(super) wished: Option<(u64, bool)>,
    /// Whether it has told that everything has come.
    pub(super) is_whole: bool,
}

impl Seat {
    /// Sits until the run is over; what is missing then is told in the tally.
    pub(super) async fn sit(mut self) {
        let mut failures = 0;
        while !self.is_done() {
            let pause = match self.connection().await {
                Ok(End::Done) => break,
                Ok(End::Cut) => Duration::ZERO,
                Ok(End::Gone(away)) => away,
                Ok(End::Closed(reason, after)) => {
                    let mut tally = self.room.tally.borrow_mut();
                    tally.voices[self.session.voice()].closed += 1;
                    self.room.status.trouble(|| format!("socket {}: {reason}", self.number));
                    after.unwrap_or_else(|| WAIT.mul_f64(rand::rng().random()))
                }
                Err(error) => {
                    failures += 1;
                    self.room.tally.borrow_mut().voices[self.session.voice()].failed += 1;
                    self.room.status.trouble(|| format!("socket {}: {error:#}", self.number));
                    if failures == TRIES {
                        let text = format!("socket {}: {error:#}", self.number);
                        self.room.tally.borrow_mut().findings.wrong("not_connected", text);
                        break;
                    }
                    WAIT.mul_f64(rand::rng().random())
                }
            };
            self.wait(pause).await;
        }
        // Nobody waits for whoever has given up, either.
        self.whole();
        let order = self.orders.borrow().clone();
        if let Some(heads) = order.heads {
            self.session.end(&heads, &order.versions, &mut self.room.tally.borrow_mut());
        }
    }

    /// Whether there is nothing to come back for.
    fn is_done(&self) -> bool {
        self.orders.borrow().is_over || self.has_everything()
    }

    fn has_everything(&self) -> bool {
        self.orders.borrow().heads.as_ref().is_some_and(|heads| self.session.is_whole(heads))
    }

    /// Tells once that everything has come.
    fn whole(&mut self) {
        if !std::mem::replace(&mut self.is_whole, true) {
            self.room.status.whole();
        }
    }

    /// Waits, but not beyond the end of the run.
    async fn wait(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.orders.borrow().is_over {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                changed = self.orders.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn connection(&mut self) -> Result<End> {
        let room = Rc::clone(&self.room);
        let is_first = !self.session.has_come();
        self.wished.get_or_insert((now_us(), is_first));
        let permit = if is_first { Some(room.opening.acquire().await?) } else { None };
        let receive = if let Manner::Stalls(bytes) = self.wish.manner { Some(bytes) } else { None };
        let opening = dial::open(self.wish.server, self.number, receive, !room.is_bare);
        let mut stream = tokio::time::timeout(OPENING, opening).await.context("opening a socket")??;
        if !room.is_bare {
            let mut out = Vec::new();
            self.session.begin(&mut room.tally.borrow_mut(), &mut out);
            stream.write_all(&out).await?;
        }
        let cuts = self.orders.borrow_and_update().cuts;
        let mut line = Line { stream, frames: Frames::default(), permit, out: Vec::new() };
        let stays = if let Manner::ComesAndGoes(longest) = self.wish.manner { Some(longest) } else { None };
        let mut leaves = None;
        loop {
            if self.settled(&mut line) {
                room.status.settled();
            }
            if self.has_everything() {
                // It stays, so that what comes once more is seen.
                self.whole();
            }
            if self.orders.borrow().is_over {
                break;
            }
            let order = self.orders.borrow().clone();
            if order.cuts != cuts && stays.is_none() {
                drop(line);
                return Ok(self.unsettle(End::Cut));
            }
            let stalls = order.is_paused && matches!(self.wish.manner, Manner::Stalls(_));
            self.session.count_under(self.wish.voice + order.part);
            // Whoever comes and goes stays once the end is near, to be given all of it.
            leaves = match stays {
                Some(longest) if order.may_go && order.heads.is_none() => {
                    leaves.or_else(|| Some(Instant::now() + longest.mul_f64(rand::rng().random())))
                }
                _ => None,
            };
            tokio::select! {
                changed = self.orders.changed() => if changed.is_err() { break },
                ready = line.stream.readable(), if !stalls => {
                    if let Err(error) = ready {
                        return Ok(self.unsettle(self.closed(error.to_string())));
                    }
                    if let Some(closed) = self.read(&mut line) {
                        return Ok(self.unsettle(closed));
                    }
                    if let Err(error) = line.stream.write_all(&line.out).await {
                        return Ok(self.unsettle(self.closed(error.to_string())));
                    }
                    line.out.clear();
                }
                () = at(leaves) => {
                    self.wished = None;
                    let away = stays.unwrap_or_default().mul_f64(rand::rng().random());
                    // Half of those who go say so, as in life.
                    if rand::rng().random() {
                        self.goodbye(&mut line).await;
                    }
                    return Ok(self.unsettle(End::Gone(away)));
                }
            }
        }
        if !room.is_bare {
            self.goodbye(&mut line).await;
        }
        Ok(self.unsettle(End::Done))
    }

    /// Whether this is the moment in which the reader has all that it came for.
    fn settled(&mut self, line: &mut Line<'_>) -> bool {
        if !self.session.is_settled() {
            return false;
        }
        let Some((began, is_first)) = self.wished.take() else { return false };
        line.permit = None;
        let voice = &mut self.room.tally.borrow_mut().voices[self.session.voice()];
        let spread = if is_first { &mut voice.came } else { &mut voice.back };
        spread.saturating_record(now_us().saturating_sub(began));
        self.room.is_settled[self.number].set(true);
        true
    }

    fn unsettle(&self, end: End) -> End {
        if self.room.is_settled[self.number].replace(false) {
            self.room.status.unsettled();
        }
        end
    }

    async fn goodbye(&self, line: &mut Line<'_>) {
        frames::close(&mut line.out);
        // Who is gone anyway needs no goodbye.
        let _ = line.stream.write_all(&line.out).await;
    }

    /// Reads what is there; answers the end of the connection, where this is it.
    fn read(&mut self, line: &mut Line<'_>) -> Option<End> {
        let mut buffer = self.room.buffer.borrow_mut();
        let count = match line.stream.try_read(&mut buffer) {
            Ok(0) => return Some(self.closed("the connection ended".into())),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => return Some(self.closed(error.to_string())),
        };
        let (now, mut tally) = (now_us(), self.room.tally.borrow_mut());
        let Line { frames, out, .. } = line;
        let (session, mut broken, mut code) = (&mut self.session, None, None);
        let pushed = tally.pushed();
        let read = frames.read(&buffer[..count], |frame| match frame {
            Frame::Text(message) if broken.is_none() => {
                let mut moment = Moment { now, tally: &mut tally, out };
                broken = session.message(message, &mut moment).err();
            }
            Frame::Ping(payload) => frames::pong(payload, out),
            Frame::Close(said) => code = Some(said),
            Frame::Text(_) | Frame::Other => {}
        });
        self.room.status.pushed(tally.pushed() - pushed);
        let reason = match (read, broken, code) {
            (Err(error), ..) => {
                tally.findings.wrong("malformed", format!("socket {}: {error}", self.number));
                error.to_string()
            }
            (_, Some(error), _) => {
                tally.findings.wrong(error.kind(), format!("socket {}: {error}", self.number));
                error.to_string()
            }
            (.., Some(code)) => format!("closed with {code}"),
            _ => return None,
        };
        drop(tally);
        Some(self.closed(reason))
    }

    fn closed(&self, reason: String) -> End {
        End::Closed(reason, self.session.goodbye())
    }
}

/// A connection, and what is on its way through it.
struct Line<'a> {
    stream: TcpStream,
    frames: Frames,
    /// Kept until the reader has what it came for, so that not too many come at a time.
    permit: Option<tokio::sync::SemaphorePermit<'a>>,
    out: Vec<u8>,
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
