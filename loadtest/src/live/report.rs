//! What a run has shown, for people and for programs.

use super::{
    comings::Comings,
    scenario::Options,
    viewer::{Manner, Watched},
};
use crate::{
    media::inspect::Counts,
    process::Reading,
    spread::{Spread, histogram},
};
use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{fmt, time::Duration};

/// What the server's process used between the last viewer's coming and the end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Server {
    /// Microseconds of CPU for each packet that reached a viewer, sockets included; the rate is the mean of the run.
    pub cpu_us_per_packet: f64,
    /// CPU time as a share of one core.
    pub cores: f64,
    /// Resident bytes that each viewer added.
    pub bytes_per_viewer: f64,
    /// Resident bytes at the end.
    pub resident: u64,
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub struct Report {
    options: Options,
    comings: Option<Comings>,
    failures: Vec<String>,
    viewers: usize,
    sent: u64,
    good: Counts,
    others: Counts,
    delivered: u64,
    sounds: u64,
    altered_sounds: u64,
    broken: u64,
    without_picture: usize,
    answer: Histogram<u32>,
    connect: Histogram<u32>,
    key_frame: Histogram<u32>,
    key_frame_after_connect: Histogram<u32>,
    live: Histogram<u32>,
    delay: Histogram<u32>,
    server: Option<Server>,
}

impl Report {
    pub(super) fn new(options: Options, comings: Option<Comings>) -> Self {
        Self {
            options,
            comings,
            failures: Vec::new(),
            viewers: 0,
            sent: 0,
            good: Counts::default(),
            others: Counts::default(),
            delivered: 0,
            sounds: 0,
            altered_sounds: 0,
            broken: 0,
            without_picture: 0,
            answer: histogram(),
            connect: histogram(),
            key_frame: histogram(),
            key_frame_after_connect: histogram(),
            live: histogram(),
            delay: histogram(),
            server: None,
        }
    }

    pub(super) fn add(&mut self, watched: Result<Watched>) {
        let watched = match watched {
            Ok(watched) => watched,
            Err(error) => return self.failures.push(format!("{error:#}")),
        };
        self.viewers += 1;
        self.delivered += watched.counts.packets + watched.sounds;
        self.sounds += watched.sounds;
        self.altered_sounds += watched.altered_sounds;
        self.broken += watched.broken;
        record(&mut self.answer, watched.answered - watched.asked);
        record(&mut self.connect, watched.connected - watched.answered);
        match watched.moments.key_frame {
            Some(at) => {
                record(&mut self.key_frame, at.saturating_sub(watched.asked));
                record(&mut self.key_frame_after_connect, at.saturating_sub(watched.connected));
            }
            None => self.without_picture += 1,
        }
        if let (Some(first), Some(live)) = (watched.moments.key_frame, watched.moments.live) {
            record(&mut self.live, live.saturating_sub(first));
        }
        if watched.manner == Manner::Good {
            add(&mut self.good, &watched.counts);
            self.delay.add(&watched.delays).expect("the same digits");
        } else {
            add(&mut self.others, &watched.counts);
        }
    }

    pub(super) fn sent(&mut self, packets: u64) {
        self.sent += packets;
    }

    pub(super) fn server(&mut self, idle: Reading, before: Reading, after: Reading, window: Duration) {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        let whole = Duration::from_secs(self.options.seconds).as_secs_f64();
        let run = whole + self.options.viewers as f64 / f64::from(self.options.ramp.max(1)) / 2.0;
        // Viewers came evenly, so on average each watched half of the coming and all of the rest.
        let packets = self.delivered as f64 * window.as_secs_f64() / run;
        self.server = Some(Server {
            cpu_us_per_packet: if packets > 0.0 { cpu * 1e6 / packets } else { 0.0 },
            cores: cpu / window.as_secs_f64().max(0.001),
            bytes_per_viewer: after.resident.saturating_sub(idle.resident) as f64
                / self.viewers.max(1) as f64,
            resident: after.resident,
        });
    }

    /// Whether every good viewer got everything as it was sent.
    pub fn is_clean(&self) -> bool {
        let Counts { lost, repeated, altered, broken_frames, .. } = self.good;
        self.failures.is_empty()
            && self.comings.as_ref().is_none_or(Comings::is_clean)
            && self.without_picture == 0
            && lost + repeated + altered + broken_frames == 0
            && self.others.altered + self.altered_sounds + self.broken == 0
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Value {
        let counts = |counts: &Counts| {
            serde_json::json!({
                "packets": counts.packets, "lost": counts.lost, "repeated": counts.repeated, "spare": counts.spare,
                "reordered": counts.reordered, "altered": counts.altered,
                "frames": counts.frames, "broken_frames": counts.broken_frames,
                "spared_frames": counts.spared_frames,
            })
        };
        serde_json::json!({
            "scenario": "live", "viewers": self.viewers, "failed": self.failures.len(),
            "without_picture": self.without_picture, "bitrate": self.options.bitrate,
            "key_interval_s": self.options.key_interval, "seconds": self.options.seconds,
            "sent_packets": self.sent, "good": counts(&self.good), "lossy_and_stalled": counts(&self.others),
            "sounds": self.sounds, "altered_sounds": self.altered_sounds, "not_opened": self.broken,
            "answer_ms": Spread::of(&self.answer), "connect_ms": Spread::of(&self.connect),
            "key_frame_ms": Spread::of(&self.key_frame),
            "key_frame_after_connect_ms": Spread::of(&self.key_frame_after_connect),
            "live_edge_ms": Spread::of(&self.live), "delay_ms": Spread::of(&self.delay),
            "comings": self.comings, "server": self.server, "clean": self.is_clean(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { bitrate, key_interval, .. } = &self.options;
        writeln!(out, "{} viewers of {bitrate} bit/s with a key frame each {key_interval} s", self.viewers)?;
        writeln!(out, "  WHEP answered          {}", Spread::of(&self.answer))?;
        writeln!(out, "  answer to connected    {}", Spread::of(&self.connect))?;
        writeln!(out, "  request to key frame   {}", Spread::of(&self.key_frame))?;
        writeln!(out, "  connected to key frame {}", Spread::of(&self.key_frame_after_connect))?;
        writeln!(out, "  key frame to live edge {}", Spread::of(&self.live))?;
        writeln!(out, "  delay, settled         {}", Spread::of(&self.delay))?;
        let Counts { packets, lost, repeated, spare, reordered, altered, frames, .. } = self.good;
        let Counts { broken_frames, spared_frames, .. } = self.good;
        writeln!(
            out,
            "  sent {} packets of video; good viewers got {packets} in {frames} frames",
            self.sent
        )?;
        writeln!(
            out,
            "  lost {lost}, repeated {repeated} (and {spare} spare retransmissions), reordered {reordered}, altered {altered}, \
             broken frames {broken_frames}; {spared_frames} frames spared to newcomers by a newer key frame"
        )?;
        let Counts { packets, lost, reordered, altered, frames, broken_frames, .. } = self.others;
        if self.options.lossy + self.options.stalled > 0 {
            writeln!(
                out,
                "  lossy and stalled ones: {packets} packets, {lost} never came, {reordered} on request, {altered} altered, \
                 {frames} frames, {broken_frames} broken"
            )?;
        }
        writeln!(
            out,
            "  sound: {} packets, {} altered; not opened: {}",
            self.sounds, self.altered_sounds, self.broken
        )?;
        if let Some(server) = &self.server {
            writeln!(
                out,
                "  server: {:.2} us of CPU a packet, {:.2} cores, {:.1} KiB a viewer, {:.1} MiB resident",
                server.cpu_us_per_packet,
                server.cores,
                server.bytes_per_viewer / 1_024.0,
                server.resident as f64 / 1_048_576.0
            )?;
        }
        if let Some(comings) = &self.comings {
            writeln!(out, "{comings}")?;
        }
        if self.without_picture > 0 {
            writeln!(out, "  {} viewers never had a picture", self.without_picture)?;
        }
        for failure in self.failures.iter().take(5) {
            writeln!(out, "  failed: {failure}")?;
        }
        write!(out, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}

fn record(histogram: &mut Histogram<u32>, time: Duration) {
    histogram.saturating_record(time.as_micros() as u64);
}

fn add(sum: &mut Counts, counts: &Counts) {
    sum.packets += counts.packets;
    sum.lost += counts.lost;
    sum.repeated += counts.repeated;
    sum.spare += counts.spare;
    sum.reordered += counts.reordered;
    sum.altered += counts.altered;
    sum.frames += counts.frames;
    sum.broken_frames += counts.broken_frames;
    sum.spared_frames += counts.spared_frames;
}
