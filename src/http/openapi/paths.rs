//! What is spoken over HTTP beside commands, written down by hand: these routes have no types of the wire.

use serde_json::{Map, Value, json};

/// Paths that are no commands.
pub(super) fn beside_commands() -> Map<String, Value> {
    let parts = [accounts(), media(), streams(), previews(), health(), live(), operators()];
    parts.into_iter().flat_map(object).collect()
}

/// Shapes that no command has.
pub(super) fn shapes() -> Map<String, Value> {
    object(json!({
        "Problem": {
            "description": "RFC 9457, with the members of an `error` reply.",
            "type": "object",
            "required": ["type", "title", "status", "code", "message"],
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "code": { "$ref": "#/components/schemas/Code" },
                "message": { "type": "string" },
                "field": { "type": "string", "description": "The field at fault, as a path such as `channels.0.offset`." },
                "retry_after_ms": { "type": "integer", "minimum": 0 },
                "node": { "type": "string", "description": "The node that carries what was asked for, and could do it." },
                "url": { "type": "string", "description": "Where that node is reached, without a slash at its end; paths are appended to it. Only where it has announced an address." },
                "silent": { "type": "boolean", "description": "That node has fallen silent and is most likely gone." },
                "errors": {
                    "type": "array",
                    "description": "Of the account routes: every field that is wrong.",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": { "field": { "type": "string" }, "message": { "type": "string" } },
                    },
                },
            },
        },
        "AccountSession": {
            "type": "object",
            "required": ["user", "access_token", "refresh_token", "expires_at"],
            "properties": {
                "user": { "$ref": "#/components/schemas/User" },
                "access_token": { "type": "string" },
                "refresh_token": { "type": "string" },
                "expires_at": { "type": "integer" },
            },
        },
        "NodeView": {
            "type": "object",
            "required": ["node", "sessions", "people", "channels", "draining"],
            "properties": {
                "node": { "type": "string" },
                "sessions": { "type": "integer" },
                "people": { "type": "integer" },
                "channels": { "type": "integer" },
                "draining": { "type": "boolean" },
            },
        },
        "SessionView": {
            "type": "object",
            "required": ["session_id", "node", "format", "since_at", "subscriptions", "waiting_bytes"],
            "properties": {
                "session_id": { "type": "string" },
                "node": { "type": "string" },
                "user_id": { "type": "string" },
                "username": { "type": "string" },
                "address": { "type": "string" },
                "format": { "enum": ["json", "msgpack"] },
                "since_at": { "type": "integer" },
                "subscriptions": { "type": "integer" },
                "waiting_bytes": { "type": "integer" },
            },
        },
    }))
}

fn accounts() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let call = |summary: &str, required: &[&str], properties: Value, status: &str, answer: Value| {
        json!({ "post": {
            "tags": ["accounts"],
            "summary": summary,
            "security": [],
            "requestBody": json_body(object_of(required, properties)),
            "responses": responses(status, "As asked.", "application/json", answer),
        } })
    };
    let session = || reference("AccountSession");
    json!({
        "/v1/auth/register": call("A new account", &["username", "email", "password"], json!({
            "username": text("3-32 of A-Z a-z 0-9 _ . -"),
            "email": text("Unique without regard to case."),
            "password": text("8-128 characters."),
            "name": text("1-80 characters to show."),
        }), "201", session()),
        "/v1/auth/login": call("A new login of an account", &["password"], json!({
            "username": text("This, or `email`."),
            "email": text("This, or `username`."),
            "password": text("The password."),
        }), "200", session()),
        "/v1/auth/refresh": call("The next tokens of a login", &["refresh_token"], json!({
            "refresh_token": text("Good once; a second use ends the login."),
        }), "200", session()),
        "/v1/auth/logout": call("The end of a login", &["refresh_token"], json!({
            "refresh_token": text("Any of the login's."),
        }), "200", object_of(&["changed"], json!({ "changed": { "type": "boolean" } }))),
    })
}

fn media() -> Value {
    let about = || object_of(&["media"], json!({ "media": reference("Media") }));
    let id = || in_path("id", "Which.");
    let form = object_of(
        &["file"],
        json!({
            "file": { "type": "string", "format": "binary", "description": "JPEG, PNG, GIF, WebP; MP4, WebM, QuickTime." },
            "purpose": { "enum": ["post", "profile"] },
            "alt": { "type": "string", "description": "What it shows, in words." },
        }),
    );
    json!({
        "/v1/media": { "post": {
            "tags": ["media"],
            "summary": "Upload a picture or video",
            "security": [{ "bearer": [] }],
            "requestBody": { "required": true, "content": { "multipart/form-data": { "schema": form } } },
            "responses": responses("201", "It is kept.", "application/json", about()),
        } },
        "/v1/media/{id}": {
            "get": {
                "tags": ["media"],
                "summary": "What is known of a picture",
                "parameters": [id()],
                "responses": responses("200", "As it is.", "application/json", about()),
            },
            "delete": {
                "tags": ["media"],
                "summary": "Delete a picture that is in no post",
                "security": [{ "bearer": [] }],
                "parameters": [id()],
                "responses": responses("200", "It is gone.", "application/json", object_of(&["changed"], json!({ "changed": { "type": "boolean" } }))),
            },
        },
        "/media/{id}/{variant}": { "get": {
            "tags": ["media"],
            "summary": "The bytes of a picture",
            "parameters": [id(), in_path("variant", "original, large, medium or thumb."), { "name": "Range", "in": "header", "schema": { "type": "string" }, "description": "One range of bytes." }],
            "responses": responses("200", "All of them; 206 is a part, 304 that they are known.", "*/*", json!({ "type": "string", "format": "binary" })),
        } },
    })
}

fn streams() -> Value {
    json!({
        "/v1/sse": { "get": {
            "tags": ["streams"],
            "summary": "Pushes one way, as server-sent events",
            "parameters": [
                query("channels", "Names with commas between; a person may leave it out, for their own channel alone.", "string"),
                query("access_token", "For `EventSource`, which sends no header.", "string"),
                query("last_event_id", "Where the reader stood; the header overrules it.", "string"),
                { "name": "Last-Event-ID", "in": "header", "schema": { "type": "string" }, "description": "Sent by browsers that come back." },
            ],
            "responses": responses("200", "The stream: `connected`, then every push as an event of its type, at last `close`.", "text/event-stream", json!({ "type": "string" })),
        } },
    })
}

/// What links to posts lead to.
fn previews() -> Value {
    json!({
        "/p/{post_id}": { "get": {
            "tags": ["post"],
            "summary": "The page behind a link to a post, with Open Graph tags; it leads people on to the post",
            "security": [],
            "parameters": [in_path("post_id", "The post.")],
            "responses": responses("200", "A post that everybody may read; of any other it is 404, with the same page without its words.", "text/html", json!({ "type": "string" })),
        } },
    })
}

fn health() -> Value {
    let get = |summary: &str, answer: Value| json!({ "get": { "tags": ["health"], "summary": summary, "security": [], "responses": answer } });
    let status = |word: &str| object_of(&["status"], json!({ "status": { "const": word } }));
    let ready = object_of(
        &["status", "live"],
        json!({
            "status": { "const": "ready" },
            "live": {
                "type": "object",
                "required": ["state"],
                "properties": { "state": { "enum": ["running", "passed", "failed", "off"] } },
            },
        }),
    );
    json!({
        "/healthz": get("The process is alive", responses("200", "It is.", "application/json", status("ok"))),
        "/readyz": get("Whether to give this node work", responses("200", "A probe through store and broker has passed lately.", "application/json", ready)),
        "/metrics": get("What was counted", responses("200", "In the text format of Prometheus.", "text/plain", json!({ "type": "string" }))),
    })
}

/// WHIP (RFC 9725) and WHEP.
fn live() -> Value {
    const SDP: &str = "application/sdp";
    let offer = |summary: &str, parameters: &Value| {
        json!({
            "tags": ["live"],
            "summary": summary,
            "parameters": parameters,
            "requestBody": { "required": true, "content": { SDP: { "schema": { "type": "string" } } } },
            "responses": responses("201", "The answer; `Location` is the session.", SDP, json!({ "type": "string" })),
        })
    };
    let plain = |summary: &str, parameters: &Value| {
        json!({
            "tags": ["live"],
            "summary": summary,
            "parameters": parameters,
            "responses": { "200": { "description": "Done." }, "4XX": refused(), "5XX": unknown() },
        })
    };
    let id = json!([in_path("id", "The live.")]);
    let none = json!([]);
    let secret = json!([in_path("secret", "The session, from `Location`.")]);
    let stream = json!([in_path("secret", "The session."), in_path("stream", "From `Location`.")]);
    let fragment = json!({ "required": true, "content": { "application/trickle-ice-sdpfrag": { "schema": { "type": "string" } } } });
    let mut patch = plain("Candidates, or new ICE credentials (with `If-Match`)", &secret);
    patch["requestBody"] = fragment;
    let mut layer = plain("WHEP's layer extension: the quality wished", &secret);
    layer["requestBody"] = json_body(object_of(
        &[],
        json!({
            "mediaId": { "type": "string" },
            "rid": { "type": "string" },
            "maxWidth": { "type": "integer" },
            "maxHeight": { "type": "integer" },
        }),
    ));
    let mut events = plain("WHEP's events extension: a stream of events", &secret);
    events["requestBody"] = json!({ "content": { "application/json": { "schema": {
        "type": "array",
        "items": { "enum": ["active", "inactive", "layers", "reconnect", "viewercount"] },
    } } } });
    events["responses"]["201"] = json!({ "description": "`Location` is the stream." });
    json!({
        "/v1/whip": { "post": offer("Send media with a stream key", &none), "get": plain("Nothing; the endpoint is there", &none) },
        "/v1/live/{id}/whip": { "post": offer("Send media into a live", &id), "get": plain("Nothing; the endpoint is there", &id) },
        "/v1/live/{id}/whep": { "post": offer("Watch a live", &id), "get": plain("Nothing; the endpoint is there", &id) },
        "/v1/rtc/{secret}": {
            "get": plain("Nothing; the session is there", &secret),
            "patch": patch,
            "delete": plain("End the session", &secret),
        },
        "/v1/rtc/{secret}/layer": { "post": layer },
        "/v1/rtc/{secret}/events": { "post": events },
        "/v1/rtc/{secret}/events/{stream}": {
            "get": {
                "tags": ["live"],
                "summary": "Read a stream of events",
                "parameters": stream,
                "responses": responses("200", "The stream.", "text/event-stream", json!({ "type": "string" })),
            },
            "delete": plain("End a stream of events", &stream),
        },
    })
}

/// On a listener of their own.
fn operators() -> Value {
    let number = || json!({ "type": "integer", "minimum": 0 });
    let yes_or_no = || json!({ "type": "boolean" });
    let text = || json!({ "type": "string" });
    let list_of = |shape: Value| json!({ "type": "array", "items": shape });
    let call = |summary: &str, body: Value, answer: Value| {
        json!({ "servers": at(), "post": {
            "tags": ["operators"],
            "summary": summary,
            "security": [],
            "requestBody": json_body(body),
            "responses": responses("200", "Done.", "application/json", answer),
        } })
    };
    let ask = |summary: &str, parameters: Value, answer: Value| {
        json!({ "servers": at(), "get": {
            "tags": ["operators"],
            "summary": summary,
            "security": [],
            "parameters": parameters,
            "responses": responses("200", "As it is now.", "application/json", answer),
        } })
    };
    json!({
        "/v1/admin/publish": call("Publish on a test channel", object_of(&["channel", "event", "class"], json!({
            "channel": text(), "event": text(), "data": {}, "class": { "enum": ["A", "B", "C"] }, "key": text(), "version": number(),
        })), object_of(&[], json!({ "offset": number() }))),
        "/v1/admin/disconnect": call("Send a person's sessions away, or one", object_of(&[], json!({
            "user_id": text(), "session_id": text(), "code": number(), "reason": text(),
        })), object_of(&["closed", "nodes"], json!({
            "closed": number(),
            "nodes": list_of(object_of(&["node", "closed"], json!({ "node": text(), "closed": number() }))),
        }))),
        "/v1/admin/drain": call("Send everybody away, or take people again", object_of(&[], json!({
            "on": yes_or_no(), "over_ms": number(),
        })), object_of(&["changed", "draining", "sessions"], json!({
            "changed": yes_or_no(), "draining": yes_or_no(), "sessions": number(),
        }))),
        "/v1/admin/sessions": ask("Who is here, and on every node", json!([
            query("user_id", "One person's sessions, on every node.", "string"),
            query("limit", "How many are listed, 1,000 at most.", "integer"),
            query("cursor", "Where the last page ended.", "string"),
        ]), object_of(&["node", "sessions", "people", "channels", "draining", "lives", "busiest", "listed", "nodes", "whole"], json!({
            "node": text(), "sessions": number(), "people": number(), "channels": number(), "draining": yes_or_no(),
            "lives": number(),
            "busiest": list_of(object_of(&["channel", "subscribers"], json!({ "channel": text(), "subscribers": number() }))),
            "listed": list_of(reference("SessionView")),
            "cursor": text(),
            "nodes": list_of(reference("NodeView")),
            "whole": yes_or_no(),
        }))),
        "/v1/admin/channels": ask("What goes on on this node", json!([
            query("prefix", "Channels whose names begin so.", "string"),
            query("sort", "subscribers, deliveries or name.", "string"),
            query("limit", "How many are listed, 1,000 at most.", "integer"),
        ]), object_of(&["node", "channels", "listed"], json!({
            "node": text(), "channels": number(),
            "listed": list_of(object_of(&["channel", "subscribers", "per_second"], json!({
                "channel": text(), "subscribers": number(),
                "per_second": object_of(&["publications", "states", "signals", "deliveries"], json!({
                    "publications": { "type": "number" }, "states": { "type": "number" },
                    "signals": { "type": "number" }, "deliveries": { "type": "number" },
                })),
            }))),
        }))),
    })
}

/// `admin.listen`.
fn at() -> Value {
    json!([{ "url": "http://127.0.0.1:8081", "description": "The operators' listener, admin.listen" }])
}

fn reference(shape: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{shape}") })
}

fn refused() -> Value {
    json!({ "$ref": "#/components/responses/Refused" })
}

fn unknown() -> Value {
    json!({ "$ref": "#/components/responses/Unknown" })
}

fn object_of(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn json_body(schema: Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn responses(status: &str, about: &str, media_type: &str, schema: Value) -> Value {
    json!({
        status: { "description": about, "content": { media_type: { "schema": schema } } },
        "4XX": refused(),
        "5XX": unknown(),
    })
}

fn query(name: &str, about: &str, kind: &str) -> Value {
    json!({ "name": name, "in": "query", "description": about, "schema": { "type": kind } })
}

fn in_path(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": { "type": "string" } })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
