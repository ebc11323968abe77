//! `GET /v1/ws`: from a request to a session of the hub.

use super::{
    Handshake, Offer, Peer, Problem, listener,
    slots::Slot,
    state::{HttpSettings, HttpState},
    websocket::Watched,
    ws,
};
use crate::metrics;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::Response,
};
use bytes::Bytes;
use communiconnect_protocol::{Code, ErrorBody, Format};
use std::sync::Arc;

/// Opens a socket, or says why not.
pub(super) async fn open(State(state): State<Arc<HttpState>>, request: Request) -> Result<Response, Problem> {
    let (head, _) = request.into_parts();
    let handshake = Handshake::read(&head)?;
    let (format, subprotocol) = choose(&handshake.offer)?;
    check_origin(&state.settings, &head.headers)?;
    takes_somebody(&state)?;
    let peer = head.extensions.get::<Peer>().expect("the listener names every peer");
    let (door, message_bytes) = (Arc::clone(&state.door), state.settings.message_bytes);
    let opened = ws::Opened { format, client: Some(peer.client) };
    let slot = through_proxy(&state, peer)?;
    peer.take_over(move |stream, leftover| async move {
        let _held = slot;
        ws::serve(Watched::new(stream, leftover, message_bytes), Bytes::new(), opened, door).await;
    });
    metrics::SOCKETS_OPENED.add(format.subprotocol(), 1);
    Ok(handshake.accept(subprotocol))
}

/// Refuses whoever comes to a node that stops or is drained.
pub(super) fn takes_somebody(state: &HttpState) -> Result<(), ErrorBody> {
    if state.readiness.takes_nobody() {
        let message = "this node takes nobody any more; connect again, to another one";
        return Err(ErrorBody::new(Code::Unavailable, message).retry_after(1_000));
    }
    Ok(())
}

/// A place among its client's, for a socket that comes through a proxy: the listener has counted the others. One for whom
/// the proxy names nobody is the proxy's own.
pub(super) fn through_proxy(state: &HttpState, peer: &Peer) -> Result<Option<Slot>, Problem> {
    if !peer.is_proxy {
        return Ok(None);
    }
    state.behind_proxies.take(peer.client).map(Some).map_err(listener::refusal)
}

/// The first offered subprotocol that is spoken; JSON where none is offered, so that any command-line client can talk.
fn choose(offer: &Offer) -> Result<(Format, Option<&'static str>), Problem> {
    if offer.0.is_empty() {
        return Ok((Format::Json, None));
    }
    let known = offer.0.iter().find_map(|name| name.parse::<Format>().ok());
    known.map(|format| (format, Some(format.subprotocol()))).ok_or_else(|| {
        let spoken = Format::ALL.map(Format::subprotocol).join(" and ");
        let message = format!("none of the offered subprotocols is spoken here; offer one of {spoken}");
        ErrorBody::new(Code::BadRequest, message).into()
    })
}

/// CORS does not cover sockets, so that `http.origins` is held to here. The page itself is always welcome.
fn check_origin(settings: &HttpSettings, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let named = |origin: &str| settings.origins.iter().any(|known| known == "*" || known == origin);
    let allowed = origin.to_str().is_ok_and(|origin| {
        let host = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
        named(origin) || host.is_some_and(|host| headers.get(header::HOST).is_some_and(|ours| *ours == *host))
    });
    if allowed {
        return Ok(());
    }
    let message = "pages of this origin may not connect (http.origins)";
    Err(Problem::new(StatusCode::FORBIDDEN, Code::Forbidden, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn chosen(offered: &[&str]) -> Result<Option<&'static str>, u16> {
        let offer = Offer(offered.iter().map(|name| (*name).to_owned()).collect());
        choose(&offer).map(|(_, name)| name).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn the_first_known_subprotocol_is_chosen() {
        assert_eq!(chosen(&[]), Ok(None));
        assert_eq!(chosen(&["x", "cc.v1.json", "cc.v1.msgpack"]), Ok(Some("cc.v1.json")));
        assert_eq!(chosen(&["cc.v1.msgpack", "cc.v1.json"]), Ok(Some("cc.v1.msgpack")));
        assert_eq!(chosen(&["graphql-ws"]), Err(400));
    }

    #[test]
    fn sockets_keep_to_the_origins_of_the_settings() {
        let allowed = |origins: &str, origin: &'static str| {
            let config = Config::with([("http.origins", origins)]).expect("good settings");
            let fields = [(header::ORIGIN, origin), (header::HOST, "hub.example:8080")];
            let headers =
                fields.into_iter().map(|(name, value)| (name, value.parse().expect("a value"))).collect();
            check_origin(&HttpSettings::of(&config), &headers).is_ok()
        };
        assert!(allowed("*", "https://anywhere.example"));
        assert!(allowed("https://a.example", "https://a.example"));
        assert!(!allowed("https://a.example", "https://b.example"));
        assert!(allowed("https://a.example", "http://hub.example:8080"), "the page itself");
        assert!(!allowed("https://a.example", "null"));
    }
}
