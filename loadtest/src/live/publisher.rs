//! A synthetic broadcaster: VP8 and Opus at their pace, repeats what is asked for again, and is deaf to key-frame requests
//! unless told otherwise, as OBS and FFmpeg are.

use crate::{
    api::{Api, StartedLive},
    media::{
        marker::Marker,
        picture::{Picture, Settings},
        rtcp,
        rtp::Header,
    },
    rtc::{Answer, Connection, Identity, Offer, PAYLOAD_AUDIO, PAYLOAD_RTX, PAYLOAD_VIDEO, Received, Role},
};
use anyhow::{Context, Result};
use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval},
};

/// Packets kept for those who ask again: two seconds of a rich stream.
const HISTORY: usize = 1_024;

/// From one packet of sound to the next.
const AUDIO_EVERY: Duration = Duration::from_millis(20);

/// Ticks of Opus's clock in a packet of sound.
const AUDIO_TICKS: u32 = 960;

/// Bytes of sound in a packet: 64 kbit/s.
const AUDIO_BYTES: usize = 160;

/// From one sender report to the next.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A connected broadcaster.
pub(super) struct Publisher {
    connection: Connection,
    picture: Picture,
    pace: Duration,
    ssrcs: [u32; 3],
    sequences: [u16; 3],
    audio_packets: u32,
    last_video: u32,
    history: VecDeque<(Header, Vec<u8>)>,
    epoch: Instant,
    /// Packets of video that were sent.
    sent: u64,
}

impl Publisher {
    pub(super) async fn connect(
        api: &Api,
        live: &StartedLive,
        identity: &Identity,
        settings: Settings,
        epoch: Instant,
    ) -> Result<Self> {
        let ssrcs: [u32; 3] = rand::random();
        let offer = Offer::new(Role::Publish { ssrcs }, identity.fingerprint());
        let accepted = api.whip(live, &offer.text).await.context("WHIP")?;
        let answer = Answer::parse(&accepted.answer)?;
        let connection = Connection::open(identity, &offer, &answer).await.context("the broadcaster")?;
        // Below 2^15: a receiver that misses an early wrap never decrypts again.
        let sequences: [u16; 3] = rand::random::<[u16; 3]>().map(|number| number >> 1);
        Ok(Self {
            connection,
            picture: Picture::new(settings),
            pace: Duration::from_secs(1) / settings.frames_per_second,
            ssrcs,
            sequences,
            audio_packets: 0,
            last_video: 0,
            history: VecDeque::with_capacity(HISTORY),
            epoch,
            sent: 0,
        })
    }

    /// Broadcasts until `ended` is told or dropped; how many packets of video it sent.
    pub(super) async fn run(mut self, mut ended: oneshot::Receiver<()>) -> Result<u64> {
        let (mut video, mut audio, mut report) =
            (interval(self.pace), interval(AUDIO_EVERY), interval(REPORT_EVERY));
        for ticks in [&mut video, &mut audio, &mut report] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        }
        loop {
            tokio::select! {
                _ = &mut ended => break,
                _ = video.tick() => self.send_frame()?,
                _ = audio.tick() => self.send_sound()?,
                _ = report.tick() => self.send_reports()?,
                ready = self.connection.readable() => {
                    ready?;
                    self.listen()?;
                }
            }
        }
        self.connection.close();
        Ok(self.sent)
    }

    fn send_frame(&mut self) -> Result<()> {
        let timestamp = self.picture.timestamp();
        let mut frame = self.picture.next_frame();
        // Each packet says when it left itself: how long this side takes for a frame is not the server's delay.
        while let Some((payload, is_last)) = frame.next_packet(self.epoch.elapsed()) {
            let header = Header {
                marker: is_last,
                payload_type: PAYLOAD_VIDEO,
                sequence: next(&mut self.sequences[1]),
                timestamp,
                ssrc: self.ssrcs[1],
            };
            self.connection.send_rtp(&packet(&header, &payload))?;
            self.sent += 1;
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back((header, payload));
        }
        self.last_video = timestamp;
        Ok(())
    }

    fn send_sound(&mut self) -> Result<()> {
        let marker =
            Marker { frame: self.audio_packets, part: 0, parts: 1, key: false, sent: self.epoch.elapsed() };
        let mut payload = vec![0x78; AUDIO_BYTES];
        marker.write(&mut payload, 0);
        let header = Header {
            marker: false,
            payload_type: PAYLOAD_AUDIO,
            sequence: next(&mut self.sequences[0]),
            timestamp: self.audio_packets.wrapping_mul(AUDIO_TICKS),
            ssrc: self.ssrcs[0],
        };
        self.audio_packets += 1;
        Ok(self.connection.send_rtp(&packet(&header, &payload))?)
    }

    fn send_reports(&mut self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let audio = self.audio_packets.wrapping_mul(AUDIO_TICKS);
        self.connection.send_rtcp(&rtcp::sender_report(self.ssrcs[0], now, audio))?;
        Ok(self.connection.send_rtcp(&rtcp::sender_report(self.ssrcs[1], now, self.last_video))?)
    }

    fn listen(&mut self) -> Result<()> {
        while let Some(received) = self.connection.receive()? {
            let Received::Rtcp(compound) = received else { continue };
            let (again, _) = rtcp::wishes(&compound);
            for sequence in again {
                let Some((header, payload)) =
                    self.history.iter().find(|(header, _)| header.sequence == sequence)
                else {
                    continue;
                };
                let mut repeat = sequence.to_be_bytes().to_vec();
                repeat.extend_from_slice(payload);
                let header = Header {
                    payload_type: PAYLOAD_RTX,
                    sequence: next(&mut self.sequences[2]),
                    ssrc: self.ssrcs[2],
                    ..*header
                };
                self.connection.send_rtp(&packet(&header, &repeat))?;
            }
        }
        Ok(())
    }
}

fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(12 + payload.len());
    header.write(&mut packet);
    packet.extend_from_slice(payload);
    packet
}

fn next(sequence: &mut u16) -> u16 {
    let now = *sequence;
    *sequence = now.wrapping_add(1);
    now
}
