//! Opening: what comes from the peer.

use super::{
    Profile, SrtpKeys,
    cipher::{Cipher, Forged, Packets, Place, RTCP_INDEX},
    header::{RTCP_FIXED, RtpHeader, rtcp_sender},
    index::{Window, guess},
};
use thiserror::Error;

/// Opens the packets that one peer sends. Only an authentic packet changes anything in it.
pub struct Opener {
    rtp: Cipher,
    rtcp: Cipher,
    profile: Profile,
    rtp_streams: Vec<(u32, Window)>,
    rtcp_streams: Vec<(u32, Window)>,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum OpenError {
    /// The bytes are no SRTP or SRTCP packet, or an SRTCP packet that is not encrypted.
    #[error("not an SRTP or SRTCP packet")]
    Malformed,
    /// Its index was seen before, or is too old to tell.
    #[error("a packet that came before, or too old to tell")]
    Replayed,
    /// It was not sealed with the peer's key, or changed on its way.
    #[error("not authentic")]
    Forged,
    /// The peer has used too many SSRCs under one key.
    #[error("more streams than one peer may send")]
    TooManyStreams,
}

/// Streams that one peer may use under one key: three encodings with retransmission, sound, and 50 restarts of an encoder.
const STREAMS: usize = 64;

impl Opener {
    /// Opens with the remote key of `keys`.
    pub fn new(keys: &SrtpKeys) -> Self {
        Self {
            rtp: Cipher::new(keys.profile, &keys.remote, Packets::Rtp),
            rtcp: Cipher::new(keys.profile, &keys.remote, Packets::Rtcp),
            profile: keys.profile,
            rtp_streams: Vec::new(),
            rtcp_streams: Vec::new(),
        }
    }

    /// Opens an SRTP packet in place; answers the plain packet.
    ///
    /// # Errors
    /// [`OpenError`]; the bytes are of no use then.
    pub fn open_rtp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a mut [u8], OpenError> {
        let header = RtpHeader::parse(packet).ok_or(OpenError::Malformed)?;
        if packet.len() < header.len + self.profile.rtp_overhead() {
            return Err(OpenError::Malformed);
        }
        let window = find(&self.rtp_streams, header.ssrc);
        let index = match window {
            Some(window) => guess(window.newest(), header.sequence).ok_or(OpenError::Replayed)?,
            None => u64::from(header.sequence),
        };
        admit(window, index, self.rtp_streams.len())?;
        let len = self
            .rtp
            .open(packet, header.len, Place { ssrc: header.ssrc, index })
            .map_err(|Forged| OpenError::Forged)?;
        note(&mut self.rtp_streams, header.ssrc, index);
        Ok(&mut packet[..len])
    }

    /// Opens an SRTCP packet in place; answers the plain compound packet.
    ///
    /// # Errors
    /// [`OpenError`]; the bytes are of no use then.
    pub fn open_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a mut [u8], OpenError> {
        let ssrc = rtcp_sender(packet).ok_or(OpenError::Malformed)?;
        if packet.len() < RTCP_FIXED + self.profile.rtcp_overhead() {
            return Err(OpenError::Malformed);
        }
        // RFC 3711 puts the index before the tag, RFC 7714 behind it.
        let at = match self.profile {
            Profile::Gcm => packet.len() - RTCP_INDEX,
            Profile::CounterMode => packet.len() - self.profile.rtp_overhead() - RTCP_INDEX,
        };
        let trailer = u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        if trailer >> 31 == 0 {
            return Err(OpenError::Malformed);
        }
        let index = u64::from(trailer & 0x7fff_ffff);
        let window = find(&self.rtcp_streams, ssrc);
        admit(window, index, self.rtcp_streams.len())?;
        let len =
            self.rtcp.open(packet, RTCP_FIXED, Place { ssrc, index }).map_err(|Forged| OpenError::Forged)?;
        note(&mut self.rtcp_streams, ssrc, index);
        Ok(&mut packet[..len])
    }
}

fn find(streams: &[(u32, Window)], ssrc: u32) -> Option<&Window> {
    streams.iter().find(|(known, _)| *known == ssrc).map(|(_, window)| window)
}

fn admit(window: Option<&Window>, index: u64, streams: usize) -> Result<(), OpenError> {
    match window {
        Some(window) if !window.is_fresh(index) => Err(OpenError::Replayed),
        None if streams >= STREAMS => Err(OpenError::TooManyStreams),
        _ => Ok(()),
    }
}

fn note(streams: &mut Vec<(u32, Window)>, ssrc: u32, index: u64) {
    match streams.iter_mut().find(|(known, _)| *known == ssrc) {
        Some((_, window)) => window.note(index),
        None => streams.push((ssrc, Window::new(index))),
    }
}
