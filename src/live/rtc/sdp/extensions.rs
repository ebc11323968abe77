//! RTP header extensions (RFC 8285) as SDP negotiates them: by URI, under the ids that the peer chose.

use crate::live::media::{ExtensionIds, MediaKind};

use super::direction::Direction;

/// One that is known here, with its URI.
struct Known {
    uri: &'static str,
    /// Where its id is kept.
    slot: fn(&mut ExtensionIds) -> &mut Option<u8>,
    /// The only kind that it makes sense for, where there is one.
    kind: Option<MediaKind>,
    /// Whether it is answered to publishers, who would send it to us, and to viewers, whom we would send it.
    from_publishers: bool,
    to_viewers: bool,
}

/// The dependency descriptor is left out on purpose: a stream whose layers it alone describes could not be switched
/// here, and without it a sender falls back to what the payload says itself.
const KNOWN: [Known; 8] = [
    Known {
        uri: "urn:ietf:params:rtp-hdrext:sdes:mid",
        slot: |ids| &mut ids.mid,
        kind: None,
        from_publishers: true,
        to_viewers: true,
    },
    Known {
        uri: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        slot: |ids| &mut ids.rid,
        kind: None,
        from_publishers: true,
        to_viewers: false,
    },
    Known {
        uri: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        slot: |ids| &mut ids.repaired_rid,
        kind: None,
        from_publishers: true,
        to_viewers: false,
    },
    Known {
        uri: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        slot: |ids| &mut ids.abs_send_time,
        kind: None,
        from_publishers: true,
        to_viewers: true,
    },
    Known {
        uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        slot: |ids| &mut ids.transport_cc,
        kind: None,
        from_publishers: true,
        to_viewers: true,
    },
    Known {
        uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        slot: |ids| &mut ids.audio_level,
        kind: Some(MediaKind::Audio),
        from_publishers: true,
        to_viewers: true,
    },
    Known {
        uri: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        slot: |ids| &mut ids.playout_delay,
        kind: Some(MediaKind::Video),
        // Ours to say to viewers; what a publisher wishes of its receiver ends here.
        from_publishers: false,
        to_viewers: true,
    },
    Known {
        uri: "urn:3gpp:video-orientation",
        slot: |ids| &mut ids.video_orientation,
        kind: Some(MediaKind::Video),
        from_publishers: true,
        to_viewers: true,
    },
];

/// An `a=extmap` of the offer that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extension {
    /// 1-14: our packets have one-byte headers.
    pub(super) id: u8,
    pub(super) direction: Option<Direction>,
    known: usize,
}

impl Extension {
    /// Reads the value of `a=extmap`. `None` for one that is not known or has an id that one byte cannot hold.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (id, rest) = value.trim().split_once(' ')?;
        let uri = rest.split_ascii_whitespace().next()?;
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Some(Direction::parse(direction)?)),
            None => (id, None),
        };
        let id = id.parse().ok().filter(|id| (1..=14).contains(id))?;
        let known = KNOWN.iter().position(|known| known.uri == uri)?;
        Some(Self { id, direction, known })
    }

    pub(super) fn uri(self) -> &'static str {
        KNOWN[self.known].uri
    }

    /// Where its id is kept.
    pub(super) fn slot(self, ids: &mut ExtensionIds) -> &mut Option<u8> {
        (KNOWN[self.known].slot)(ids)
    }
}

/// Takes up the offered extensions of a section of `kind` that the peer sends (`Direction::SendOnly`) or receives.
pub(super) fn agree(offered: &[Extension], kind: MediaKind, peer: Direction) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for extension in offered {
        let known = &KNOWN[extension.known];
        let is_wanted = match peer {
            Direction::SendOnly => known.from_publishers,
            _ => known.to_viewers,
        };
        let fits = known.kind.is_none_or(|only| only == kind);
        if is_wanted && fits && extension.direction.is_none_or(|direction| direction.covers(peer)) {
            extension.slot(&mut ids).get_or_insert(extension.id);
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_its_uri_and_has_to_fit_one_byte() {
        let mid = Extension::parse("4 urn:ietf:params:rtp-hdrext:sdes:mid").unwrap();
        assert_eq!((mid.id, mid.direction), (4, None));
        let one_way = Extension::parse("9/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id").unwrap();
        assert_eq!((one_way.id, one_way.direction), (9, Some(Direction::SendOnly)));
        for text in [
            "",
            "4",
            "0 urn:ietf:params:rtp-hdrext:sdes:mid",
            "15 urn:ietf:params:rtp-hdrext:sdes:mid",
            "4/sideways urn:ietf:params:rtp-hdrext:sdes:mid",
            "12 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
        ] {
            assert_eq!(Extension::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_what_flows_the_right_way_is_agreed_and_the_first_id_counts() {
        let offered: Vec<Extension> = [
            "3 urn:ietf:params:rtp-hdrext:sdes:mid",
            "5 urn:ietf:params:rtp-hdrext:sdes:mid",
            "6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            "9/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            "1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        ]
        .iter()
        .filter_map(|text| Extension::parse(text))
        .collect();
        assert_eq!(
            agree(&offered, MediaKind::Video, Direction::SendOnly),
            ExtensionIds { mid: Some(3), rid: Some(9), ..ExtensionIds::default() }
        );
        assert_eq!(
            agree(&offered, MediaKind::Video, Direction::RecvOnly),
            ExtensionIds { mid: Some(3), playout_delay: Some(6), ..ExtensionIds::default() }
        );
    }
}
