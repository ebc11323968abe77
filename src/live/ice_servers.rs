//! STUN and TURN servers that clients are told of.

use crate::clock;
use base64::{Engine, engine::general_purpose::STANDARD};
use communiconnect_protocol::IceServer;
use ring::hmac;

/// Which servers, and how clients are let in.
#[derive(Clone, Default)]
pub struct IceServers {
    /// `stun:`, `turn:` and `turns:` addresses (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// The secret that is shared with the TURN servers, for credentials that run out; without it TURN is told as open.
    pub turn_secret: Option<String>,
}

/// How long a TURN credential lasts: the longest live, and some.
const LASTS_S: i64 = 13 * 60 * 60;

impl IceServers {
    /// For a client called `name`, from `now_ms` on: credentials are `expiry:name` and its HMAC-SHA1, as TURN servers with
    /// a shared secret take them.
    pub fn told_to(&self, name: &str, now_ms: i64) -> Vec<IceServer> {
        let (turn, stun): (Vec<_>, Vec<_>) =
            self.urls.iter().cloned().partition(|url| url.starts_with("turn"));
        let mut servers = Vec::new();
        if !stun.is_empty() {
            servers.push(IceServer { urls: stun, username: None, credential: None });
        }
        if !turn.is_empty() {
            let credentials = self.turn_secret.as_ref().map(|secret| {
                let username = format!("{}:{name}", now_ms / 1_000 + LASTS_S);
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
                let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
                (username, credential)
            });
            let (username, credential) = credentials.unzip();
            servers.push(IceServer { urls: turn, username, credential });
        }
        servers
    }

    /// For a client called `name`, from now on.
    pub fn for_client(&self, name: &str) -> Vec<IceServer> {
        self.told_to(name, clock::now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_has_credentials_that_run_out_and_stun_has_none() {
        let servers = IceServers {
            urls: vec!["stun:s.example".into(), "turn:t.example".into(), "turns:t.example".into()],
            turn_secret: Some("north".into()),
        };
        let told = servers.told_to("awa", 1_000_000);
        assert_eq!((told[0].urls.len(), told[0].username.as_deref()), (1, None));
        assert_eq!((told[1].urls.len(), told[1].username.as_deref()), (2, Some("47800:awa")));
        // printf 47800:awa | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(told[1].credential.as_deref(), Some("QA9UP+qy2xCbWvTh9VqSpoWjDYo="));
        assert!(IceServers::default().told_to("awa", 0).is_empty());
    }
}
