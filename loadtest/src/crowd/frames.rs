//! WebSocket frames as a client sends and reads them (RFC 6455, section 5), without a buffer of its own while messages come whole.

use thiserror::Error;

/// The longest message that is read: far above any that the protocol allows, far below what would hurt.
const LONGEST: usize = 16 << 20;

/// Bytes that are no frames of a server that speaks this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    /// Longer than anything that the server may send.
    #[error("a message of {0} bytes")]
    TooLong(u64),
    /// The server has neither negotiated an extension nor does it fragment.
    #[error("a frame that begins with the byte {0:#04x}")]
    Unexpected(u8),
}

/// A frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A message.
    Text(&'a [u8]),
    /// To be answered by a pong with the same bytes.
    Ping(&'a [u8]),
    /// The end, with its code (1005 where none is given).
    Close(u16),
    /// A pong.
    Other,
}

/// The bytes that one socket has received. Holds only what is not yet a whole frame.
#[derive(Debug, Default)]
pub(super) struct Frames {
    partial: Vec<u8>,
}

impl Frames {
    /// Takes received bytes and calls `each` with every frame that they complete.
    ///
    /// # Errors
    /// Where they are no frames; the socket is of no use then.
    pub(super) fn read(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), FrameError> {
        if self.partial.is_empty() {
            let used = parse_all(bytes, &mut each)?;
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            self.partial.extend_from_slice(bytes);
            let used = parse_all(&self.partial, &mut each)?;
            self.partial.drain(..used);
        }
        if self.partial.is_empty() && self.partial.capacity() > 0 {
            self.partial = Vec::new();
        }
        Ok(())
    }
}

/// Answers how many bytes whole frames took.
fn parse_all(bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) -> Result<usize, FrameError> {
    let mut used = 0;
    while let Some((frame, length)) = parse(&bytes[used..])? {
        each(frame);
        used += length;
    }
    Ok(used)
}

fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (length, head) = match *second {
        short @ 0..=125 => (u64::from(short), 2),
        126 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Ok(None),
        },
        masked => return Err(FrameError::Unexpected(masked)),
    };
    if length > LONGEST as u64 {
        return Err(FrameError::TooLong(length));
    }
    let whole = head + length as usize;
    let Some(body) = bytes.get(head..whole) else { return Ok(None) };
    let frame = match *first {
        0x81 => Frame::Text(body),
        0x88 => Frame::Close(body.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
        0x89 => Frame::Ping(body),
        0x8a => Frame::Other,
        other => return Err(FrameError::Unexpected(other)),
    };
    Ok(Some((frame, whole)))
}

/// Appends a text message.
pub(super) fn text(message: &str, out: &mut Vec<u8>) {
    masked(0x81, message.as_bytes(), out);
}

/// Appends the answer to a ping.
pub(super) fn pong(payload: &[u8], out: &mut Vec<u8>) {
    masked(0x8a, payload, out);
}

/// Appends a goodbye (1000).
pub(super) fn close(out: &mut Vec<u8>) {
    masked(0x88, &1_000_u16.to_be_bytes(), out);
}

/// A text message as a server sends it: not masked.
pub(crate) fn server_text(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 10);
    out.push(0x81);
    length(message.len(), 0, &mut out);
    out.extend_from_slice(message);
    out
}

/// A frame with the mask 0, which changes no byte: masks protect proxies from pages, and here is neither.
fn masked(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    length(payload.len(), 0x80, out);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn length(length: usize, mask: u8, out: &mut Vec<u8>) {
    match length {
        0..=125 => out.push(mask | length as u8),
        126..=0xffff => {
            out.push(mask | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[&[u8]]) -> Result<Vec<String>, FrameError> {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for bytes in bytes {
            frames.read(bytes, |frame| {
                seen.push(match frame {
                    Frame::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                });
            })?;
        }
        assert!(frames.partial.is_empty());
        Ok(seen)
    }

    proptest! {
        #[test]
        fn messages_are_read_however_the_bytes_are_cut(
            texts in prop::collection::vec(prop::sample::select(vec![0, 1, 125, 126, 500, 70_000]), 1..5),
            cuts in prop::collection::vec(0_usize..80_000, 0..6),
        ) {
            let texts: Vec<String> = texts.into_iter().map(|length| "x".repeat(length)).collect();
            let bytes: Vec<u8> = texts.iter().flat_map(|text| server_text(text.as_bytes())).collect();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            prop_assert_eq!(all(&pieces), Ok(texts));
        }
    }

    #[test]
    fn control_frames_are_told_apart() {
        let bytes = [0x89, 2, b'h', b'i', 0x8a, 0, 0x88, 2, 0x0f, 0xa0, 0x88, 0];
        assert_eq!(all(&[&bytes]).unwrap(), ["Ping([104, 105])", "Other", "Close(4000)", "Close(1005)"]);
    }

    #[test]
    fn what_no_server_of_ours_sends_is_an_error() {
        assert_eq!(all(&[&[0x01, 0]]), Err(FrameError::Unexpected(0x01)), "a fragment");
        assert_eq!(all(&[&[0xc1, 0]]), Err(FrameError::Unexpected(0xc1)), "compressed");
        assert_eq!(all(&[&[0x81, 0x85]]), Err(FrameError::Unexpected(0x85)), "masked");
        let huge = [0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(all(&[&huge]), Err(FrameError::TooLong(0xff << 56)));
    }

    #[test]
    fn what_is_sent_is_masked() {
        let mut out = Vec::new();
        text("hi", &mut out);
        pong(b"", &mut out);
        close(&mut out);
        assert_eq!(out[..8], [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(out[8..14], [0x8a, 0x80, 0, 0, 0, 0]);
        assert_eq!(out[14..], [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
    }
}
