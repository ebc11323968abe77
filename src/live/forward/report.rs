//! What the server says to a viewer about the streams it sends: sender reports, one CNAME, a last word (RFC 3550 6).
//!
//! Owns the layout of these messages, the server's NTP clock and the round trip that a viewer's answer reveals.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::viewer_rtcp::Reception;

/// Seconds between the NTP era (1900) and the Unix epoch.
const NTP_UNIX_OFFSET: u64 = 2_208_988_800;

/// Turns the monotonic clock of the packet path into NTP time. One anchor for a peer's whole life: a step of the wall
/// clock must not tear sound and picture apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    at: Instant,
    unix: Duration,
}

impl ServerClock {
    /// The clock that read `wall` at `at`.
    pub fn new(at: Instant, wall: SystemTime) -> Self {
        Self { at, unix: wall.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// NTP time as 32.32 fixed point (RFC 5905 6), wrapping with its era.
    pub fn ntp(&self, now: Instant) -> u64 {
        let unix = self.unix + now.saturating_duration_since(self.at);
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        unix.as_secs().wrapping_add(NTP_UNIX_OFFSET) << 32 | fraction
    }

    /// The round trip that a reception report reveals (RFC 3550 6.4.1); none before the first sender report arrived, or
    /// where the report claims the impossible.
    pub fn round_trip(&self, now: Instant, reception: &Reception) -> Option<Duration> {
        if reception.last_report == 0 {
            return None;
        }
        let middle = u32::try_from(self.ntp(now) >> 16 & 0xffff_ffff).expect("masked to 32 bits");
        let units = middle.wrapping_sub(reception.last_report).wrapping_sub(reception.since_last_report);
        let trip = Duration::from_micros(u64::from(units) * 1_000_000 / 65_536);
        // A negative result wraps to hours.
        (trip < Duration::from_secs(30)).then_some(trip)
    }
}

/// A sender report about one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// The stream.
    pub ssrc: u32,
    /// NTP time of the report.
    pub ntp: u64,
    /// What the stream's RTP clock shows at that time.
    pub timestamp: u32,
    /// Packets sent, wrapping.
    pub packets: u32,
    /// Payload bytes sent, wrapping.
    pub octets: u32,
}

/// Longest CNAME in bytes (RFC 3550 6.5).
const MAX_CNAME: usize = 255;

/// Appends one compound packet: the reports, then one CNAME for each of their streams. Appends nothing without reports.
pub fn write_reports(reports: &[SenderReport], cname: &str, out: &mut Vec<u8>) {
    if reports.is_empty() {
        return;
    }
    for report in reports {
        header(0, 200, 6, out);
        out.extend(report.ssrc.to_be_bytes());
        out.extend(report.ntp.to_be_bytes());
        out.extend(report.timestamp.to_be_bytes());
        out.extend(report.packets.to_be_bytes());
        out.extend(report.octets.to_be_bytes());
    }
    let cname = &cname.as_bytes()[..cname.len().min(MAX_CNAME)];
    // SSRC, item type, item length, text, at least one zero, padded to a word.
    let chunk = (4 + 2 + cname.len() + 1).next_multiple_of(4);
    header(reports.len(), 202, chunk / 4 * reports.len(), out);
    for report in reports {
        let end = out.len() + chunk;
        out.extend(report.ssrc.to_be_bytes());
        out.extend([1, u8::try_from(cname.len()).expect("cut to 255 bytes")]);
        out.extend(cname);
        out.resize(end, 0);
    }
}

/// Appends the last word about these streams (RFC 3550 6.6), to follow reports in the same compound packet.
pub fn write_bye(streams: &[u32], out: &mut Vec<u8>) {
    header(streams.len(), 203, streams.len(), out);
    for ssrc in streams {
        out.extend(ssrc.to_be_bytes());
    }
}

/// Appends an RTCP header; `words` counts what follows it.
fn header(count: usize, kind: u8, words: usize, out: &mut Vec<u8>) {
    let count = u8::try_from(count).expect("a viewer has at most two kinds of media");
    let words = u16::try_from(words).expect("reports and names are short");
    out.extend([0x80 | count, kind]);
    out.extend(words.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use rtc_rtcp::goodbye::Goodbye;
    use rtc_rtcp::source_description::SourceDescription;

    use super::*;

    fn clock(at: Instant) -> ServerClock {
        ServerClock::new(at, UNIX_EPOCH + Duration::from_millis(1_700_000_000_500))
    }

    #[test]
    fn another_implementation_reads_the_reports_and_the_one_name() {
        for cname in ["", "a", "ab", "abc", &"x".repeat(300)] {
            let report =
                |ssrc| SenderReport { ssrc, ntp: 1 << 40 | 5, timestamp: 9_000, packets: 3, octets: 4_000 };
            let mut out = Vec::new();
            write_reports(&[report(7), report(8)], cname, &mut out);
            write_bye(&[7, 8], &mut out);

            let parts = rtc_rtcp::packet::unmarshal(&mut bytes::Bytes::from(out)).unwrap();
            assert_eq!(parts.len(), 4, "{cname:?}");
            let second = parts[1].as_any().downcast_ref::<rtc_rtcp::sender_report::SenderReport>().unwrap();
            assert_eq!((second.ssrc, second.ntp_time, second.rtp_time), (8, 1 << 40 | 5, 9_000));
            assert_eq!((second.packet_count, second.octet_count), (3, 4_000));
            let names = parts[2].as_any().downcast_ref::<SourceDescription>().unwrap();
            assert_eq!(names.chunks.len(), 2);
            for chunk in &names.chunks {
                assert_eq!(chunk.items[0].text.as_ref(), &cname.as_bytes()[..cname.len().min(MAX_CNAME)]);
            }
            let bye = parts[3].as_any().downcast_ref::<Goodbye>().unwrap();
            assert_eq!(bye.sources, [7, 8]);
        }
    }

    #[test]
    fn ntp_time_follows_the_monotonic_clock() {
        let start = Instant::now();
        let clock = clock(start);
        assert_eq!(clock.ntp(start) >> 32, 1_700_000_000 + NTP_UNIX_OFFSET);
        assert_eq!(clock.ntp(start) & 0xffff_ffff, 1 << 31);
        assert_eq!(clock.ntp(start + Duration::from_millis(500)), clock.ntp(start) + (1 << 31));
    }

    #[test]
    fn the_round_trip_is_what_the_viewer_did_not_spend_itself() {
        let start = Instant::now();
        let clock = clock(start);
        let sent = u32::try_from(clock.ntp(start) >> 16 & 0xffff_ffff).unwrap();
        let reception = |last_report, since_last_report| Reception {
            ssrc: 7,
            fraction_lost: 0,
            lost: 0,
            highest: 0,
            jitter: 0,
            last_report,
            since_last_report,
        };
        let now = start + Duration::from_millis(150);
        let trip = clock.round_trip(now, &reception(sent, 65_536 / 10)).unwrap();
        assert!(trip.abs_diff(Duration::from_millis(50)) < Duration::from_millis(1), "{trip:?}");
        assert_eq!(clock.round_trip(now, &reception(0, 0)), None, "no report reached it yet");
        assert_eq!(
            clock.round_trip(now, &reception(sent, 65_536)),
            None,
            "it waited longer than time has passed"
        );
    }
}
