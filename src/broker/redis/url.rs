//! `broker.url`: which Redis, how it is reached, and as whom. Pure.

use percent_encoding::percent_decode_str;
use std::fmt;

/// Port of a Redis, where none is named.
const REDIS_PORT: u16 = 6_379;
/// Port of a Sentinel, where none is named.
const SENTINEL_PORT: u16 = 26_379;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = self.host.contains(':');
        let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

/// How the servers stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrangement {
    /// One server.
    Standalone(Address),
    /// One primary at a time, found by asking Sentinels for `service`.
    Sentinel { sentinels: Vec<Address>, service: String },
    /// Several primaries, found by asking any of them.
    Cluster(Vec<Address>),
}

/// A user and a password of an access-control list; the user may be left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Where the broker is: `redis://`, `rediss://` (TLS), `redis-sentinel://HOST,HOST/SERVICE` or
/// `redis-cluster://HOST,HOST`, each with `USER:PASSWORD@` before the hosts where needed. `?tls=on` asks for TLS where
/// the scheme cannot, `?sentinel_user=…&sentinel_password=…` names whom Sentinels know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) arrangement: Arrangement,
    pub(super) login: Login,
    pub(super) sentinel_login: Login,
    pub(super) tls: bool,
}

/// Text that is no URL of a Redis. Never repeats the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broker.url is no URL of a Redis: {0}")]
pub struct WrongUrl(String);

impl RedisUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it and what would be right.
    pub fn parse(text: &str) -> Result<Self, WrongUrl> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("write redis://HOST:PORT"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (read_login(login)?, hosts),
            None => (Login::default(), authority),
        };
        let port = if scheme == "redis-sentinel" { SENTINEL_PORT } else { REDIS_PORT };
        let hosts = hosts.split(',').map(|host| read_address(host, port)).collect::<Result<Vec<_>, _>>()?;
        let (mut tls, mut sentinel_login) = (scheme == "rediss", Login::default());
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match (name, value) {
                ("tls", "on") => tls = true,
                ("sentinel_user", user) => sentinel_login.user = Some(decode(user)?),
                ("sentinel_password", password) => sentinel_login.password = Some(decode(password)?),
                _ => {
                    return Err(wrong("known after `?` are tls=on, sentinel_user=… and sentinel_password=…"));
                }
            }
        }
        let arrangement = match (scheme, path, hosts.as_slice()) {
            ("redis" | "rediss", "" | "0", [one]) => Arrangement::Standalone(one.clone()),
            ("redis" | "rediss", "" | "0", _) => {
                return Err(wrong(
                    "one server is redis://HOST; several are redis-sentinel:// or redis-cluster://",
                ));
            }
            ("redis-cluster", "" | "0", _) => Arrangement::Cluster(hosts),
            ("redis" | "rediss" | "redis-cluster", ..) => {
                return Err(wrong("leave the database out: messages are the same in all of them"));
            }
            ("redis-sentinel", "", _) => {
                return Err(wrong(
                    "name the service that the Sentinels watch: redis-sentinel://HOST,HOST/SERVICE",
                ));
            }
            ("redis-sentinel", service, _) => {
                Arrangement::Sentinel { sentinels: hosts, service: decode(service)? }
            }
            _ => return Err(wrong("its scheme is redis, rediss, redis-sentinel or redis-cluster")),
        };
        Ok(Self { arrangement, login, sentinel_login, tls })
    }
}

fn wrong(reason: &str) -> WrongUrl {
    WrongUrl(reason.to_owned())
}

fn decode(text: &str) -> Result<String, WrongUrl> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| wrong("what is written with % must be UTF-8"))?.into_owned())
}

fn read_login(text: &str) -> Result<Login, WrongUrl> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let some = |text: &str| if text.is_empty() { Ok(None) } else { decode(text).map(Some) };
    Ok(Login { user: some(user)?, password: some(password)? })
}

fn read_address(text: &str, default: u16) -> Result<Address, WrongUrl> {
    // The colons of an IPv6 address are inside brackets (RFC 3986 §3.2.2).
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => default,
        Some(port) => port.parse().map_err(|_| wrong("a port is a number up to 65535"))?,
    };
    if host.is_empty() {
        Err(wrong("a host is missing"))
    } else {
        Ok(Address { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    #[test]
    fn every_arrangement_has_its_scheme() {
        let arrangement = |text| RedisUrl::parse(text).map(|url| url.arrangement);
        assert_eq!(arrangement("redis://a"), Ok(Arrangement::Standalone(at("a", 6_379))));
        assert_eq!(arrangement("rediss://[::1]:7/0"), Ok(Arrangement::Standalone(at("::1", 7))));
        assert_eq!(
            arrangement("redis-sentinel://a,b:5/main"),
            Ok(Arrangement::Sentinel {
                sentinels: vec![at("a", 26_379), at("b", 5)],
                service: "main".into()
            })
        );
        assert_eq!(
            arrangement("redis-cluster://a:1,b"),
            Ok(Arrangement::Cluster(vec![at("a", 1), at("b", 6_379)]))
        );
    }

    #[test]
    fn logins_may_hold_any_character() {
        let url = RedisUrl::parse("redis://me:p%40%2Fss@h:1").expect("a URL");
        assert_eq!(url.login.user.as_deref(), Some("me"));
        assert_eq!(url.login.password.as_deref(), Some("p@/ss"));
        let url = RedisUrl::parse("redis-sentinel://:x@h/s?sentinel_password=y&tls=on").expect("a URL");
        assert_eq!((url.login.user, url.login.password.as_deref()), (None, Some("x")));
        assert_eq!((url.sentinel_login.password.as_deref(), url.tls), (Some("y"), true));
    }

    #[test]
    fn a_wrong_url_says_what_is_right_without_repeating_secrets() {
        for (text, told) in [
            ("memory", "redis://HOST"),
            ("http://u:secret@h", "scheme"),
            ("redis://u:secret@h:port", "port"),
            ("redis://u:secret@h/3", "database"),
            ("redis://u:secret@a,b", "redis-cluster"),
            ("redis-sentinel://u:secret@a", "SERVICE"),
            ("redis://u:secret@", "host"),
            ("redis://h?secret=1", "tls=on"),
        ] {
            let error = RedisUrl::parse(text).expect_err(text).to_string();
            assert!(
                error.contains(told) && !error.contains("secret@") && !error.contains("u:secret"),
                "{error}"
            );
        }
    }
}
