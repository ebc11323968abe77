//! What goes into a statement and comes out of a row: the few kinds of values that both databases know.

use std::sync::Arc;

/// A value of a parameter or column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sql) enum Value<'a> {
    Null,
    Int(i64),
    /// In tables a small integer: SQLite has no other, and PostgreSQL is given the same.
    Bool(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// What can be bound to a parameter.
pub(in crate::store::sql) trait ToValue {
    fn to_value(&self) -> Value<'_>;
}

/// What a column can be read as; none where the value is of another kind or out of range.
pub(in crate::store::sql) trait FromValue<'a>: Sized {
    fn from_value(value: Value<'a>) -> Option<Self>;
}

/// Parameters of one statement: an array of one type, or [`params!`] of several.
pub(in crate::store::sql) trait Params {
    fn bind<R>(self, with: impl FnOnce(&[Value<'_>]) -> R) -> R;
}

/// Parameters of different types.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::sql::db::ToValue::to_value(&$value)),*] as &[$crate::store::sql::db::Value<'_>]
    };
}
pub(in crate::store::sql) use params;

impl Params for &[Value<'_>] {
    fn bind<R>(self, with: impl FnOnce(&[Value<'_>]) -> R) -> R {
        with(self)
    }
}

impl<T: ToValue, const N: usize> Params for [T; N] {
    fn bind<R>(self, with: impl FnOnce(&[Value<'_>]) -> R) -> R {
        with(&self.each_ref().map(ToValue::to_value))
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl ToValue for $int {
            fn to_value(&self) -> Value<'_> {
                Value::Int(i64::from(*self))
            }
        }

        impl FromValue<'_> for $int {
            fn from_value(value: Value<'_>) -> Option<Self> {
                match value {
                    Value::Int(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}
integers!(u8 i32 u32 i64);

impl FromValue<'_> for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(is_set) => Some(is_set),
            Value::Int(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for &'a str {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl FromValue<'_> for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        <&str>::from_value(value).map(Into::into)
    }
}

impl FromValue<'_> for Arc<str> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        <&str>::from_value(value).map(Into::into)
    }
}

impl FromValue<'_> for Vec<u8> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        <&[u8]>::from_value(value).map(Into::into)
    }
}

impl<const N: usize> FromValue<'_> for [u8; N] {
    fn from_value(value: Value<'_>) -> Option<Self> {
        <&[u8]>::from_value(value)?.try_into().ok()
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}
