//! What opens another platform with words and an address in it. Pure.
//!
//! Every text stands percent-encoded as UTF-8, all but the unreserved characters (RFC 3986, section 2.3). Over-long texts are cut
//! between grapheme clusters (Unicode Standard Annex #29), so that neither an emoji nor a letter with its marks is torn.

use communiconnect_protocol::Platform;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_segmentation::UnicodeSegmentation;

/// All but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters of the words in a link: as many as a message may have, and links stay below what browsers open.
const WORDS: usize = 500;

/// Weighted characters of a post on X besides the address, which counts 23 there, and the space before it.
const WORDS_ON_X: usize = 280 - 24;

/// Characters of a mail's subject.
const SUBJECT: usize = 100;

/// What stands at the end of words that were cut.
const CUT: &str = "\u{2026}";

/// What a link says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linked<'a> {
    /// The words.
    pub(super) words: &'a str,
    /// What a mail is about.
    pub(super) subject: &'a str,
    /// The address of the post.
    pub(super) address: &'a str,
}

/// The link that opens the platform.
pub(super) fn deep_link(platform: Platform, linked: Linked<'_>) -> String {
    let Linked { words, subject, address } = linked;
    let words = words.trim();
    let cut_words = cut(words, WORDS, |_| 1);
    let (text, url) = (encoded(&cut_words), encoded(address));
    match platform {
        Platform::WhatsApp => format!("https://wa.me/?text={}", encoded(&above(&cut_words, "\n", address))),
        Platform::Facebook => format!("https://www.facebook.com/sharer/sharer.php?u={url}&quote={text}"),
        Platform::X => {
            let text = encoded(&cut(words, WORDS_ON_X, weight_on_x));
            format!("https://x.com/intent/post?url={url}&text={text}")
        }
        Platform::Telegram => format!("https://t.me/share/url?url={url}&text={text}"),
        Platform::Email => {
            let first = subject.trim().lines().next().unwrap_or_default();
            let subject = encoded(&cut(first, SUBJECT, |_| 1));
            // Lines of a mail end in CR and LF, also here (RFC 6068, section 5).
            let body = encoded(&above(&cut_words, "\n\n", address).replace('\n', "\r\n"));
            format!("mailto:?subject={subject}&body={body}")
        }
        Platform::CopyLink => address.to_owned(),
    }
}

fn above(words: &str, between: &str, address: &str) -> String {
    if words.is_empty() { address.to_owned() } else { format!("{words}{between}{address}") }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The text, or as many whole grapheme clusters of it as weigh `max` together with the sign that some are missing.
fn cut(text: &str, max: usize, weight: fn(char) -> usize) -> String {
    let weigh = |text: &str| text.chars().map(weight).sum::<usize>();
    if weigh(text) <= max {
        return text.to_owned();
    }
    let mut room = max - weigh(CUT);
    let kept: String = text
        .graphemes(true)
        .take_while(|cluster| match room.checked_sub(weigh(cluster)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .collect();
    format!("{}{CUT}", kept.trim_end())
}

/// How much a character counts on X: those of most alphabets one, others two
/// (<https://docs.x.com/fundamentals/counting-characters>).
fn weight_on_x(letter: char) -> usize {
    match u32::from(letter) {
        0..=0x10ff | 0x2000..=0x200d | 0x2010..=0x201f | 0x2032..=0x2037 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;

    const ADDRESS: &str = "https://example.org/p/0199c82c-c000-7000-8000-00000000000a";

    fn link(platform: Platform, words: &str) -> String {
        deep_link(platform, Linked { words, subject: words, address: ADDRESS })
    }

    /// What a platform reads as the parameter of this name.
    fn parameter(link: &str, name: &str) -> String {
        let (_, query) = link.split_once('?').expect("a query");
        let pairs = query.split('&').map(|pair| pair.split_once('=').expect("a name and a value"));
        let (_, value) = pairs.into_iter().find(|(found, _)| *found == name).expect("this one");
        percent_decode_str(value).decode_utf8().expect("UTF-8").into_owned()
    }

    #[test]
    fn each_platform_has_its_link() {
        let url = "https%3A%2F%2Fexample.org%2Fp%2F0199c82c-c000-7000-8000-00000000000a";
        for (platform, expected) in [
            (Platform::WhatsApp, format!("https://wa.me/?text=Read%20this%0A{url}")),
            (
                Platform::Facebook,
                format!("https://www.facebook.com/sharer/sharer.php?u={url}&quote=Read%20this"),
            ),
            (Platform::X, format!("https://x.com/intent/post?url={url}&text=Read%20this")),
            (Platform::Telegram, format!("https://t.me/share/url?url={url}&text=Read%20this")),
            (Platform::Email, format!("mailto:?subject=Read%20this&body=Read%20this%0D%0A%0D%0A{url}")),
            (Platform::CopyLink, ADDRESS.to_owned()),
        ] {
            assert_eq!(link(platform, "Read this"), expected);
        }
    }

    #[test]
    fn whatever_is_said_is_read_as_it_was() {
        let words = "a&b=c#d%20\n+?\u{1f64f}\u{1f3fd} \u{645}\u{631}\u{62d}\u{628}\u{627} \"\u{e9}\"";
        assert_eq!(parameter(&link(Platform::Telegram, words), "text"), words);
        assert_eq!(parameter(&link(Platform::X, words), "text"), words);
        assert_eq!(parameter(&link(Platform::Facebook, words), "quote"), words);
        assert_eq!(parameter(&link(Platform::WhatsApp, words), "text"), format!("{words}\n{ADDRESS}"));
        let mail = link(Platform::Email, words);
        assert_eq!(parameter(&mail, "body").replace("\r\n", "\n"), format!("{words}\n\n{ADDRESS}"));
        assert_eq!(parameter(&mail, "subject"), "a&b=c#d%20", "the first line");
        for platform in Platform::ALL {
            assert!(link(*platform, words).is_ascii());
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_graphemes() {
        // A family is one cluster of seven characters, an accent is part of its letter.
        for cluster in
            ["\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}", "e\u{301}", "\u{1f1e8}\u{1f1f2}"]
        {
            let shown = parameter(&link(Platform::Telegram, &cluster.repeat(600)), "text");
            let kept = shown.strip_suffix(CUT).expect("the sign that it was cut");
            assert_eq!(kept.replace(cluster, ""), "", "only whole ones");
            assert!(shown.chars().count() <= WORDS && shown.chars().count() > WORDS - 10);
            let on_x = parameter(&link(Platform::X, &cluster.repeat(600)), "text");
            assert!(on_x.chars().map(weight_on_x).sum::<usize>() <= WORDS_ON_X);
        }
        assert_eq!(parameter(&link(Platform::X, &"a".repeat(256)), "text"), "a".repeat(256));
        assert_eq!(parameter(&link(Platform::X, &"a".repeat(257)), "text").chars().count(), 255);
    }

    #[test]
    fn without_words_there_is_the_address() {
        assert_eq!(parameter(&link(Platform::WhatsApp, " \n"), "text"), ADDRESS);
        assert_eq!(parameter(&link(Platform::Email, ""), "body"), ADDRESS);
    }
}
