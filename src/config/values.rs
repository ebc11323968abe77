//! What a setting may hold, and how it is read and shown.

use ipnet::IpNet;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
};

/// Why text is no value of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongValue {
    /// What is wrong and what would be right.
    pub reason: String,
    /// The accepted word that is nearest, if any is near.
    pub nearest: Option<String>,
}

impl WrongValue {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), nearest: None }
    }
}

/// A type that settings can have.
pub trait Value: Sized {
    /// What it takes, in words.
    const TAKES: &'static str;
    /// Whether it is written without quotes in TOML.
    const BARE: bool = false;
    /// Whether it must not be shown.
    const SECRET: bool = false;

    /// Reads it.
    fn read(text: &str) -> Result<Self, WrongValue>;

    /// Shows it so that it reads back, unless it is secret.
    fn show(&self) -> String;
}

/// Holds a number to its range.
pub(super) fn within<T: PartialOrd + fmt::Display>(
    value: T,
    range: &RangeInclusive<T>,
) -> Result<T, WrongValue> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(WrongValue::new(format!("it must be between {} and {}", range.start(), range.end())))
}

macro_rules! whole_numbers {
    ($($type:ty)*) => {$(
        impl Value for $type {
            const TAKES: &'static str = "a whole number";
            const BARE: bool = true;

            fn read(text: &str) -> Result<Self, WrongValue> {
                text.parse().map_err(|_| WrongValue::new(format!("it must be a whole number from 0 to {}", Self::MAX)))
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers! { u32 u64 i64 usize }

impl Value for bool {
    const TAKES: &'static str = "on or off";

    fn read(text: &str) -> Result<Self, WrongValue> {
        match text {
            "on" | "true" => Ok(true),
            "off" | "false" => Ok(false),
            _ => Err(WrongValue::new("it must be on or off")),
        }
    }

    fn show(&self) -> String {
        if *self { "on" } else { "off" }.to_owned()
    }
}

impl Value for String {
    const TAKES: &'static str = "text";

    fn read(text: &str) -> Result<Self, WrongValue> {
        if text.is_empty() { Err(WrongValue::new("it must not be empty")) } else { Ok(text.to_owned()) }
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const TAKES: &'static str = "a path";

    fn read(text: &str) -> Result<Self, WrongValue> {
        String::read(text).map(Self::from)
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for SocketAddr {
    const TAKES: &'static str = "an address with port, such as 127.0.0.1:8080 (port 0 takes a free one)";

    fn read(text: &str) -> Result<Self, WrongValue> {
        let reason = "it must be an IP address with a port, such as 127.0.0.1:8080 or [::]:8080";
        text.parse().map_err(|_| WrongValue::new(reason))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for IpNet {
    const TAKES: &'static str = "a network such as 10.0.0.0/8, or an address";

    fn read(text: &str) -> Result<Self, WrongValue> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        let reason = "it must be a network such as 10.0.0.0/8 or 2001:db8::/32, or a bare address";
        network.map(|network| network.trunc()).map_err(|_| WrongValue::new(reason))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// `off` or nothing is `None`.
impl<T: Value> Value for Option<T> {
    const TAKES: &'static str = T::TAKES;
    const SECRET: bool = T::SECRET;

    fn read(text: &str) -> Result<Self, WrongValue> {
        if text.is_empty() || text == "off" { Ok(None) } else { T::read(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "off".to_owned(), T::show)
    }
}

/// Items by comma; nothing is the empty list.
impl<T: Value> Value for Vec<T> {
    const TAKES: &'static str = "a list by comma";

    fn read(text: &str) -> Result<Self, WrongValue> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::read).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(",")
    }
}

/// Text that is never shown or logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Value for Secret {
    const TAKES: &'static str = "secret text";
    const SECRET: bool = true;

    fn read(text: &str) -> Result<Self, WrongValue> {
        match text {
            "***" => Err(WrongValue::new("this is how `config` hides the secret: give the secret itself")),
            _ => String::read(text).map(Self),
        }
    }

    fn show(&self) -> String {
        "***".to_owned()
    }
}

/// Where a server is reached by HTTP: scheme, host and perhaps a path, without a slash at its end. Whatever leads there appends to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress(String);

impl WebAddress {
    /// The address; a path is appended to it as it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for WebAddress {
    const TAKES: &'static str = "a web address such as https://example.org";

    fn read(text: &str) -> Result<Self, WrongValue> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        // What goes into headers and scripts: no blanks, no user, no query. International names are written in punycode.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !br#"?#@"<>\"#.contains(&byte));
        if host.is_empty() || !is_plain {
            let reason = "it must be http:// or https:// with a host, in ASCII, and without a query";
            return Err(WrongValue::new(reason));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Where a backend is: a word (`sqlite`, `memory`) or a URL, whose password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendUrl(String);

impl BackendUrl {
    /// The word or URL, password included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the address of a server, rather than a word for what is built in.
    pub fn is_server(&self) -> bool {
        self.0.contains("://")
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for BackendUrl {
    const TAKES: &'static str = "a word or a URL";
    const SECRET: bool = true;

    fn read(text: &str) -> Result<Self, WrongValue> {
        String::read(text).map(Self)
    }

    fn show(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        // Options behind the place may hold a password as well, and a password that is not encoded as it must be any sign.
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        match place.rsplit_once('@') {
            _ if options.contains('@') => format!("{scheme}://***"),
            Some((_, place)) => format!("{scheme}://***@{place}"),
            None => format!("{scheme}://{place}"),
        }
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$word_doc])* $variant),*
        }

        impl Value for $name {
            const TAKES: &'static str = concat!("one of", $(" ", $text),*);

            fn read(text: &str) -> Result<Self, WrongValue> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(WrongValue {
                        reason: format!("it must be {}", Self::TAKES),
                        nearest: super::nearest(text, [$($text),*].into_iter()),
                    }),
                }
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => $text),* }.to_owned()
            }
        }
    )*};
}

words! {
    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line, for collectors.
        Json = "json",
    }
    /// Where proxies say for whom they ask.
    ClientHeader {
        /// The one that most proxies write.
        XForwardedFor = "x-forwarded-for",
        /// The one of RFC 7239.
        Forwarded = "forwarded",
    }
    /// An algorithm that signs tokens (RFC 7518, RFC 8037). `none` is not among them.
    Algorithm {
        /// HMAC with SHA-256 and a shared secret.
        Hs256 = "HS256",
        /// RSA PKCS #1 with SHA-256.
        Rs256 = "RS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_address_can_be_put_into_a_header_and_prefixed_to_a_path() {
        for (text, kept) in [
            ("https://example.org", "https://example.org"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://example.org/cc/", "https://example.org/cc"),
        ] {
            assert_eq!(WebAddress::read(text).expect(text).as_str(), kept);
        }
        for text in [
            "example.org",
            "ftp://a.org",
            "https://",
            "https:///x",
            "https://a.org/?a",
            "https://\u{e9}.org",
            "http://a b",
            "http://a\r\nb",
        ] {
            assert!(WebAddress::read(text).is_err(), "{text}");
        }
    }
}
