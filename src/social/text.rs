//! Rules of text: what a person may write, and how it is kept.
//!
//! Texts are normalised to NFC (Unicode Standard Annex #15), so that the same words are the same bytes. Limits count
//! Unicode scalar values of the normalised text. Control characters but newline and tab are refused.

use crate::blank::is_blank;
use communiconnect_protocol::ErrorBody;
use unicode_normalization::UnicodeNormalization;

/// Longest `op`, in characters.
pub(super) const OP_CHARS: usize = 64;

/// A text of a command, before the rules were applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// The field it stands in, for the refusal.
    pub(crate) field: &'static str,
    /// What was written.
    pub(crate) raw: &'a str,
    /// Most characters allowed.
    pub(crate) max: usize,
}

impl Text<'_> {
    /// The text as it is kept.
    ///
    /// # Errors
    /// `invalid` with the field and the allowed range where it is blank, too long, or holds a control character.
    pub(crate) fn check(self) -> Result<String, ErrorBody> {
        // One more than allowed tells that it is too long; more is never built, however long the input is.
        let text: String = self.raw.nfc().take(self.max + 1).collect();
        if text.chars().count() > self.max {
            return Err(self.refuse("is too long"));
        }
        if text.chars().any(is_refused) {
            return Err(self.refuse("holds a control character other than newline and tab"));
        }
        if is_blank(&text) {
            return Err(self.refuse("is blank"));
        }
        Ok(text)
    }

    fn refuse(&self, what: &str) -> ErrorBody {
        let Self { field, max, .. } = self;
        ErrorBody::invalid(
            *field,
            format!("`{field}` {what}: 1 to {max} characters, not blank, no control characters"),
        )
    }
}

/// The client's id of an operation: 1 to 64 characters without control characters, kept as they are.
///
/// # Errors
/// `invalid` with the field.
pub(super) fn check_op(op: &str) -> Result<(), ErrorBody> {
    let chars = op.chars().take(OP_CHARS + 1).count();
    if (1..=OP_CHARS).contains(&chars) && !op.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("`op` must be 1 to {OP_CHARS} characters without control characters");
    Err(ErrorBody::invalid("op", message))
}

fn is_refused(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blank::is_invisible;
    use communiconnect_protocol::Code;
    use proptest::prelude::*;

    fn check(raw: &str, max: usize) -> Result<String, ErrorBody> {
        Text { field: "content", raw, max }.check()
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_taken_and_one_more_is_not() {
        assert_eq!(check(&"é".repeat(200), 200).expect("200 fit"), "é".repeat(200));
        let refusal = check(&"é".repeat(201), 200).expect_err("201 do not");
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::Invalid, Some("content")));
        assert!(refusal.message.contains("1 to 200 characters"), "{}", refusal.message);
    }

    #[test]
    fn the_limit_counts_scalar_values_of_the_normalised_text() {
        assert_eq!(check(&"e\u{301}".repeat(5), 5).expect("five letters"), "é".repeat(5));
        assert_eq!(check("👍🏽", 2).expect("a thumb and its skin"), "👍🏽");
        assert!(check("👍🏽", 1).is_err());
    }

    #[test]
    fn control_characters_are_refused_but_newline_and_tab_are_not() {
        assert_eq!(check("a\n\tb", 10).expect("both allowed"), "a\n\tb");
        for bad in ["a\0", "a\r\nb", "\u{7f}x", "\u{85}x", "\u{1b}[31m"] {
            assert_eq!(check(bad, 100).expect_err(bad).field.as_deref(), Some("content"));
        }
    }

    #[test]
    fn what_shows_nothing_is_blank() {
        for blank in ["", " ", "\n\t\n", "\u{3000}", "\u{200b}", "\u{feff}\u{2060} ", "\u{3164}"] {
            assert!(check(blank, 10).expect_err("blank").message.contains("blank"), "{blank:?}");
        }
        assert!(check("\u{200b}a", 10).is_ok(), "a joiner beside a letter is how some languages are written");
    }

    #[test]
    fn an_op_is_1_to_64_characters_without_control_characters() {
        assert!(check_op("x").is_ok() && check_op(&"é".repeat(64)).is_ok());
        for bad in [String::new(), "x".repeat(65), "x".repeat(1_000_000), "nul\0".into(), "a\nb".into()] {
            assert_eq!(check_op(&bad).expect_err("not an op").field.as_deref(), Some("op"));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_normal_visible_and_short_enough(raw in any::<String>(), max in 1_usize..40) {
            if let Ok(text) = check(&raw, max) {
                prop_assert!(text.chars().count() <= max);
                prop_assert!(!text.chars().any(is_refused));
                prop_assert!(!is_blank(&text));
                prop_assert_eq!(check(&text, max).expect("taken again"), text.clone(), "not stable");
                prop_assert_eq!(raw.nfc().collect::<String>(), text);
            } else {
                let normal: Vec<char> = raw.nfc().collect();
                prop_assert!(
                    normal.len() > max
                        || normal.iter().copied().any(is_refused)
                        || normal.iter().copied().all(is_invisible)
                );
            }
        }
    }
}
