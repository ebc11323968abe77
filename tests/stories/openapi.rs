//! The description of the interface for programs: whole, and true of what the product really says.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::harness::{Claims, Encoding, Server, op, text};

const SPEC: &str = include_str!("../../protocol/SPEC.md");
/// Where the document is for the compiler of schemas.
const PLACE: &str = "http://node/openapi.json";

/// The document, and schemas of it by their place.
struct Document {
    value: Value,
    schemas: Schemas,
    compiler: Compiler,
}

impl Document {
    async fn of(server: &Server) -> Self {
        let answer = server.http().get("/v1/openapi.json").await;
        assert_eq!(answer.content_type, "application/json");
        let value = answer.ok();
        assert_eq!(value["openapi"], "3.1.0");
        Self::from(value)
    }

    fn from(value: Value) -> Self {
        let mut compiler = Compiler::new();
        compiler.add_resource(PLACE, value.clone()).expect("a document");
        Self { value, schemas: Schemas::new(), compiler }
    }

    /// The same, where objects have what is described of them and nothing else.
    fn closed(&self) -> Self {
        let mut value = self.value.clone();
        close(&mut value);
        Self::from(value)
    }

    fn schema(&mut self, pointer: &str) -> SchemaIndex {
        let place = format!("{PLACE}#{pointer}");
        self.compiler.compile(&place, &mut self.schemas).unwrap_or_else(|error| panic!("{pointer}: {error}"))
    }

    fn command(&mut self, name: &str, part: &str) -> SchemaIndex {
        self.schema(&format!("/paths/~1v1~1commands~1{name}/post/{part}/content/application~1json/schema"))
    }

    fn body(&mut self, name: &str) -> SchemaIndex {
        self.command(name, "requestBody")
    }

    fn reply(&mut self, name: &str) -> SchemaIndex {
        self.command(name, "responses/200")
    }

    fn fault(&self, value: &Value, schema: SchemaIndex) -> Option<String> {
        self.schemas.validate(value, schema).err().map(|error| format!("{error:#}"))
    }

    /// Names of all commands.
    fn commands(&self) -> Vec<String> {
        let paths = self.value["paths"].as_object().expect("paths");
        paths.keys().filter_map(|path| path.strip_prefix("/v1/commands/")).map(str::to_owned).collect()
    }
}

/// Closes every object that is described in one place.
fn close(schema: &mut Value) {
    let parts = ["additionalProperties", "allOf", "anyOf", "oneOf", "$ref"];
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("type") == Some(&json!("object"))
                && fields.contains_key("properties")
                && !parts.iter().any(|part| fields.contains_key(*part))
            {
                fields.insert("additionalProperties".into(), json!(false));
            }
        }
        _ => {}
    }
}

/// The envelopes that the specification shows, block by block.
fn examples() -> Vec<Vec<(u64, String, Value)>> {
    let is_one = |line: &&str| line.starts_with("[7,") || line.starts_with("[0,");
    let block = |text: &str| {
        let lines = text.lines().filter(is_one);
        lines.map(|line| serde_json::from_str(line).expect("an envelope")).collect()
    };
    SPEC.split("```").map(block).collect()
}

#[tokio::test]
async fn every_example_of_the_specification_is_as_described() {
    let server = Server::with(&["live.selftest=off"]).await;
    let mut document = Document::of(&server).await;
    let mut closed = document.closed();
    let commands = document.commands();
    assert!(commands.len() >= 50, "{commands:?}");
    let mut shown = 0;
    for block in examples() {
        // A reply is one of the command before it, or of one of several that were listed before it. Some blocks show a reply
        // alone.
        let (mut asked, mut is_asking) = (commands.clone(), false);
        for (id, kind, body) in block {
            match (id, kind.as_str()) {
                (7, "ok") => {
                    is_asking = false;
                    let replies: Vec<SchemaIndex> = asked.iter().map(|name| closed.reply(name)).collect();
                    let faults: Vec<_> = replies.iter().map(|reply| closed.fault(&body, *reply)).collect();
                    assert!(faults.contains(&None), "none of {asked:?} answers so: {body} {faults:?}");
                }
                (7, "error") => {
                    let schema = document.schema("/components/schemas/ErrorBody");
                    assert_eq!(document.fault(&body, schema), None, "{body}");
                }
                (7, command) => {
                    let schema = document.body(command);
                    assert_eq!(document.fault(&body, schema), None, "{command} {body}");
                    if !std::mem::replace(&mut is_asking, true) {
                        asked.clear();
                    }
                    asked.push(command.to_owned());
                    shown += 1;
                }
                _ => {}
            }
        }
    }
    assert!(shown >= 50, "{shown} commands are shown");
    // What is no body is not described as one.
    for (command, wrong) in [
        ("post.create", json!({"op": "a"})),
        ("comment.list", json!({"post_id": 7})),
        ("reaction.set", json!({"post_id": "x", "kind": "meh"})),
    ] {
        let schema = document.body(command);
        assert!(document.fault(&wrong, schema).is_some(), "{command} {wrong}");
    }
}

#[tokio::test]
async fn what_the_product_answers_is_as_described() {
    let server = Server::with(&["live.selftest=off"]).await;
    let mut document = Document::of(&server).await;
    let (http, token) = (server.http(), Claims::of("ada").sign());
    let mut ask = async |name: &str, body: Value| {
        let schema = document.body(name);
        assert_eq!(document.fault(&body, schema), None, "{name} {body}");
        let answer = http.command(Encoding::Json, name, Some(&token), &body).await.ok();
        let schema = document.reply(name);
        assert_eq!(document.fault(&answer, schema), None, "{name} answered {answer}");
        answer
    };
    let made = ask("community.create", json!({"op": op(), "name": "Described"})).await;
    let community = text(&made["community"]["id"]);
    let wish = json!({"op": op(), "community_id": community, "kind": "info", "content": "said", "visibility": "public"});
    let post = text(&ask("post.create", wish).await["post"]["id"]);
    let comment = ask("comment.add", json!({"op": op(), "post_id": post, "content": "so"})).await;
    ask("reaction.set", json!({"comment_id": comment["comment"]["id"], "kind": "like"})).await;
    ask("reaction.set", json!({"post_id": post, "kind": null})).await;
    ask("post.get", json!({"post_id": post})).await;
    ask("post.counts", json!({"post_ids": [post]})).await;
    ask("feed.list", json!({"home": true})).await;
    ask("comment.list", json!({"post_id": post})).await;
    ask("history", json!({"channel": format!("post:{post}")})).await;
    ask("presence", json!({"channel": format!("post:{post}")})).await;
    ask("notification.preferences", json!({})).await;
    ask("live.list", json!({})).await;
    ask("live.key.get", json!({})).await;
    let refused = http.command(Encoding::Json, "post.get", None, &json!({"post_id": 7})).await;
    let refused = refused.problem(400, "invalid");
    let problem = document.schema("/components/schemas/Problem");
    assert_eq!(document.fault(&refused, problem), None, "{refused}");

    let account = http.register("amelie").await;
    let described = document.schema("/components/schemas/AccountSession");
    assert_eq!(document.fault(&account, described), None, "{account}");
    for (path, answer) in [
        ("/v1/admin/sessions", server.admin().get("/v1/admin/sessions").await.ok()),
        ("/v1/admin/channels", server.admin().get("/v1/admin/channels").await.ok()),
        ("/readyz", http.get("/readyz").await.ok()),
    ] {
        let place = path.replace('/', "~1");
        let schema =
            document.schema(&format!("/paths/{place}/get/responses/200/content/application~1json/schema"));
        assert_eq!(document.fault(&answer, schema), None, "{path} answered {answer}");
    }
}
