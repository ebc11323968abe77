//! What a broadcaster looks at while on air: figures of each second, and the health of the upload in one sentence.
//!
//! Pure: figures and the time are passed in. Keeps a second's points for a quarter of an hour and ten seconds' points for
//! the longest live.

use communiconnect_protocol::UploadLevel;
use std::{collections::VecDeque, time::Duration};

/// Figures of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// People who watch.
    pub viewers: u64,
    /// Bits per second from the publisher.
    pub bitrate: u64,
    /// Packets lost on the way from the publisher, in per cent.
    pub loss: f64,
    /// Chat messages of this second.
    pub messages: u64,
    /// Reactions of this second.
    pub reactions: u64,
}

/// Points of a second each: 15 minutes.
const SECONDS: usize = 15 * 60;
/// Seconds in a coarse point.
const COARSE: u32 = 10;
/// Coarse points: 12 hours.
const COARSE_POINTS: usize = 12 * 60 * 60 / COARSE as usize;

/// The figures of a live over time, at most some 250 KB however long it runs.
#[derive(Debug, Default)]
pub struct Series {
    seconds: VecDeque<Second>,
    coarse: VecDeque<Second>,
    gathered: Gathered,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gathered {
    seconds: u32,
    viewers: u64,
    bitrate: u64,
    loss: f64,
    messages: u64,
    reactions: u64,
}

impl Series {
    /// One more second has passed.
    pub fn push(&mut self, second: Second) {
        push_bounded(&mut self.seconds, second, SECONDS);
        let gathered = &mut self.gathered;
        gathered.seconds += 1;
        gathered.viewers += second.viewers;
        gathered.bitrate += second.bitrate;
        gathered.loss += second.loss;
        gathered.messages += second.messages;
        gathered.reactions += second.reactions;
        if gathered.seconds == COARSE {
            let point = std::mem::take(gathered).point();
            push_bounded(&mut self.coarse, point, COARSE_POINTS);
        }
    }

    /// The last quarter of an hour, a point each second, oldest first.
    pub fn seconds(&self) -> impl ExactSizeIterator<Item = &Second> {
        self.seconds.iter()
    }

    /// The last twelve hours, a point each ten seconds, oldest first: means of figures, sums of messages and reactions.
    pub fn coarse(&self) -> impl ExactSizeIterator<Item = &Second> {
        self.coarse.iter()
    }

    /// Messages and reactions of the last minute.
    pub fn last_minute(&self) -> (u64, u64) {
        let minute = self.seconds.iter().rev().take(60);
        minute.fold((0, 0), |(messages, reactions), second| {
            (messages + second.messages, reactions + second.reactions)
        })
    }
}

impl Gathered {
    fn point(self) -> Second {
        let seconds = u64::from(self.seconds);
        Second {
            viewers: self.viewers / seconds,
            bitrate: self.bitrate / seconds,
            loss: self.loss / f64::from(self.seconds),
            messages: self.messages,
            reactions: self.reactions,
        }
    }
}

fn push_bounded(points: &mut VecDeque<Second>, point: Second, bound: usize) {
    if points.len() == bound {
        points.pop_front();
    }
    points.push_back(point);
}

/// What is known of an upload in one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Upload {
    /// Bits per second.
    pub bitrate: u64,
    /// Packets lost, in per cent.
    pub loss: f64,
    /// How unevenly packets arrive, in milliseconds.
    pub jitter_ms: u64,
    /// Round trip to the publisher in milliseconds, where known.
    pub rtt_ms: Option<u64>,
    /// Frames per second; none where there is no picture.
    pub fps: Option<u32>,
    /// Whether its pictures refer to later ones, which browsers cannot show.
    pub has_b_frames: bool,
    /// Whether media comes at all.
    pub is_flowing: bool,
    /// For how long it has come from this device without a break.
    pub flows_for: Duration,
}

/// Loss in per cent from which on viewers may notice, and from which on they do.
const LOSS: (f64, f64) = (1.0, 5.0);
/// Jitter in milliseconds, likewise.
const JITTER_MS: (u64, u64) = (40, 120);
/// Round trips in milliseconds from which on a lost packet is repeated too late for many.
const RTT_MS: u64 = 400;
/// Frames per second below which movement stutters.
const FPS: u32 = 12;
/// Bits per second below which a picture is hardly one.
const BITRATE: u64 = 100_000;

/// So long after its beginning how much an upload brings says nothing of it: encoders of browsers begin low and take some five
/// seconds to find out what the way carries, longer on a busy machine. What is lost or late says so at once.
const SETTLING: Duration = Duration::from_secs(8);

/// How good an upload is, and one sentence with the cause and what to do: the worst that is true of it.
pub fn health(upload: &Upload) -> (UploadLevel, String) {
    let Upload { bitrate, loss, jitter_ms, rtt_ms, fps, has_b_frames, is_flowing, flows_for } = *upload;
    if !is_flowing {
        let text = "Nothing arrives from you: check your connection and that your encoder is running.";
        return (UploadLevel::Bad, text.into());
    }
    if has_b_frames {
        let text = "Your encoder sends B-frames, which browsers cannot show: turn them off (bf=0, or tune zerolatency).";
        return (UploadLevel::Bad, text.into());
    }
    if loss >= LOSS.0 {
        let level = if loss >= LOSS.1 { UploadLevel::Bad } else { UploadLevel::Fair };
        let remedy = "move closer to the router or lower the bitrate";
        return (level, format!("Your upload loses {loss:.0} % of packets: {remedy}."));
    }
    if jitter_ms >= JITTER_MS.0 {
        let level = if jitter_ms >= JITTER_MS.1 { UploadLevel::Bad } else { UploadLevel::Fair };
        let remedy = "pause other uploads or use a cable";
        return (level, format!("Your packets arrive unevenly, up to {jitter_ms} ms apart: {remedy}."));
    }
    let is_settled = flows_for >= SETTLING;
    if let Some(fps) = fps.filter(|fps| is_settled && *fps < FPS) {
        let remedy = "close other programs or choose a smaller picture";
        return (UploadLevel::Fair, format!("You send only {fps} pictures a second: {remedy}."));
    }
    if is_settled && fps.is_some() && bitrate < BITRATE {
        let kbit = bitrate / 1_000;
        let remedy = "raise the bitrate or check your connection";
        return (
            UploadLevel::Fair,
            format!("You send only {kbit} kbit/s, too little for a clear picture: {remedy}."),
        );
    }
    if let Some(rtt_ms) = rtt_ms.filter(|rtt| *rtt >= RTT_MS) {
        let remedy = "a nearer network or a cable helps lost packets come in time";
        return (UploadLevel::Fair, format!("The way to the server and back takes {rtt_ms} ms: {remedy}."));
    }
    (UploadLevel::Good, "Your upload arrives as it should.".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Upload = Upload {
        bitrate: 1_500_000,
        loss: 0.2,
        jitter_ms: 5,
        rtt_ms: Some(30),
        fps: Some(30),
        has_b_frames: false,
        is_flowing: true,
        flows_for: Duration::from_secs(60),
    };

    #[test]
    fn the_worst_that_is_true_is_said_with_a_remedy() {
        for (upload, level, words) in [
            (FINE, UploadLevel::Good, "as it should"),
            (Upload { loss: 6.2, ..FINE }, UploadLevel::Bad, "loses 6 % of packets: move closer"),
            (Upload { loss: 1.4, jitter_ms: 200, ..FINE }, UploadLevel::Fair, "loses 1 %"),
            (Upload { jitter_ms: 60, ..FINE }, UploadLevel::Fair, "60 ms apart"),
            (Upload { jitter_ms: 150, ..FINE }, UploadLevel::Bad, "use a cable"),
            (Upload { fps: Some(5), ..FINE }, UploadLevel::Fair, "5 pictures a second"),
            (Upload { bitrate: 60_000, ..FINE }, UploadLevel::Fair, "60 kbit/s"),
            (Upload { rtt_ms: Some(700), ..FINE }, UploadLevel::Fair, "700 ms"),
            (Upload { has_b_frames: true, loss: 9.0, ..FINE }, UploadLevel::Bad, "B-frames"),
            (Upload { is_flowing: false, ..FINE }, UploadLevel::Bad, "Nothing arrives"),
        ] {
            let (told, text) = health(&upload);
            assert_eq!(told, level, "{text}");
            assert!(text.contains(words) && text.ends_with('.'), "{text}");
        }
        let voice = Upload { bitrate: 32_000, fps: None, ..FINE };
        assert_eq!(health(&voice).0, UploadLevel::Good, "a voice needs no more");
    }

    #[test]
    fn an_upload_that_has_just_begun_is_judged_by_what_is_lost_and_not_by_how_much_comes() {
        let at = |seconds| Upload { flows_for: Duration::from_secs(seconds), ..FINE };
        for seconds in 0..8 {
            for little in [Upload { bitrate: 40_000, ..at(seconds) }, Upload { fps: Some(3), ..at(seconds) }]
            {
                assert_eq!(health(&little).0, UploadLevel::Good, "after {seconds} s");
            }
            assert_eq!(health(&Upload { loss: 6.0, ..at(seconds) }).0, UploadLevel::Bad);
            assert_eq!(health(&Upload { jitter_ms: 60, ..at(seconds) }).0, UploadLevel::Fair);
        }
        assert!(health(&Upload { bitrate: 40_000, ..at(8) }).1.contains("40 kbit/s"));
        assert!(health(&Upload { fps: Some(3), ..at(8) }).1.contains("3 pictures"));
    }

    #[test]
    fn a_day_of_seconds_takes_no_more_room_than_twelve_hours() {
        let mut series = Series::default();
        for second in 0..24 * 3_600 {
            series.push(Second { viewers: second, messages: 1, reactions: 2, ..Second::default() });
        }
        assert_eq!((series.seconds().len(), series.coarse().len()), (900, 4_320));
        assert_eq!(series.last_minute(), (60, 120));
        let last = series.coarse().last().expect("points");
        assert_eq!((last.viewers, last.messages, last.reactions), (86_394, 10, 20));
    }
}
