//! What every request must show before any route sees it: a head of bearable size, and a host that is ours.

use super::Problem;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use communiconnect_protocol::Code;
use std::{net::IpAddr, sync::Arc};

/// The rules of the gate.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// By which names we may be called.
    pub(super) hosts: Hosts,
    /// Bytes of a request head.
    pub(super) head_bytes: usize,
}

/// Host names that are ours, in lower case.
#[derive(Clone, Debug)]
pub(super) enum Hosts {
    /// The public side: these, or any where there are none.
    Public(Arc<[String]>),
    /// The operators' side: these, and always addresses and `localhost`. Only a name can be made to mean another address
    /// by whoever owns it (DNS rebinding), and a browser sends such a page's GETs without `Origin`.
    Operators(Arc<[String]>),
}

impl Hosts {
    fn has(&self, host: Option<&str>) -> bool {
        let is_named = |hosts: &[String]| hosts.iter().any(|ours| Some(ours.as_str()) == host);
        match self {
            Self::Public(hosts) => hosts.is_empty() || is_named(hosts),
            Self::Operators(hosts) => host.is_some_and(is_fixed) || is_named(hosts),
        }
    }

    /// The setting that names more.
    fn setting(&self) -> &'static str {
        match self {
            Self::Public(_) => "http.hosts",
            Self::Operators(_) => "admin.hosts",
        }
    }
}

/// Whether a host is an address, or the name that always means this machine (RFC 6761 §6.3).
fn is_fixed(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok() || host == "localhost"
}

/// The middleware.
pub(super) async fn gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    fn judge(&self, request: &Request) -> Result<(), Problem> {
        if head_size(request) > self.head_bytes {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let message = format!("the request head is over {} bytes", self.head_bytes);
            return Err(Problem::new(status, Code::TooLarge, message));
        }
        let host = host(request.version(), request.uri(), request.headers())?;
        // Probes come by address, and learn nothing here that they could misuse.
        let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
        if is_probe || self.hosts.has(host.as_deref()) {
            return Ok(());
        }
        let setting = self.hosts.setting();
        let message = format!("this server does not answer to the host name of the request ({setting})");
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, Code::BadRequest, message))
    }
}

/// The host without port, in lower case. HTTP/1.1 demands exactly one (RFC 9112 §3.2).
fn host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let wrong = |message| Problem::new(StatusCode::BAD_REQUEST, Code::BadRequest, message);
    let mut given = headers.get_all(header::HOST).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return Err(wrong("the request has more than one Host header"));
    }
    let named = match first {
        Some(value) if value.is_empty() => None,
        Some(value) => {
            let authority =
                Authority::try_from(value.as_bytes()).map_err(|_| wrong("the Host header names no host"))?;
            Some(authority.host().to_ascii_lowercase())
        }
        None if version == Version::HTTP_11 => return Err(wrong("the request has no Host header")),
        None => None,
    };
    // A request in absolute form overrules the header.
    Ok(uri.host().map(str::to_ascii_lowercase).or(named))
}

fn head_size(request: &Request) -> usize {
    const LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    const FIELD: usize = ": \r\n".len();
    let uri = request.uri();
    let target = uri.path_and_query().map_or(1, |target| target.as_str().len());
    let fields: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum();
    request.method().as_str().len() + target + LINE + fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn judged(hosts: &[&str], fields: &[(&str, &str)], path: &str) -> u16 {
        status(Hosts::Public(hosts.iter().map(|host| (*host).to_owned()).collect()), fields, path)
    }

    fn status(hosts: Hosts, fields: &[(&str, &str)], path: &str) -> u16 {
        let gate = Gate { hosts, head_bytes: 200 };
        let mut request = axum::http::Request::get(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        gate.judge(&request).err().map_or(200, |problem| problem.status.as_u16())
    }

    #[test]
    fn hosts_are_ours_or_misdirected() {
        assert_eq!(judged(&[], &[("host", "anything:80")], "/"), 200);
        assert_eq!(judged(&["hub.example"], &[("host", "HUB.example:8080")], "/"), 200);
        assert_eq!(judged(&["hub.example"], &[("host", "evil.example")], "/"), 421);
        assert_eq!(judged(&["hub.example"], &[("host", "10.0.0.1:8080")], "/healthz"), 200);
    }

    #[test]
    fn operators_come_by_an_address_or_a_name_that_is_ours() {
        let come_by = |host: &str| {
            let hosts = Hosts::Operators(["hub.internal".to_owned()].into());
            status(hosts, &[("host", host)], "/metrics")
        };
        for ours in
            ["127.0.0.1:8081", "[::1]:8081", "10.0.0.7", "localhost:8081", "LOCALHOST", "hub.internal"]
        {
            assert_eq!(come_by(ours), 200, "{ours}");
        }
        for foreign in ["evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "1.evil"] {
            assert_eq!(come_by(foreign), 421, "{foreign}");
        }
        let nobody = Hosts::Operators(Arc::default());
        assert_eq!(status(nobody, &[("host", "hub.internal")], "/healthz"), 200, "probes learn nothing");
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(judged(&[], &[], "/"), 400);
        assert_eq!(judged(&[], &[("host", "a"), ("host", "b")], "/"), 400);
        assert_eq!(judged(&[], &[("host", "a b")], "/"), 400);
    }

    #[test]
    fn a_long_head_is_refused() {
        let long = "x".repeat(200);
        assert_eq!(judged(&[], &[("host", "a"), ("x-long", &long)], "/"), 431);
    }
}
