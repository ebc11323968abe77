//! Sealing: what goes to the peer.

use super::{
    SrtpKeys,
    cipher::{Cipher, Packets, Place},
    header::{RTCP_FIXED, RtpHeader, rtcp_sender},
    index::guess,
};
use thiserror::Error;

/// Seals the packets that one peer is sent. One per association: two sealers of one key would repeat nonces.
pub struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    streams: Vec<Stream>,
    overhead: usize,
}

struct Stream {
    ssrc: u32,
    /// The highest RTP index sealed.
    highest: Option<u64>,
    /// The next SRTCP index, 31 bits.
    next_rtcp: u64,
}

/// Why a packet was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The bytes are no RTP or RTCP packet.
    #[error("not an RTP or RTCP packet")]
    Malformed,
    /// Less than [`SEAL_ROOM`](super::SEAL_ROOM) bytes are free behind the packet.
    #[error("no room for the tag behind the packet")]
    NoRoom,
    /// More streams than a peer is ever sent.
    #[error("more streams than a peer is sent")]
    TooManyStreams,
    /// 2^48 packets or 2^31 reports were sealed with this key: the peer must connect again.
    #[error("the key has sealed all it may")]
    Exhausted,
}

/// Streams that one peer is sent at most: sound, picture, both retransmitted, and feedback; with room to spare.
const STREAMS: usize = 16;

impl Sealer {
    /// Seals with the local key of `keys`.
    pub fn new(keys: &SrtpKeys) -> Self {
        Self {
            rtp: Cipher::new(keys.profile, &keys.local, Packets::Rtp),
            rtcp: Cipher::new(keys.profile, &keys.local, Packets::Rtcp),
            streams: Vec::new(),
            overhead: keys.profile.rtp_overhead(),
        }
    }

    /// Seals the RTP packet in `buffer[..len]`; answers its new length.
    ///
    /// The caller never lets two different packets have one SSRC and index: under GCM that gives the key away. Each
    /// stream begins below sequence number 2^15 and never goes back by 2^15 or more, so that the index is certain here.
    ///
    /// # Errors
    /// [`SealError`]; the buffer is unchanged then.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SealError> {
        let header = buffer.get(..len).and_then(RtpHeader::parse).ok_or(SealError::Malformed)?;
        if buffer.len() < len + self.overhead {
            return Err(SealError::NoRoom);
        }
        let stream = stream(&mut self.streams, header.ssrc)?;
        let index = match stream.highest {
            Some(highest) => guess(highest, header.sequence).ok_or(SealError::Exhausted)?,
            None => u64::from(header.sequence),
        };
        stream.highest = stream.highest.max(Some(index));
        Ok(self.rtp.seal(buffer, header.len, len, Place { ssrc: header.ssrc, index }))
    }

    /// Seals the compound RTCP packet in `buffer[..len]`; answers its new length.
    ///
    /// # Errors
    /// [`SealError`]; the buffer is unchanged then.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SealError> {
        let ssrc = buffer.get(..len).and_then(rtcp_sender).ok_or(SealError::Malformed)?;
        if buffer.len() < len + self.overhead + 4 {
            return Err(SealError::NoRoom);
        }
        let stream = stream(&mut self.streams, ssrc)?;
        if stream.next_rtcp >> 31 != 0 {
            return Err(SealError::Exhausted);
        }
        let index = stream.next_rtcp;
        stream.next_rtcp += 1;
        Ok(self.rtcp.seal(buffer, RTCP_FIXED, len, Place { ssrc, index }))
    }
}

fn stream(streams: &mut Vec<Stream>, ssrc: u32) -> Result<&mut Stream, SealError> {
    match streams.iter().position(|stream| stream.ssrc == ssrc) {
        Some(place) => Ok(&mut streams[place]),
        None if streams.len() < STREAMS => {
            streams.push(Stream { ssrc, highest: None, next_rtcp: 0 });
            Ok(streams.last_mut().expect("one was put in"))
        }
        None => Err(SealError::TooManyStreams),
    }
}
