//! What a publisher says about what it sends, and what the server says back: RTCP (RFC 3550 §6) as bytes.
//!
//! Owns the formats alone, most of them by `rtc-rtcp`. Each part of a compound is read on its own: one that is unknown or broken
//! takes nothing else with it.

use rtc_rtcp::extended_report::{DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock};
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc_shared::marshal::{Marshal, Unmarshal};

/// One thing a publisher said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A sender report: at NTP time `ntp` (32.32 fixed point) the stream's clock showed `timestamp`.
    SenderReport {
        /// The stream.
        ssrc: u32,
        /// NTP time.
        ntp: u64,
        /// RTP timestamp.
        timestamp: u32,
    },
    /// An answer to a receiver's reference time (RFC 3611 §4.5), from which the round trip follows.
    Echo {
        /// Whose reference time.
        ssrc: u32,
        /// The middle 32 bits of that time.
        reference: u32,
        /// How long it was held, in 1/65,536 s.
        held: u32,
    },
    /// Streams that end (RFC 3550 §6.6).
    Bye(Vec<u32>),
}

/// Why bytes are not RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the datagram does not begin with a complete RTCP packet")]
pub struct NotRtcp;

/// Reads a compound packet, or a lone message (RFC 5506). What is unknown is passed over.
///
/// # Errors
///
/// [`NotRtcp`] if not even the first part is whole.
pub fn read(compound: &[u8]) -> Result<Vec<Said>, NotRtcp> {
    let mut said = Vec::new();
    let mut rest = compound;
    while let Some((part, kind, after)) = split_part(rest) {
        read_part(part, kind, &mut said);
        rest = after;
    }
    if rest.len() == compound.len() { Err(NotRtcp) } else { Ok(said) }
}

fn split_part(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let header = bytes.first_chunk::<4>().filter(|header| header[0] >> 6 == 2)?;
    let length = (usize::from(u16::from_be_bytes([header[2], header[3]])) + 1) * 4;
    let (part, after) = bytes.split_at_checked(length)?;
    Some((part, header[1], after))
}

fn read_part(mut part: &[u8], kind: u8, said: &mut Vec<Said>) {
    match kind {
        SENDER_REPORT => {
            // Only the fixed part matters: report blocks are about what the server does not send.
            if let Some(body) = part.get(4..20) {
                let number =
                    |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
                let ntp = u64::from(number(4)) << 32 | u64::from(number(8));
                said.push(Said::SenderReport { ssrc: number(0), ntp, timestamp: number(12) });
            }
        }
        GOODBYE => said.extend(Goodbye::unmarshal(&mut part).ok().map(|bye| Said::Bye(bye.sources))),
        EXTENDED_REPORT => {
            let Ok(report) = ExtendedReport::unmarshal(&mut part) else { return };
            let blocks =
                report.reports.iter().filter_map(|block| block.as_any().downcast_ref::<DLRRReportBlock>());
            said.extend(blocks.flat_map(|block| &block.reports).map(|echo| Said::Echo {
                ssrc: echo.ssrc,
                reference: echo.last_rr,
                held: echo.dlrr,
            }));
        }
        _ => {}
    }
}

/// Appends messages of the server to one compound packet.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    ssrc: u32,
}

/// Bytes of a compound: with its SRTCP tag and the headers below it, within the smallest datagram that every way carries whole.
pub const MOST_COMPOUND: usize = 1_180;

impl<'a> Writer<'a> {
    /// Begins a compound from `ssrc` with its reports (at most 31) and its name, as every compound must (RFC 3550 §6.1).
    pub fn begin(out: &'a mut Vec<u8>, ssrc: u32, reports: Vec<ReceptionReport>) -> Self {
        let mut writer = Self { begin: out.len(), out, ssrc };
        writer.append(&ReceiverReport { ssrc, reports, ..ReceiverReport::default() });
        let name =
            SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: format!("{ssrc:08x}").into() };
        let chunk = SourceDescriptionChunk { source: ssrc, items: vec![name] };
        writer.append(&SourceDescription { chunks: vec![chunk] });
        writer
    }

    /// Whether another message of `bytes` fits the compound.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.out.len() - self.begin + bytes <= MOST_COMPOUND
    }

    /// The server's reference time, for the publisher to echo.
    pub fn reference_time(&mut self, ntp: u64) {
        let block = ReceiverReferenceTimeReportBlock { ntp_timestamp: ntp };
        self.append(&ExtendedReport { sender_ssrc: self.ssrc, reports: vec![Box::new(block)] });
    }

    /// Asks for packets again.
    pub fn nack(&mut self, media_ssrc: u32, pairs: &[(u16, u16)]) {
        let nacks =
            pairs.iter().map(|&(packet_id, lost_packets)| NackPair { packet_id, lost_packets }).collect();
        self.append(&TransportLayerNack { sender_ssrc: self.ssrc, media_ssrc, nacks });
    }

    /// Asks for a key frame by a picture loss indication (RFC 4585 §6.3.1).
    pub fn picture_loss(&mut self, media_ssrc: u32) {
        self.append(&PictureLossIndication { sender_ssrc: self.ssrc, media_ssrc });
    }

    /// Asks for a key frame by a full intra request (RFC 5104 §4.3.1); `sequence` counts requests.
    pub fn full_intra(&mut self, media_ssrc: u32, sequence: u8) {
        let fir = vec![FirEntry { ssrc: media_ssrc, sequence_number: sequence }];
        self.append(&FullIntraRequest { sender_ssrc: self.ssrc, media_ssrc: 0, fir });
    }

    /// Tells how many bits a second the server would take over these streams.
    pub fn estimate(&mut self, bits_per_second: u64, ssrcs: Vec<u32>) {
        let bitrate = bits_per_second as f32;
        self.append(&ReceiverEstimatedMaximumBitrate { sender_ssrc: self.ssrc, bitrate, ssrcs });
    }

    /// The compound, for what is written elsewhere.
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    fn append(&mut self, message: &impl Marshal) {
        let at = self.out.len();
        self.out.resize(at + message.marshal_size(), 0);
        let written = message.marshal_to(&mut self.out[at..]);
        debug_assert!(written.is_ok(), "messages are made within their format: {written:?}");
        self.out.truncate(at + written.unwrap_or(0));
    }
}

const SENDER_REPORT: u8 = 200;
const GOODBYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;

#[cfg(test)]
mod tests {
    use rtc_rtcp::extended_report::DLRRReport;
    use rtc_rtcp::sender_report::SenderReport;

    use super::*;

    #[test]
    fn what_a_publisher_says_is_read_part_by_part() {
        let report =
            SenderReport { ssrc: 5, ntp_time: 0x0102_0304_0506_0708, rtp_time: 9, ..SenderReport::default() };
        let echo = DLRRReportBlock { reports: vec![DLRRReport { ssrc: 3, last_rr: 4, dlrr: 6 }] };
        let echo = ExtendedReport { sender_ssrc: 5, reports: vec![Box::new(echo)] };
        let bye = Goodbye { sources: vec![5, 6], ..Goodbye::default() };
        let unknown = [0x80, 199, 0, 0];
        let broken = [0x9f, 203, 0, 0];
        let mut compound = report.marshal().unwrap().to_vec();
        compound.extend(unknown);
        compound.extend(broken);
        compound.extend(echo.marshal().unwrap());
        compound.extend(bye.marshal().unwrap());
        let said = [
            Said::SenderReport { ssrc: 5, ntp: 0x0102_0304_0506_0708, timestamp: 9 },
            Said::Echo { ssrc: 3, reference: 4, held: 6 },
            Said::Bye(vec![5, 6]),
        ];
        assert_eq!(read(&compound).unwrap(), said);
        compound.extend([0x80, 200, 0, 6, 1]);
        assert_eq!(read(&compound).unwrap(), said, "a last part that is cut is left out");
        assert_eq!(read(&[0x80, 200, 0, 6]), Err(NotRtcp));
        assert_eq!(read(&[]), Err(NotRtcp));
    }

    #[test]
    fn a_compound_begins_with_reports_and_a_name_and_every_part_can_be_read_back() {
        let mut out = Vec::new();
        let mut writer = Writer::begin(
            &mut out,
            0xabcd,
            vec![ReceptionReport { ssrc: 7, jitter: 3, ..Default::default() }],
        );
        writer.reference_time(0x1111_2222_3333_4444);
        writer.nack(7, &[(9, 0b101)]);
        writer.picture_loss(7);
        writer.full_intra(8, 200);
        writer.estimate(1_500_000, vec![7, 8]);
        let parts = rtc_rtcp::packet::unmarshal(&mut &out[..]).unwrap();
        assert_eq!(parts.len(), 7);
        assert_eq!(parts[0].as_any().downcast_ref::<ReceiverReport>().unwrap().reports[0].jitter, 3);
        let name = parts[1].as_any().downcast_ref::<SourceDescription>().unwrap();
        assert_eq!(name.chunks[0].items[0].text, "0000abcd");
        let nack = parts[3].as_any().downcast_ref::<TransportLayerNack>().unwrap();
        assert_eq!(nack.nacks[0].packet_list(), [9, 10, 12]);
        assert_eq!(parts[4].as_any().downcast_ref::<PictureLossIndication>().unwrap().media_ssrc, 7);
        assert_eq!(parts[5].as_any().downcast_ref::<FullIntraRequest>().unwrap().fir[0].sequence_number, 200);
        let estimate = parts[6].as_any().downcast_ref::<ReceiverEstimatedMaximumBitrate>().unwrap();
        assert!((estimate.bitrate - 1_500_000.0).abs() < 20.0, "{}", estimate.bitrate);
    }
}
