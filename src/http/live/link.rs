//! Link headers (RFC 8288): ICE servers (RFC 9725, section 4.6) and extensions (section 4.9).

use axum::http::{HeaderMap, HeaderValue, header};
use communiconnect_protocol::IceServer;
use std::fmt::Write;

/// Adds one link for every address of every server, in the order of preference.
pub(super) fn add_ice_servers(headers: &mut HeaderMap, servers: &[IceServer]) {
    for server in servers {
        for url in &server.urls {
            let mut link = format!("<{url}>; rel=\"ice-server\"");
            if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
                write_parameter(&mut link, "username", username);
                write_parameter(&mut link, "credential", credential);
                write_parameter(&mut link, "credential-type", "password");
            }
            add(headers, &link);
        }
    }
}

/// Adds a link to an extension; `events` as the events extension has it.
pub(super) fn add_extension(headers: &mut HeaderMap, url: &str, urn: &str, events: Option<&str>) {
    let mut link = format!("<{url}>; rel=\"{urn}\"");
    if let Some(events) = events {
        write_parameter(&mut link, "events", events);
    }
    add(headers, &link);
}

fn write_parameter(link: &mut String, name: &str, value: &str) {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    write!(link, "; {name}=\"{escaped}\"").expect("writing to a string does not fail");
}

fn add(headers: &mut HeaderMap, link: &str) {
    // What operators wrote into their settings may be no header: then clients are told of one server less.
    match HeaderValue::from_str(link) {
        Ok(value) => drop(headers.append(header::LINK, value)),
        Err(_) => {
            tracing::warn!("an ICE server's address or user name has characters that no header may have")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(headers: &HeaderMap) -> Vec<&str> {
        headers.get_all(header::LINK).iter().map(|link| link.to_str().expect("text")).collect()
    }

    #[test]
    fn servers_are_told_with_their_credentials() {
        let (username, credential) = (Some("17:a\"wa".to_owned()), Some("c2Vj".to_owned()));
        let servers = [
            IceServer { urls: vec!["stun:s.example".into()], username: None, credential: None },
            IceServer { urls: vec!["turn:t.example".into(), "turns:t.example".into()], username, credential },
        ];
        let mut headers = HeaderMap::new();
        add_ice_servers(&mut headers, &servers);
        let told = |url: &str| {
            format!(
                r#"<{url}>; rel="ice-server"; username="17:a\"wa"; credential="c2Vj"; credential-type="password""#
            )
        };
        assert_eq!(
            links(&headers),
            [r#"<stun:s.example>; rel="ice-server""#, &told("turn:t.example"), &told("turns:t.example")]
        );
    }

    #[test]
    fn extensions_are_told_with_their_events() {
        let mut headers = HeaderMap::new();
        add_extension(&mut headers, "/a", "urn:x", None);
        add_extension(&mut headers, "/b", "urn:y", Some("active,layers"));
        assert_eq!(links(&headers), [r#"</a>; rel="urn:x""#, r#"</b>; rel="urn:y"; events="active,layers""#]);
    }

    #[test]
    fn what_is_no_header_is_left_out() {
        let server = IceServer { urls: vec!["stun:\n".into()], username: None, credential: None };
        let mut headers = HeaderMap::new();
        add_ice_servers(&mut headers, &[server]);
        assert!(headers.is_empty());
    }
}
