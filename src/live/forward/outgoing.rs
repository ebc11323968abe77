//! The buffer in which the packets of one poll are built, sealed and sent.
//!
//! Owns bytes and where each packet lies in them. It is reused from viewer to viewer, so that forwarding allocates
//! nothing; it knows nothing of what the packets hold.

/// Packets one after the other in one buffer, each with room behind it for the SRTP tag, so that they are sealed in
/// place and go out as runs of one buffer.
#[derive(Debug)]
pub struct Outgoing {
    bytes: Vec<u8>,
    packets: Vec<OutgoingPacket>,
    tag_room: usize,
}

/// Where a packet lies in [`Outgoing::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingPacket {
    /// Offset of its first byte.
    pub start: usize,
    /// Bytes of the plain packet; the room for the tag follows.
    pub len: usize,
}

impl Outgoing {
    /// An empty buffer that leaves `tag_room` bytes after each packet (16 for AES-GCM, 10 for HMAC-SHA1-80).
    pub fn new(tag_room: usize) -> Self {
        Self { bytes: Vec::new(), packets: Vec::new(), tag_room }
    }

    /// Forgets the packets and keeps the memory; `tag_room` is that of the next viewer.
    pub fn reset(&mut self, tag_room: usize) {
        self.bytes.clear();
        self.packets.clear();
        self.tag_room = tag_room;
    }

    /// Bytes left after each packet.
    pub fn tag_room(&self) -> usize {
        self.tag_room
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Where the packets lie, in the order in which they are to be sent.
    pub fn packets(&self) -> &[OutgoingPacket] {
        &self.packets
    }

    /// Everything, rooms included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything, rooms included, for sealing in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The plain packets.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.packets.iter().map(|packet| &self.bytes[packet.start..packet.start + packet.len])
    }

    /// Appends a packet made of two parts and returns the second, to be patched.
    pub(super) fn push(&mut self, head: &[u8], body: &[u8]) -> &mut [u8] {
        self.push_padded(head, body, 0)
    }

    /// The same with so many bytes of padding behind it, the last of which says how many they are (RFC 3550 §5.1).
    pub(super) fn push_padded(&mut self, head: &[u8], body: &[u8], padding: u8) -> &mut [u8] {
        let start = self.bytes.len();
        let body_end = start + head.len() + body.len();
        let len = head.len() + body.len() + usize::from(padding);
        self.bytes.reserve(len + self.tag_room);
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
        self.bytes.resize(start + len + self.tag_room, 0);
        if padding > 0 {
            self.bytes[start + len - 1] = padding;
        }
        self.packets.push(OutgoingPacket { start, len });
        &mut self.bytes[start + head.len()..body_end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_has_room_for_its_tag_behind_it() {
        let mut out = Outgoing::new(16);
        out.push(b"head", b"body").copy_from_slice(b"BODY");
        out.push(b"h", b"");

        assert_eq!(out.iter().collect::<Vec<_>>(), [b"headBODY".as_slice(), b"h"]);
        assert_eq!(out.packets()[1].start, 8 + 16);
        assert_eq!(out.bytes().len(), 8 + 16 + 1 + 16);
    }

    #[test]
    fn padding_says_how_long_it_is_and_is_not_to_be_patched() {
        let mut out = Outgoing::new(2);
        assert_eq!(out.push_padded(b"h", b"body", 3), b"body");
        assert_eq!(out.iter().collect::<Vec<_>>(), [b"hbody\0\0\x03"]);
        assert_eq!(out.bytes(), b"hbody\0\0\x03\0\0");
    }

    #[test]
    fn a_reset_keeps_the_memory_and_takes_the_next_viewers_room() {
        let mut out = Outgoing::new(16);
        out.push(&[0; 12], &[1; 1200]);
        let kept = out.bytes.capacity();
        out.reset(10);
        assert!(out.is_empty());
        assert_eq!(out.bytes.capacity(), kept);
        out.push(&[0; 12], &[]);
        assert_eq!(out.bytes().len(), 22);
    }
}
