//! Which bytes a request wants (RFC 9110, sections 13 and 14): one range at most, which is all that players ask for.

use axum::http::{HeaderMap, header};

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The client has it.
    Nothing,
    /// All of it.
    Whole,
    /// Some of it.
    Part {
        /// From here on.
        first: u64,
        /// So many.
        length: u64,
    },
    /// What is not there.
    Beyond,
}

pub(super) fn wanted(headers: &HeaderMap, tag: &str, bytes: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|known| knows(known, tag)) {
        return Wanted::Nothing;
    }
    let is_same = text(header::IF_RANGE).is_none_or(|asked| asked.trim() == tag);
    match text(header::RANGE) {
        Some(range) if is_same => part(range, bytes),
        _ => Wanted::Whole,
    }
}

fn knows(known: &str, tag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// What does not read as one range is ignored, as servers may.
fn part(range: &str, bytes: u64) -> Wanted {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let (first, last) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if last >= first => (first, last),
        (Ok(first), Err(_)) if last.trim().is_empty() => (first, u64::MAX),
        (Err(_), Ok(last)) if first.trim().is_empty() => {
            (bytes.saturating_sub(last), if last == 0 { 0 } else { u64::MAX })
        }
        _ => return Wanted::Whole,
    };
    let last = last.min(bytes.saturating_sub(1));
    if first >= bytes || last < first {
        return Wanted::Beyond;
    }
    Wanted::Part { first, length: last - first + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pairs: &[(header::HeaderName, &str)]) -> Wanted {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
        wanted(&headers.collect(), "\"a\"", 100)
    }

    #[test]
    fn one_range_is_served_and_what_is_known_is_not_sent() {
        let range = |text| ask(&[(header::RANGE, text)]);
        assert_eq!(ask(&[]), Wanted::Whole);
        assert_eq!(range("bytes=0-9"), Wanted::Part { first: 0, length: 10 });
        assert_eq!(range("bytes=90-"), Wanted::Part { first: 90, length: 10 });
        assert_eq!(range("bytes=90-1000"), Wanted::Part { first: 90, length: 10 });
        assert_eq!(range("bytes=-5"), Wanted::Part { first: 95, length: 5 });
        assert_eq!(range("bytes=-500"), Wanted::Part { first: 0, length: 100 });
        for beyond in ["bytes=100-", "bytes=-0", "bytes=200-300"] {
            assert_eq!(range(beyond), Wanted::Beyond, "{beyond}");
        }
        for ignored in ["bytes=9-3", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=-"] {
            assert_eq!(range(ignored), Wanted::Whole, "{ignored}");
        }
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"b\", W/\"a\"")]), Wanted::Nothing);
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "*")]), Wanted::Nothing);
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"b\"")]), Wanted::Whole);
        assert_eq!(ask(&[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, "\"b\"")]), Wanted::Whole);
    }
}
