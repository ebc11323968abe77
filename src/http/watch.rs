//! A pure watcher over the bytes that a client sends: finds what breaks the protocol at the byte that breaks it.
//!
//! tungstenite judges a frame when all of it has come. A frame header that can never become right, or text that can
//! never become UTF-8, is refused here at once instead, before the rest is waited for or kept (RFC 6455 §5, §8.1).

/// What is wrong with what a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A rule of the protocol is broken: close 1002.
    #[error("{0}")]
    Protocol(&'static str),
    /// Text that is not UTF-8: close 1007.
    #[error("text must be UTF-8")]
    Utf8,
    /// A message over its limit: close 1009 or as the endpoint has it.
    #[error("the message is too large")]
    TooLarge,
}

/// Follows one connection's frames. Feed it every byte in order; after a violation it must not be fed again.
#[derive(Clone, Debug)]
pub(super) struct FrameWatch {
    most: u64,
    place: Place,
    /// Bytes so far of the message in progress, and whether it is text.
    message: Option<(u64, bool)>,
    text: Utf8Check,
}

#[derive(Clone, Debug)]
enum Place {
    Head {
        bytes: [u8; 14],
        count: usize,
    },
    Payload(Payload),
    /// After a close frame nothing matters.
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u64,
    mask: [u8; 4],
    at: usize,
    is_text: bool,
    ends_message: bool,
}

const EMPTY_HEAD: Place = Place::Head { bytes: [0; 14], count: 0 };

/// Opcodes of RFC 6455 §5.2.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;

impl FrameWatch {
    /// `most` bytes a message.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most as u64, place: EMPTY_HEAD, message: None, text: Utf8Check::default() }
    }

    /// Follows the next bytes. A violation comes with how many of them belong to frames before the offending one.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), (usize, Violation)> {
        let mut at = 0;
        let mut frame_began = 0;
        while at < bytes.len() {
            match &mut self.place {
                Place::Closed => return Ok(()),
                Place::Head { bytes: head, count } => {
                    if *count == 0 {
                        frame_began = at;
                    }
                    head[*count] = bytes[at];
                    *count += 1;
                    at += 1;
                    let (head, count) = (*head, *count);
                    self.head(&head[..count]).map_err(|violation| (frame_began, violation))?;
                }
                Place::Payload(payload) => {
                    let take = usize::try_from(payload.left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    let part = &bytes[at..at + take];
                    if payload.is_text {
                        let known = self.text.feed_masked(part, payload.mask, payload.at);
                        known.map_err(|NotUtf8| (frame_began, Violation::Utf8))?;
                    }
                    payload.at = (payload.at + take) % 4;
                    payload.left -= take as u64;
                    at += take;
                    let payload = *payload;
                    self.payload_moved(payload).map_err(|violation| (frame_began, violation))?;
                }
            }
        }
        Ok(())
    }

    /// Judges a head as far as it has come.
    fn head(&mut self, head: &[u8]) -> Result<(), Violation> {
        use Violation::Protocol;
        let [first, second, rest @ ..] = head else { return Ok(()) };
        let (is_final, opcode, short) = (first & 0x80 != 0, first & 0x0f, second & 0x7f);
        let is_control = opcode >= CLOSE;
        match () {
            () if first & 0x70 != 0 => {
                return Err(Protocol("reserved bits must be 0: no extension was agreed"));
            }
            () if !matches!(opcode, 0..=2 | 8..=10) => return Err(Protocol("the opcode is reserved")),
            () if second & 0x80 == 0 => return Err(Protocol("frames of a client must be masked")),
            () if is_control && !is_final => return Err(Protocol("control frames must not be fragmented")),
            () if is_control && short > 125 => return Err(Protocol("control frames have 125 bytes at most")),
            () if opcode == 0 && self.message.is_none() => {
                return Err(Protocol("nothing is there to continue"));
            }
            () if matches!(opcode, 1 | 2) && self.message.is_some() => {
                return Err(Protocol("the fragmented message must be continued first"));
            }
            () => {}
        }
        let length_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if rest.len() < length_bytes {
            return Ok(());
        }
        let long = rest[..length_bytes].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        let length = if length_bytes == 0 { u64::from(short) } else { long };
        if (length_bytes == 2 && length < 126) || (length_bytes == 8 && length <= u64::from(u16::MAX)) {
            return Err(Protocol("a length must be written in as few bytes as it needs"));
        }
        if length >> 63 != 0 {
            return Err(Protocol("a length has its highest bit set"));
        }
        let so_far = if is_control { 0 } else { self.message.map_or(0, |(bytes, _)| bytes) };
        if so_far.saturating_add(length) > self.most.max(125) {
            return Err(Violation::TooLarge);
        }
        if let Ok(mask) = <[u8; 4]>::try_from(&rest[length_bytes..]) {
            self.enter(opcode, is_final, length, mask)?;
        }
        Ok(())
    }

    /// The head is complete.
    fn enter(&mut self, opcode: u8, is_final: bool, length: u64, mask: [u8; 4]) -> Result<(), Violation> {
        let is_control = opcode >= CLOSE;
        if opcode == CLOSE {
            self.place = Place::Closed;
            return Ok(());
        }
        let mut is_text = false;
        if !is_control {
            let (before, text) = self.message.unwrap_or((0, opcode == TEXT));
            is_text = text;
            self.message = Some((before + length, text));
        }
        let payload = Payload { left: length, mask, at: 0, is_text, ends_message: !is_control && is_final };
        self.place = Place::Payload(payload);
        self.payload_moved(payload)
    }

    fn payload_moved(&mut self, payload: Payload) -> Result<(), Violation> {
        if payload.left > 0 {
            return Ok(());
        }
        self.place = EMPTY_HEAD;
        if payload.ends_message {
            self.message = None;
            if payload.is_text {
                return self.text.finish().map_err(|NotUtf8| Violation::Utf8);
            }
        }
        Ok(())
    }
}

/// Checks UTF-8 that comes in pieces, at the earliest byte that decides.
#[derive(Clone, Copy, Debug, Default)]
struct Utf8Check {
    /// A character that has begun: three bytes at most.
    begun: [u8; 4],
    count: usize,
}

struct NotUtf8;

impl Utf8Check {
    fn feed_masked(&mut self, masked: &[u8], mask: [u8; 4], mut at: usize) -> Result<(), NotUtf8> {
        let mut plain = [0; 1024];
        for part in masked.chunks(plain.len()) {
            for (plain, masked) in plain.iter_mut().zip(part) {
                *plain = masked ^ mask[at];
                at = (at + 1) % 4;
            }
            self.feed(&plain[..part.len()])?;
        }
        Ok(())
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), NotUtf8> {
        while self.count > 0 {
            let [next, rest @ ..] = bytes else { return Ok(()) };
            self.begun[self.count] = *next;
            self.count += 1;
            bytes = rest;
            match std::str::from_utf8(&self.begun[..self.count]) {
                Ok(_) => self.count = 0,
                Err(error) if error.error_len().is_some() => return Err(NotUtf8),
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        let begun = &bytes[error.valid_up_to()..];
        self.begun[..begun.len()].copy_from_slice(begun);
        self.count = begun.len();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), NotUtf8> {
        if std::mem::take(&mut self.count) == 0 { Ok(()) } else { Err(NotUtf8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Violation::{TooLarge, Utf8};
    use proptest::prelude::*;

    const MASK: [u8; 4] = [0x11, 0xf2, 0x83, 0x44];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            length @ 126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn watch(bytes: &[u8]) -> Result<(), (usize, Violation)> {
        FrameWatch::new(1000).feed(bytes)
    }

    /// How many bytes are taken before the watcher speaks, one by one.
    fn told_after(bytes: &[u8]) -> Option<usize> {
        let mut watch = FrameWatch::new(1000);
        bytes.iter().position(|byte| watch.feed(&[*byte]).is_err()).map(|index| index + 1)
    }

    #[test]
    fn good_frames_pass() {
        let good = [
            frame(0x81, "größe".as_bytes()),
            frame(0x82, &[0xff; 1000]),
            frame(0x01, &[0xc3]),
            frame(0x89, &[0xff; 125]),
            frame(0x80, &[0xb6]),
            frame(0x81, b""),
            frame(0x88, b"\x03\xe8"),
            b"anything after close".to_vec(),
        ];
        assert_eq!(watch(&good.concat()), Ok(()));
    }

    #[test]
    fn a_head_that_cannot_become_right_is_told_at_once() {
        assert_eq!(told_after(&frame(0xc1, b"x")), Some(2), "reserved bit");
        for opcode in [3, 7, 11, 15] {
            assert_eq!(told_after(&frame(0x80 | opcode, b"x")), Some(2), "reserved opcode {opcode}");
        }
        assert_eq!(told_after(&frame(0x09, b"x")), Some(2), "fragmented ping");
        assert_eq!(told_after(&frame(0x89, &[0; 126])), Some(2), "long ping");
        assert_eq!(told_after(&frame(0x80, b"x")), Some(2), "nothing to continue");
        assert_eq!(told_after(&[0x81, 0x01, b'x']), Some(2), "unmasked");
        assert_eq!(told_after(&[0x82, 0xfe, 0, 125]), Some(4), "length not minimal");
        assert_eq!(told_after(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), Some(10), "negative length");
    }

    #[test]
    fn a_message_is_measured_by_its_heads() {
        assert_eq!(told_after(&frame(0x82, &[0; 1001])), Some(4));
        let fragments = [frame(0x02, &[0; 600]), frame(0x00, &[0; 400]), frame(0x00, b"x")].concat();
        let last = fragments.len() - frame(0x00, b"x").len();
        assert_eq!(watch(&fragments), Err((last, TooLarge)));
    }

    #[test]
    fn frames_before_the_offending_one_are_kept() {
        let good = frame(0x81, b"hello");
        assert_eq!(watch(&[good.clone(), frame(0x81, b"\xff")].concat()), Err((good.len(), Utf8)));
        let interleaved = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
        assert_eq!(watch(&interleaved).expect_err("not continued").0, frame(0x01, b"a").len());
    }

    #[test]
    fn text_is_told_at_the_byte_that_breaks_it() {
        let head = frame(0x81, b"").len();
        for (text, decided) in [
            (&b"ok\xf4\x90\x80\x80"[..], 4),
            (b"\xce\xba\xed\xa0\x80", 4),
            (b"\xc0\xaf", 1),
            (b"\xe0\x80\x80", 2),
            (b"\xf8", 1),
            (b"abc\x80", 4),
        ] {
            assert_eq!(told_after(&frame(0x81, text)), Some(head + decided), "{text:x?}");
        }
        assert_eq!(watch(&frame(0x81, b"\xc3")), Err((0, Utf8)), "ends within a character");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in ".{0,300}", raw in prop::collection::vec(any::<u8>(), 0..40), cut in 1usize..50) {
            for payload in [text.as_bytes(), &raw] {
                let bytes = frame(0x81, payload);
                let whole = FrameWatch::new(5000).feed(&bytes).is_ok();
                let mut pieces = FrameWatch::new(5000);
                let by_pieces = bytes.chunks(cut).all(|piece| pieces.feed(piece).is_ok());
                prop_assert_eq!(whole, by_pieces);
                prop_assert_eq!(whole, std::str::from_utf8(payload).is_ok());
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FrameWatch::new(100).feed(&bytes);
        }
    }
}
