//! The body of an event, kept encoded.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::fmt;

/// An event's `data`, kept as the MessagePack that the log stores. It is written into either format without being
/// understood, so that hub and broker need not know what an event means.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Bytes);

impl Data {
    /// Encodes a typed event body, maps with field names.
    pub fn of<T: Serialize>(body: &T) -> Self {
        let bytes = rmp_serde::to_vec_named(body).expect("our own types always encode");
        Self(bytes.into())
    }

    /// Takes bytes that [`Data::of`] made earlier, as a store or broker hands them back.
    pub fn from_stored(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The MessagePack.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Reads the body back as a type.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, rmp_serde::decode::Error> {
        rmp_serde::from_slice(&self.0)
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(self) {
            Ok(text) => f.write_str(&text),
            Err(_) => write!(f, "Data({} bytes)", self.0.len()),
        }
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reader = rmp_serde::Deserializer::from_read_ref(&self.0);
        serde_transcode::transcode(&mut reader, serializer).map_err(ser::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = Vec::new();
        serde_transcode::transcode(deserializer, &mut rmp_serde::Serializer::new(&mut bytes))
            .map_err(de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Data {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Data".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "The body of an event, which its name tells." })
    }
}
