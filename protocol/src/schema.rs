//! What the wire's types look like, for descriptions of the interface that programs read (feature `schema`).
//!
//! Derived from the types themselves, so that a description cannot say what the server does not speak.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Every command, and the shapes that their replies refer to under `#/components/schemas/`.
#[derive(Clone, Debug)]
pub struct Interface {
    /// In the order of the specification.
    pub commands: Vec<CommandSchema>,
    /// By name.
    pub shapes: Map<String, Value>,
}

/// One command. Schemas are of JSON Schema 2020-12.
#[derive(Clone, Debug)]
pub struct CommandSchema {
    /// On the wire.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// What it takes, in itself.
    pub body: Value,
    /// The body of its `ok`.
    pub reply: Value,
}

/// What is being written down.
pub(crate) struct Book {
    /// A key that may be left out in a command need not be there.
    bodies: SchemaGenerator,
    /// A key that is always sent is required.
    replies: SchemaGenerator,
}

impl Book {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.meta_schema = None;
            settings.definitions_path = "/components/schemas".into();
        });
        let bodies = settings.clone().with(|settings| settings.inline_subschemas = true).for_deserialize();
        Self { bodies: bodies.into_generator(), replies: settings.for_serialize().into_generator() }
    }

    pub(crate) fn command<Body: JsonSchema, Reply: JsonSchema>(
        &mut self,
        name: &'static str,
        about: &'static str,
    ) -> CommandSchema {
        let body = self.bodies.subschema_for::<Body>().to_value();
        let reply = self.replies.subschema_for::<Reply>().to_value();
        CommandSchema { name, about: about.trim(), body, reply }
    }

    pub(crate) fn close(mut self, commands: Vec<CommandSchema>) -> Interface {
        Interface { commands, shapes: self.replies.take_definitions(true) }
    }
}
