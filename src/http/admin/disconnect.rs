//! `POST /v1/admin/disconnect`: sends a person's sessions away, or one of them, on whatever node they are.

use super::fields::Fields;
use crate::{
    http::{Problem, state::HttpState},
    hub::{Dismissal, Whom},
};
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{CloseCode, ErrorBody};
use serde_json::json;
use std::{str::FromStr, sync::Arc};

/// Bytes of an id.
const ID_BYTES: usize = 100;
/// Bytes of a reason: what a close frame has room for (RFC 6455 §5.5).
const REASON_BYTES: usize = 123;

/// `{user_id | session_id, code?, reason?}` -> `{closed, nodes: [{node, closed}]}`. It does not keep anybody from coming
/// back with a token that is good: codes from 4500 on ask clients not to.
pub(super) async fn disconnect(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let dismissal = read(Fields::of(&state, request).await?)?;
    let nodes = state.door.hub.dismiss(&dismissal).await?;
    let closed: u64 = nodes.iter().map(|node| node.closed).sum();
    tracing::info!(whom = ?dismissal.whom, code = dismissal.code.number(), closed, "an operator has sent somebody away");
    Ok(Json(json!({ "closed": closed, "nodes": nodes })).into_response())
}

fn read(mut fields: Fields) -> Result<Dismissal, ErrorBody> {
    let (user, session) = (fields.text("user_id", ID_BYTES)?, fields.text("session_id", ID_BYTES)?);
    let whom = match (user, session) {
        (Some(user), None) => Whom::User(id(&user)),
        (None, Some(session)) => Whom::Session(id(&session)),
        (None, None) => return Err(ErrorBody::invalid("user_id", "give user_id or session_id")),
        (Some(_), Some(_)) => {
            return Err(ErrorBody::invalid("session_id", "give user_id or session_id, not both"));
        }
    };
    let code = match fields.number("code")? {
        None => CloseCode::Operator,
        Some(number) => u16::try_from(number).ok().and_then(CloseCode::from_number).ok_or_else(|| {
            let known: Vec<_> = CloseCode::ALL.iter().map(|code| code.number().to_string()).collect();
            ErrorBody::invalid("code", format!("must be one of {}", known.join(", ")))
        })?,
    };
    Ok(Dismissal { whom, code, reason: fields.text("reason", REASON_BYTES)? })
}

/// Text that is no id names nobody.
fn id<T: FromStr<Err = std::convert::Infallible>>(text: &str) -> T {
    let Ok(id) = text.parse();
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const ID: &str = "0191f6a0-0000-7000-8000-000000000001";

    fn wish(body: Value) -> Result<Dismissal, Option<String>> {
        let fields = Fields::read(body.to_string().as_bytes()).expect("an object");
        read(fields).map_err(|error| error.field)
    }

    #[test]
    fn one_person_or_one_session_is_named() {
        let dismissal = wish(json!({"user_id": ID, "reason": "moved"})).expect("good");
        assert_eq!(dismissal.whom, Whom::User(id(ID)));
        assert_eq!((dismissal.code, dismissal.reason.as_deref()), (CloseCode::Operator, Some("moved")));
        let dismissal = wish(json!({"session_id": ID, "code": 4000})).expect("good");
        assert_eq!((dismissal.whom, dismissal.code), (Whom::Session(id(ID)), CloseCode::Drain));
        for (field, body) in [
            ("user_id", json!({})),
            ("user_id", json!({"user_id": 7})),
            ("session_id", json!({"user_id": ID, "session_id": ID})),
            ("code", json!({"user_id": ID, "code": 1000})),
            ("code", json!({"user_id": ID, "code": "4000"})),
            ("reason", json!({"user_id": ID, "reason": "x".repeat(124)})),
        ] {
            assert_eq!(wish(body.clone()).expect_err("wrong"), Some(field.to_owned()), "{body}");
        }
    }
}
