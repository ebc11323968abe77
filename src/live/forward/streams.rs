//! Which negotiated stream a packet belongs to (RFC 8843 §9.2, RFC 8852, RFC 8853).
//!
//! Owns the table of SSRCs, which is bounded, and the rules by which one is learnt. Knows tracks by number alone.

use super::dropped::{Dropped, MOST_STREAMS};
use super::packet::{ExtensionValues, Rtp};
use crate::live::media::{ExtensionIds, ReceivedMedia};

/// The streams of one publisher.
#[derive(Debug)]
pub struct Streams {
    sections: Vec<ReceivedMedia>,
    extensions: ExtensionIds,
    known: Vec<(u32, Role)>,
    names: Vec<Name>,
}

/// What an SSRC carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The packets of a track.
    Media(usize),
    /// Their retransmissions.
    Repairs(usize),
}

/// What makes a track the same one whatever its SSRC: its section, and its RID or its place among the announced SSRCs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Index of the section.
    pub section: usize,
    /// The simulcast stream.
    pub rid: Option<String>,
    place: usize,
}

/// How a packet's stream is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its SSRC was learnt before, or just now for a track that is there.
    Known(Role),
    /// It begins a track of this name, or takes the place of the one with this number.
    New(Name, Option<usize>),
}

impl Streams {
    /// Knows what was negotiated and no SSRC.
    pub fn new(sections: Vec<ReceivedMedia>) -> Self {
        // All sections share one transport, on which an id means one extension (RFC 8843 §7.1.4).
        let extensions = sections.iter().fold(ExtensionIds::default(), |all, section| {
            let own = section.extensions;
            ExtensionIds {
                mid: all.mid.or(own.mid),
                rid: all.rid.or(own.rid),
                repaired_rid: all.repaired_rid.or(own.repaired_rid),
                abs_send_time: all.abs_send_time.or(own.abs_send_time),
                transport_cc: all.transport_cc.or(own.transport_cc),
                audio_level: all.audio_level.or(own.audio_level),
                playout_delay: all.playout_delay.or(own.playout_delay),
                video_orientation: all.video_orientation.or(own.video_orientation),
            }
        });
        Self { sections, extensions, known: Vec::new(), names: Vec::new() }
    }

    /// What was negotiated.
    pub fn sections(&self) -> &[ReceivedMedia] {
        &self.sections
    }

    /// The ids of header extensions.
    pub fn extensions(&self) -> &ExtensionIds {
        &self.extensions
    }

    /// The role of an SSRC that was learnt.
    pub fn role(&self, ssrc: u32) -> Option<Role> {
        self.known.iter().find(|(known, _)| *known == ssrc).map(|&(_, role)| role)
    }

    /// Finds out whose a packet is.
    ///
    /// # Errors
    ///
    /// [`Dropped`] where nothing negotiated fits it, or the table is full.
    pub fn find(&mut self, rtp: &Rtp<'_>, values: &ExtensionValues<'_>) -> Result<Found, Dropped> {
        if let Some(role) = self.role(rtp.ssrc) {
            let (Role::Media(track) | Role::Repairs(track)) = role;
            let codec = self.sections[self.names[track].section].codec;
            let expected = if matches!(role, Role::Media(_)) { Some(codec.payload_type) } else { codec.rtx };
            return if expected == Some(rtp.payload_type) {
                Ok(Found::Known(role))
            } else {
                Err(Dropped::PayloadType)
            };
        }
        let at = self.section_of(rtp, values).ok_or(Dropped::UnknownStream)?;
        let section = &self.sections[at];
        if section.codec.rtx == Some(rtp.payload_type) {
            let track = self.repaired_track(at, rtp.ssrc, values).ok_or(Dropped::NothingToRepair)?;
            self.learn(rtp.ssrc, Role::Repairs(track))?;
            return Ok(Found::Known(Role::Repairs(track)));
        }
        if section.codec.payload_type != rtp.payload_type {
            return Err(Dropped::PayloadType);
        }
        let mut name = Name { section: at, rid: None, place: 0 };
        if section.rids.is_empty() {
            name.place = section.ssrcs.iter().position(|&(ssrc, _)| ssrc == rtp.ssrc).unwrap_or(0);
        } else {
            let rid = values.rid.ok_or(Dropped::UnknownStream)?;
            name.rid =
                Some(section.rids.iter().find(|known| *known == rid).ok_or(Dropped::UnknownStream)?.clone());
        }
        let taken = self.names.iter().position(|known| *known == name);
        Ok(Found::New(name, taken))
    }

    /// Learns that `ssrc` carries the track `number` of this name; what carried it before is forgotten.
    ///
    /// # Errors
    ///
    /// [`Dropped::TooManyStreams`] where the table is full.
    pub fn begin(&mut self, ssrc: u32, name: Name, number: usize) -> Result<(), Dropped> {
        self.known.retain(|&(_, role)| role != Role::Media(number) && role != Role::Repairs(number));
        self.learn(ssrc, Role::Media(number))?;
        if number == self.names.len() {
            self.names.push(name);
        }
        Ok(())
    }

    fn learn(&mut self, ssrc: u32, role: Role) -> Result<(), Dropped> {
        if self.known.len() >= MOST_STREAMS {
            return Err(Dropped::TooManyStreams);
        }
        if matches!(role, Role::Repairs(_)) {
            self.known.retain(|&(_, known)| known != role);
        }
        self.known.push((ssrc, role));
        Ok(())
    }

    /// By the announced SSRC, else by MID, else by the payload type where it names one section.
    fn section_of(&self, rtp: &Rtp<'_>, values: &ExtensionValues<'_>) -> Option<usize> {
        let announced = |section: &ReceivedMedia| {
            section.ssrcs.iter().any(|&(media, repairs)| media == rtp.ssrc || repairs == Some(rtp.ssrc))
        };
        if let Some(at) = self.sections.iter().position(announced) {
            return Some(at);
        }
        if let Some(mid) = values.mid {
            return self.sections.iter().position(|section| section.mid == mid);
        }
        let carries = |section: &ReceivedMedia| {
            section.codec.payload_type == rtp.payload_type || section.codec.rtx == Some(rtp.payload_type)
        };
        let at = self.sections.iter().position(carries)?;
        (!self.sections[at + 1..].iter().any(carries)).then_some(at)
    }

    /// The track that a retransmission stream repairs: by the announced pair, else by RRID, else the section's only one.
    fn repaired_track(&self, at: usize, ssrc: u32, values: &ExtensionValues<'_>) -> Option<usize> {
        let section = &self.sections[at];
        if let Some(&(media, _)) = section.ssrcs.iter().find(|(_, repairs)| *repairs == Some(ssrc))
            && let Some(Role::Media(track)) = self.role(media)
        {
            return Some(track);
        }
        let mut tracks = self.names.iter().enumerate().filter(|(_, name)| name.section == at);
        if let Some(rid) = values.repaired_rid.or(values.rid) {
            return tracks.find(|(_, name)| name.rid.as_deref() == Some(rid)).map(|(track, _)| track);
        }
        let (only, _) = tracks.next()?;
        tracks.next().is_none().then_some(only)
    }
}
