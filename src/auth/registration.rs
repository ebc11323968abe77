//! What somebody may be called, and what may be a password.

use super::{
    RegisterRequest,
    error::{Fault, Faults},
};
use crate::{blank::is_blank, store::username};
use std::ops::RangeInclusive;
use unicode_normalization::UnicodeNormalization;

/// Characters of a password. The upper bound keeps what is hashed and sent small; longer adds nothing.
const PASSWORD_CHARS: RangeInclusive<usize> = 8..=128;

/// Characters of a name to show.
const NAME_CHARS: RangeInclusive<usize> = 1..=80;

/// Bytes of an e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub(super) const EMAIL_BYTES: RangeInclusive<usize> = 3..=254;

/// What somebody wants to be called, checked and normalised.
pub(super) struct Wish {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) password: String,
    pub(super) name: String,
}

impl Wish {
    /// # Errors
    /// Everything that is wrong, in the order of the fields.
    pub(super) fn checked(request: RegisterRequest) -> Result<Self, Faults> {
        let RegisterRequest { username, email, password, name } = request;
        let mut faults = Vec::new();
        if !username::is_valid(&username) {
            faults.push(Fault { field: "username", message: "must be 3-32 of A-Z a-z 0-9 _ . -" });
        }
        if !is_email(&email) {
            faults.push(Fault { field: "email", message: "must be an e-mail address" });
        }
        let mut normal = |outcome: Result<String, Fault>| {
            outcome.unwrap_or_else(|fault| {
                faults.push(fault);
                String::new()
            })
        };
        let password = normal(normal_password(&password));
        let name = name.map_or_else(|| username.clone(), |name| normal(normal_name(&name)));
        Faults::check(faults)?;
        Ok(Self { username, email, password, name })
    }
}

/// NFC, so that a password typed on another device is the same one (RFC 8265 §4.2).
pub(super) fn normal_password(password: &str) -> Result<String, Fault> {
    let password: String = password.nfc().take(PASSWORD_CHARS.end() + 1).collect();
    if PASSWORD_CHARS.contains(&password.chars().count()) {
        Ok(password)
    } else {
        Err(Fault { field: "password", message: "must have 8-128 characters" })
    }
}

fn normal_name(name: &str) -> Result<String, Fault> {
    let name: String = name.trim().nfc().take(NAME_CHARS.end() + 1).collect();
    if !NAME_CHARS.contains(&name.chars().count()) {
        return Err(Fault { field: "name", message: "must have 1-80 characters" });
    }
    if name.chars().any(char::is_control) {
        return Err(Fault { field: "name", message: "must have no control characters" });
    }
    if is_blank(&name) {
        return Err(Fault { field: "name", message: "must show something" });
    }
    Ok(name)
}

/// What browsers take for `<input type=email>` (WHATWG HTML, "valid email address"): whether mail arrives is another matter.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    EMAIL_BYTES.contains(&text.len())
        && !local.is_empty()
        && local.bytes().all(is_local)
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RegisterRequest {
        RegisterRequest {
            username: "ann".into(),
            email: "ann@example.org".into(),
            password: "correct horse".into(),
            name: None,
        }
    }

    fn wrong_field(request: RegisterRequest) -> Option<&'static str> {
        Wish::checked(request).err().map(|faults| faults.first.field)
    }

    #[test]
    fn user_names_have_3_to_32_plain_characters() {
        for good in ["ann", "A_n.n-1", &"a".repeat(32)] {
            assert_eq!(wrong_field(RegisterRequest { username: good.into(), ..request() }), None, "{good}");
        }
        for bad in ["", "an", "a nn", "änn", "ann@example.org", "ann\n", &"a".repeat(33)] {
            let wrong = wrong_field(RegisterRequest { username: bad.into(), ..request() });
            assert_eq!(wrong, Some("username"), "{bad:?}");
        }
    }

    #[test]
    fn addresses_look_like_addresses() {
        for good in ["a@b.example", "a.b+c@example.org", "x@localhost"] {
            assert_eq!(wrong_field(RegisterRequest { email: good.into(), ..request() }), None, "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(250));
        for bad in
            ["", "ann", "@", "@example.org", "ann@", "a@b@c", "a b@c.d", "a@-b.c", "a@b..c", "a@b.c\n", &long]
        {
            let wrong = wrong_field(RegisterRequest { email: bad.into(), ..request() });
            assert_eq!(wrong, Some("email"), "{bad:?}");
        }
    }

    #[test]
    fn passwords_have_8_to_128_characters_however_many_bytes() {
        for (password, wrong) in [
            ("1234567".to_owned(), Some("password")),
            ("12345678".to_owned(), None),
            ("é".repeat(7), Some("password")),
            ("𝒑".repeat(128), None),
            ("p".repeat(129), Some("password")),
        ] {
            assert_eq!(
                wrong_field(RegisterRequest { password: password.clone(), ..request() }),
                wrong,
                "{password}"
            );
        }
        assert_eq!(normal_password("cafe\u{301} noir"), normal_password("caf\u{e9} noir"));
    }

    #[test]
    fn names_are_normalised_and_default_to_the_user_name() {
        let name = |name: Option<&str>| {
            Wish::checked(RegisterRequest { name: name.map(str::to_owned), ..request() })
        };
        assert_eq!(name(None).unwrap().name, "ann");
        assert_eq!(name(Some(" Zoe\u{308} ")).unwrap().name, "Zoë");
        for bad in ["", "   ", "a\u{0}b", "a\nb", "\u{200b}", "\u{3164}\u{200e}", &"n".repeat(81)] {
            assert_eq!(
                wrong_field(RegisterRequest { name: Some(bad.into()), ..request() }),
                Some("name"),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = RegisterRequest {
            username: "a".into(),
            email: "nowhere".into(),
            password: "short".into(),
            name: Some("a\nb".into()),
        };
        let faults = Wish::checked(wrong).err().expect("refused");
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["username", "email", "password", "name"]);
    }
}
