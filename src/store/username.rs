//! Which user name somebody gets who comes with a token from elsewhere.

use rand::Rng;
use unicode_normalization::UnicodeNormalization;

/// Fewest characters of a user name.
pub const MIN_CHARS: usize = 3;

/// Most characters of a user name: it stands in addresses and mentions.
pub const MAX_CHARS: usize = 32;

/// Numbers tried one after the other before chance decides, so that a common name costs a bounded search.
const COUNTED: u32 = 50;

/// Names tried by chance: a million numbers for each makes a second one rare.
const BY_CHANCE: usize = 50;

/// Whether text may be a user name: 3-32 of `[A-Za-z0-9_.-]`.
pub fn is_valid(text: &str) -> bool {
    (MIN_CHARS..=MAX_CHARS).contains(&text.len()) && text.bytes().all(is_valid_byte)
}

/// Names to try, the nicest first: from the subject where that is readable, else from the name to show; then with numbers.
pub(super) fn candidates(subject: &str, name: Option<&str>) -> impl Iterator<Item = String> {
    let base = base(subject, name);
    let counted = (2..=COUNTED).map(|number| number.to_string());
    let by_chance = (0..BY_CHANCE).map(|_| rand::rng().random_range(COUNTED + 1..1_000_000).to_string());
    let numbered = base.clone();
    std::iter::once(base).chain(counted.chain(by_chance).map(move |number| with_number(&numbered, &number)))
}

/// A subject is often a number, an address or a key of the issuer's database: no name for people, and not for everybody
/// to see. Then the name to show serves.
fn base(subject: &str, name: Option<&str>) -> String {
    if is_valid(subject)
        && subject.starts_with(|first: char| first.is_ascii_alphabetic())
        && !is_uuid(subject)
    {
        return subject.to_owned();
    }
    if let Some(name) = name.map(valid_part).filter(|name| name.len() >= MIN_CHARS) {
        return name;
    }
    match subject {
        short if short.len() <= MAX_CHARS - "user-".len() && short.bytes().all(is_valid_byte) => {
            format!("user-{short}")
        }
        _ => "user".to_owned(),
    }
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// What is left of a name: accents are dropped, spaces become `_`.
fn valid_part(name: &str) -> String {
    let plain = name.nfkd().map(|letter| if letter.is_whitespace() { '_' } else { letter });
    plain.filter(|letter| u8::try_from(*letter).is_ok_and(is_valid_byte)).take(MAX_CHARS).collect()
}

fn with_number(base: &str, number: &str) -> String {
    let kept = base.len().min(MAX_CHARS - number.len());
    format!("{}{number}", &base[..kept])
}

fn is_valid_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(subject: &str, name: Option<&str>) -> String {
        candidates(subject, name).next().unwrap()
    }

    #[test]
    fn a_readable_subject_is_the_name() {
        assert_eq!(first("alice", Some("Alice Adams")), "alice");
    }

    #[test]
    fn numbers_addresses_and_keys_are_not_shown_where_there_is_a_name() {
        for subject in ["42", "ann@example.org", "auth0|5f7c", "0191f6a0-0000-7000-8000-000000000000"] {
            assert_eq!(first(subject, Some("Zoë Ann")), "Zoe_Ann", "{subject}");
        }
    }

    #[test]
    fn without_a_name_something_valid_is_found() {
        assert_eq!(first("42", None), "user-42");
        assert_eq!(first("ann@example.org", None), "user");
        assert_eq!(first("42", Some("李")), "user-42");
    }

    #[test]
    fn a_long_name_makes_room_for_its_number() {
        let long = "z".repeat(MAX_CHARS);
        let second = candidates(&long, None).nth(1).unwrap();
        assert_eq!(second, format!("{}2", "z".repeat(MAX_CHARS - 1)));
    }

    proptest! {
        #[test]
        fn every_candidate_is_valid(subject in ".{0,40}", name in proptest::option::of(".{0,90}")) {
            for candidate in candidates(&subject, name.as_deref()) {
                prop_assert!(is_valid(&candidate), "{candidate:?}");
            }
        }
    }
}
