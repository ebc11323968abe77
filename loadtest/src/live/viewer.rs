//! One viewer: connects by WHEP, opens and checks every packet, reports what it misses.

use crate::{
    api::Api,
    media::{
        inspect::{Counts, Inspector, Moments, Way},
        marker::Marker,
        rtcp::{self, Reception},
        rtp::Header,
    },
    rtc::{Answer, Connection, Identity, Offer, PAYLOAD_AUDIO, Received, Role},
    spread::histogram,
};
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use rand::Rng;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::{interval, sleep_until};

/// From one receiver report to the next.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How often holes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What a loopback answer to a request for a packet takes at most, with a busy server in between.
const ROUND_TRIP: Duration = Duration::from_millis(60);

/// The picture counts as settled so long after its first key frame.
const SETTLED: Duration = Duration::from_secs(1);

/// How a viewer behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    /// Reads all.
    Good,
    /// Loses this share of the packets and asks for them again.
    Lossy(f64),
    /// Stops reading once the picture has come.
    Stalled,
}

/// What a viewer has to tell.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) manner: Manner,
    pub(super) asked: Duration,
    pub(super) answered: Duration,
    pub(super) connected: Duration,
    pub(super) counts: Counts,
    pub(super) moments: Moments,
    /// Since a frame was sent, from a second after the first key frame on, in microseconds.
    pub(super) delays: Histogram<u32>,
    pub(super) sounds: u64,
    pub(super) altered_sounds: u64,
    pub(super) broken: u64,
}

/// Where and when a viewer watches.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) api: Api,
    pub(super) live_id: String,
    pub(super) identity: Identity,
    pub(super) epoch: Instant,
    /// The same moment by the wall clock, which the kernel's time stamps have.
    pub(super) began: SystemTime,
    pub(super) until: Instant,
}

impl Seat {
    /// Watches to the end.
    pub(super) async fn watch(self, manner: Manner) -> Result<Watched> {
        let until = self.until;
        let (watched, connection) = self.take(manner).await?.run(until).await?;
        connection.close();
        Ok(watched)
    }

    /// Watches for so long once connected, and leaves as a page does: the session is ended.
    pub(super) async fn watch_for(self, stay: Duration, manner: Manner) -> Result<Watched> {
        let api = self.api.clone();
        let viewing = self.take(manner).await?;
        let session = viewing.session.clone();
        let (watched, _connection) = viewing.run(Instant::now() + stay).await?;
        api.delete(&session).await.context("leaving")?;
        Ok(watched)
    }

    async fn take(self, manner: Manner) -> Result<Viewing> {
        let asked = self.epoch.elapsed();
        let offer = Offer::new(Role::Watch, self.identity.fingerprint());
        let accepted = self.api.whep(&self.live_id, &offer.text).await.context("WHEP")?;
        let answered = self.epoch.elapsed();
        let answer = Answer::parse(&accepted.answer)?;
        let connection = Connection::open(&self.identity, &offer, &answer).await.context("a viewer")?;
        let watched = Watched {
            manner,
            asked,
            answered,
            connected: self.epoch.elapsed(),
            counts: Counts::default(),
            moments: Moments::default(),
            delays: histogram(),
            sounds: 0,
            altered_sounds: 0,
            broken: 0,
        };
        let (media, rtx) = answer.video_ssrcs.context("the answer announces no video")?;
        Ok(Viewing {
            connection,
            session: accepted.session,
            inspector: Inspector::default(),
            watched,
            media,
            rtx,
            epoch: self.epoch,
            began: self.began,
            before: Counts::default(),
        })
    }
}

struct Viewing {
    connection: Connection,
    session: reqwest::Url,
    inspector: Inspector,
    watched: Watched,
    media: u32,
    rtx: Option<u32>,
    epoch: Instant,
    began: SystemTime,
    /// As of the last report.
    before: Counts,
}

impl Viewing {
    async fn run(mut self, until: Instant) -> Result<(Watched, Connection)> {
        let (mut report, mut look) = (interval(REPORT_EVERY), interval(LOOK_EVERY));
        while Instant::now() < until {
            if self.watched.manner == Manner::Stalled && self.inspector.moments().key_frame.is_some() {
                // The socket stays open and unread; only the process's end takes it away.
                sleep_until(until.into()).await;
                break;
            }
            tokio::select! {
                ready = self.connection.readable() => {
                    ready?;
                    self.read()?;
                }
                _ = look.tick() => self.ask_again()?,
                _ = report.tick() => self.report()?,
            }
        }
        self.watched.broken = self.connection.broken;
        (self.watched.counts, self.watched.moments) = self.inspector.close();
        Ok((self.watched, self.connection))
    }

    fn read(&mut self) -> Result<()> {
        while let Some(received) = self.connection.receive()? {
            let Received::Rtp(packet, arrived) = received else { continue };
            if let Manner::Lossy(share) = self.watched.manner
                && rand::rng().random_bool(share)
            {
                continue;
            }
            let Some((mut header, mut payload)) = Header::read(&packet) else { continue };
            if header.payload_type == PAYLOAD_AUDIO {
                self.watched.sounds += 1;
                self.watched.altered_sounds += u64::from(Marker::read(payload, 0).is_none());
                continue;
            }
            let way = match header.ssrc {
                ssrc if ssrc == self.media => Way::First,
                ssrc if Some(ssrc) == self.rtx => Way::Retransmission,
                _ => continue,
            };
            if way == Way::Retransmission {
                // RFC 4588 §4: the first two bytes are the number of the packet that is repeated.
                let Some((original, rest)) = payload.split_first_chunk::<2>() else { continue };
                (header.sequence, payload) = (u16::from_be_bytes(*original), rest);
            }
            let now = arrived.duration_since(self.began).unwrap_or_default();
            let whole = self.inspector.packet(way, &header, payload, now);
            let is_settled = self.inspector.moments().key_frame.is_some_and(|first| now > first + SETTLED);
            if let Some(whole) = whole.filter(|_| is_settled) {
                self.watched.delays.saturating_record(whole.delay.as_micros() as u64);
            }
        }
        Ok(())
    }

    fn ask_again(&mut self) -> Result<()> {
        let missing = self.inspector.missing(self.epoch.elapsed(), ROUND_TRIP);
        if missing.is_empty() {
            return Ok(());
        }
        Ok(self.connection.send_rtcp(&rtcp::nack(1, self.media, &missing))?)
    }

    fn report(&mut self) -> Result<()> {
        let counts = self.inspector.counts();
        let lost = counts.lost - self.before.lost;
        let expected = counts.packets - self.before.packets + lost;
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
        self.before = counts;
        let report = Reception {
            reporter: 1,
            ssrc: self.media,
            fraction_lost: fraction as u8,
            lost: counts.lost as u32,
            highest: self.inspector.highest(),
        };
        Ok(self.connection.send_rtcp(&report.encode())?)
    }
}
