//! Field decoders that keep both encodings to one schema where serde alone would be lenient.
//!
//! serde takes an array for a struct and refuses `null` where a default stands; the protocol has it the other way round.

use crate::{PostKind, words::Words};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{collections::BTreeMap, fmt, marker::PhantomData};

/// Most elements of a list in a command: above any limit of the rules, and low enough that a message full of empty texts
/// costs no more memory than one full of text.
pub const MAX_LIST: usize = 1024;

/// What a longer list is refused with; [`crate::explain`] knows it.
pub(crate) const TOO_MANY: &str = "a list over its maximum";

/// A value, or the default for `null`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A value that may be `null`, told apart from a key that is not there.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Whether a key is there, whatever it holds.
pub(crate) fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The kind of a post that a person writes: a live's post is made by `live.start` alone.
pub(crate) fn kind_of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PostKind, D::Error> {
    KindOfText::deserialize(deserializer).map(|kind| kind.0)
}

/// The kind of a post that a person writes, or nothing.
pub(crate) fn optional_kind_of_text<'de, D>(deserializer: D) -> Result<Option<PostKind>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(Option::<KindOfText>::deserialize(deserializer)?.map(|kind| kind.0))
}

/// A struct, from a map alone.
pub(crate) fn map<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_map(AsMap(PhantomData))
}

/// A struct, from a map alone, or nothing.
pub(crate) fn optional_map<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<FromMap<T>>::deserialize(deserializer)?.map(|inner| inner.0))
}

/// An array of at most [`MAX_LIST`] elements.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Bounded::deserialize(deserializer).map(|list| list.0)
}

/// An array of at most [`MAX_LIST`] elements, or nothing.
pub(crate) fn optional_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Bounded<T>>::deserialize(deserializer)?.map(|list| list.0))
}

/// An array of at most [`MAX_LIST`] elements; `null` is an empty one.
pub(crate) fn list_or_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    optional_list(deserializer).map(Option::unwrap_or_default)
}

/// An array of structs, each from a map alone.
pub(crate) fn maps<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(list::<D, FromMap<T>>(deserializer)?.into_iter().map(|item| item.0).collect())
}

/// A map of names to structs, each from a map alone; a name given twice is refused, `null` is none.
pub(crate) fn map_of_maps<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Named<T>>::deserialize(deserializer)?.map(|named| named.0).unwrap_or_default())
}

struct KindOfText(PostKind);

impl<'de> Deserialize<'de> for KindOfText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WORDS: &[&str] = &["info", "event", "help", "announcement", "discussion"];
        let find = |word: &str| PostKind::from_word(word).filter(|kind| *kind != PostKind::Live);
        deserializer.deserialize_str(Words { words: WORDS, find }).map(Self)
    }
}

struct AsMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AsMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for AsMap<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

struct FromMap<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FromMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        map(deserializer).map(Self)
    }
}

struct Bounded<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData)).map(Self)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        // Not reserved by the declared number of elements: an element in memory is many times larger than its bytes.
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            if items.len() == MAX_LIST {
                return Err(de::Error::custom(TOO_MANY));
            }
            items.push(item);
        }
        Ok(items)
    }
}

struct Named<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData)).map(Self)
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of maps")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BTreeMap<String, T>, A::Error> {
        let mut named = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if named.len() == MAX_LIST {
                return Err(de::Error::custom(TOO_MANY));
            }
            if named.contains_key(&name) {
                return Err(de::Error::custom(format_args!("duplicate field `{name}`")));
            }
            named.insert(name, map.next_value_seed(AsMap(PhantomData))?);
        }
        Ok(named)
    }
}
