//! Values as the server takes and gives them, in its binary format.

use crate::store::sql::db::Value;
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

type Failure = Box<dyn Error + Sync + Send>;

/// A parameter.
#[derive(Debug)]
pub(super) struct Bound<'v>(pub(super) Value<'v>);

impl ToSql for Bound<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Bool(is_set) if *wanted == Type::BOOL => is_set.to_sql(wanted, out),
            Value::Bool(is_set) => integer(i64::from(is_set), wanted, out),
            Value::Int(number) => integer(number, wanted, out),
            Value::Text(text) => text.to_sql(wanted, out),
            Value::Bytes(bytes) if *wanted == Type::BYTEA => bytes.to_sql(wanted, out),
            Value::Bytes(_) => Err(format!("bytes are no {wanted}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        self.to_sql(wanted, out)
    }
}

fn integer(number: i64, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
    match *wanted {
        Type::INT2 => i16::try_from(number)?.to_sql(wanted, out),
        Type::INT4 => i32::try_from(number)?.to_sql(wanted, out),
        Type::INT8 => number.to_sql(wanted, out),
        _ => Err(format!("a number is no {wanted}").into()),
    }
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(given: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(match *given {
            Type::BOOL => Self::Bool(bool::from_sql(given, raw)?),
            Type::INT2 => Self::Int(i16::from_sql(given, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(given, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(given, raw)?),
            Type::BYTEA => Self::Bytes(raw),
            _ => Self::Text(std::str::from_utf8(raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(given: &Type) -> bool {
        [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::BYTEA, Type::TEXT].contains(given)
    }
}
