//! `GET /v1/openapi.json`: the interface as OpenAPI 3.1, for programs that make clients and pages of it.
//!
//! Commands come from the types that decode and encode them; what else is spoken over HTTP stands here, and a test holds the
//! routes to it. `protocol/SPEC.md` says more: this is its index.

mod paths;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use communiconnect_protocol::{
    Command,
    schema::{CommandSchema, Interface},
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The same for the life of the process.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// Answers it.
pub(super) async fn document_json() -> Response {
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (fields, DOCUMENT.clone()).into_response()
}

fn document() -> Value {
    let Interface { commands, mut shapes } = Command::interface();
    let mut paths = Map::new();
    for command in commands {
        paths.insert(format!("/v1/commands/{}", command.name), json!({ "post": operation(command) }));
    }
    paths.extend(paths::beside_commands());
    shapes.extend(paths::shapes());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "CommuniConnect",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Commands of the WebSocket protocol over HTTP, and what is spoken over HTTP alone. Events, recovery and rules: protocol/SPEC.md.",
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": shapes,
            "responses": {
                "Refused": {
                    "description": "Refused; nothing has changed. `code` says why, with the status of SPEC.md, section 7.",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                },
                "Unknown": {
                    "description": "The outcome is unknown: send it again with the same `op`, after `retry_after_ms`.",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                },
            },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Without one, a guest." },
            },
        },
    })
}

fn operation(command: CommandSchema) -> Value {
    let CommandSchema { name, about, body, reply } = command;
    let (family, _) = name.split_once('.').unwrap_or(("session", name));
    let content = |schema: &Value| json!({ "application/json": { "schema": schema }, "application/msgpack": { "schema": schema } });
    let mut description = about.to_owned();
    if needs_session(name) {
        description.push_str(" It needs a session: over HTTP it is `bad_request`; send it over a WebSocket.");
    }
    json!({
        "operationId": name,
        "tags": [family],
        "summary": about,
        "description": description,
        "requestBody": { "required": true, "content": content(&body) },
        "responses": {
            "200": { "description": "The body of its `ok`.", "content": content(&reply) },
            "4XX": { "$ref": "#/components/responses/Refused" },
            "5XX": { "$ref": "#/components/responses/Unknown" },
        },
    })
}

/// Commands that belong to a connection.
/// Whether a command is for sessions alone.
pub(super) fn needs_session(name: &str) -> bool {
    const OF_SESSIONS: &[&str] =
        &["connect", "refresh", "subscribe", "unsubscribe", "sync", "live.join", "live.leave"];
    OF_SESSIONS.contains(&name) || name.starts_with("rtc.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn references(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    into.insert(reference.clone());
                }
                map.values().for_each(|value| references(value, into));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn every_command_is_described_with_its_body_its_reply_and_its_refusals() {
        let document = document();
        for name in Command::NAMES {
            let operation = &document["paths"][format!("/v1/commands/{name}")]["post"];
            assert_eq!(operation["operationId"], *name);
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{operation}");
            for schema in [
                &operation["requestBody"]["content"]["application/json"]["schema"],
                &operation["responses"]["200"]["content"]["application/json"]["schema"],
            ] {
                assert!(schema.is_object(), "{name}: {schema}");
            }
            assert!(operation["responses"]["4XX"].is_object() && operation["responses"]["5XX"].is_object());
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_shape_is_used() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in &found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for name in document["components"]["schemas"].as_object().expect("a map").keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}")), "{name} is used nowhere");
        }
    }

    /// Read from the sources, since a router does not tell its routes.
    #[test]
    fn every_route_is_described() {
        let document = document();
        let sources =
            [include_str!("routes.rs"), include_str!("admin/mod.rs"), include_str!("live/mod.rs")].concat();
        let routes: BTreeSet<&str> =
            sources.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(routes.len() > 20, "{routes:?}");
        let undocumented = ["/v1/ws", "/v1/commands/{type}", "/v1/openapi.json"];
        for route in routes.into_iter().filter(|route| !undocumented.contains(route)) {
            assert!(document["paths"][route].is_object(), "{route} is not described");
        }
    }
}
