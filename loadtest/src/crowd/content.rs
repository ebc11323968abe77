//! What a publication of the load tester holds: its number, when it was due, and a checksum over all of it.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A word that begins what [`marked`] writes.
const MARK: &str = "load-due-";

/// The data of a publication on a `test:` channel.
#[derive(Debug, Serialize, Deserialize)]
pub struct Content<'a> {
    /// Its number in the run.
    pub n: u32,
    /// When it should have been published ([`crate::clock::now_us`]).
    pub due: u64,
    /// CRC-32 over the channel, the two numbers and the text.
    pub sum: u32,
    /// What makes it as long as was asked.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

impl<'a> Content<'a> {
    /// The content of publication `n` of `channel`, encoded as JSON about `size` bytes long.
    pub fn new(channel: &str, n: u32, due: u64, size: usize) -> Content<'static> {
        /// What the numbers and keys take.
        const BESIDE: usize = 64;
        // Differs from one to the next, so that an exchanged text is found.
        let letters = (b'a'..=b'z').cycle().skip(n as usize % 26).map(char::from);
        let text: String = letters.take(size.saturating_sub(BESIDE)).collect();
        Content { n, due, sum: sum(channel, n, due, &text), text: text.into() }
    }

    /// Reads the data of a publication; none where it is not what [`Content::new`] made for this channel.
    pub fn read(channel: &str, data: &'a str) -> Option<Self> {
        let content: Self = serde_json::from_str(data).ok()?;
        (content.sum == sum(channel, content.n, content.due, &content.text)).then_some(content)
    }
}

/// Encodes the content of a publication.
pub fn make(channel: &str, n: u32, due: u64, size: usize) -> String {
    serde_json::to_string(&Content::new(channel, n, due, size)).expect("numbers and text")
}

/// A text that tells when it was due, for what people write: posts and comments. `due_in` finds it in any JSON.
pub fn marked(due: u64, text: &str) -> String {
    format!("{text} {MARK}{due}")
}

/// What a ledger knows of the data of any publication that the load tester did not make.
pub(super) fn sum_of(data: &str) -> u32 {
    crc32fast::hash(data.as_bytes()).clamp(1, u32::MAX - 1)
}

/// When what holds a text of [`marked`] was due.
pub(super) fn due_in(data: &str) -> Option<u64> {
    let (_, rest) = data.split_once(MARK)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

fn sum(channel: &str, n: u32, due: u64, text: &str) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for part in [channel.as_bytes(), &n.to_le_bytes(), &due.to_le_bytes(), text.as_bytes()] {
        sum.update(part);
    }
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_altered_byte_is_found() {
        let made = make("test:a", 7, 1_234_567, 128);
        assert!((100..=128).contains(&made.len()), "about as long as asked: {made}");
        let read = Content::read("test:a", &made).expect("as it was made");
        assert_eq!((read.n, read.due), (7, 1_234_567));
        assert!(Content::read("test:b", &made).is_none(), "another channel's");
        for at in 0..made.len() {
            let mut bytes = made.clone().into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            let altered = String::from_utf8(bytes).expect("ASCII");
            assert!(Content::read("test:a", &altered).is_none(), "{altered}");
        }
    }

    #[test]
    fn a_mark_is_found_in_any_json() {
        let data = format!(r#"{{"comment":{{"content":"{}","x":1}}}}"#, marked(42, "A thought."));
        assert_eq!(due_in(&data), Some(42));
        assert_eq!(due_in("{}"), None);
    }
}
