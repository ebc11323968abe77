//! How a session begins, over a socket or as a stream: somebody is admitted, and hears of their own.

use super::ws::Door;
use crate::{
    auth::Identity,
    clock,
    hub::{Denied, SessionHandle},
};
use communiconnect_protocol::{CloseCode, Connected, Position};
use std::{collections::BTreeMap, sync::Arc};

/// Admits whoever a token was judged to be, and subscribes the session to their own channel and to what they resume.
///
/// # Errors
/// Why the session cannot begin; it is to be left then.
pub(super) async fn arrive(
    door: &Door,
    session: &Arc<SessionHandle>,
    identity: Identity,
    resume: BTreeMap<String, Position>,
) -> Result<Connected, Denied> {
    let user = identity.person().map(|person| person.user.clone());
    let expires_at = identity.person().and_then(|person| person.expires_at);
    door.hub.admit(session, identity)?;
    let subscriptions = door
        .hub
        .greet(session, resume)
        .await
        .map_err(|error| Denied { error, close: CloseCode::ServerError })?;
    // The end of a login comes through the person's own channel: what came before that was joined is asked for.
    door.auth.confirm(&session.identity(), clock::now_ms()).await?;
    let settings = door.hub.settings();
    Ok(Connected {
        session_id: session.id(),
        user,
        node: settings.node.clone(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        expires_at,
        ping_ms: settings.ping_ms,
        limits: settings.told.clone(),
        subscriptions,
    })
}
