//! The query of a request, read by name: what is not asked for is ignored, what does not fit names itself.

use axum::{extract::Query as Parameters, http::Uri};
use communiconnect_protocol::{Code, ErrorBody};
use std::{collections::BTreeMap, str::FromStr};

/// Names with their values; where one comes twice, the last counts.
#[derive(Debug)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// # Errors
    /// `bad_request` where it is no `application/x-www-form-urlencoded` text.
    pub(super) fn of(uri: &Uri) -> Result<Self, ErrorBody> {
        let Parameters(parameters) = Parameters::try_from_uri(uri)
            .map_err(|error| ErrorBody::new(Code::BadRequest, format!("the query does not read: {error}")))?;
        Ok(Self(parameters))
    }

    /// The text under a name, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A whole number under a name.
    ///
    /// # Errors
    /// `invalid` with the name where the text is none.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ErrorBody> {
        let read = |text: &str| {
            u64::from_str(text).map_err(|_| ErrorBody::invalid(name, "must be a whole number from 0"))
        };
        self.text(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, ErrorBody> {
        Query::of(&format!("/x?{text}").parse().expect("an address"))
    }

    #[test]
    fn a_query_is_read_by_name() {
        let read = query("channels=feed%3Aa,post:b&limit=7&empty=&more=x").expect("reads");
        assert_eq!(read.text("channels"), Some("feed:a,post:b"));
        assert_eq!((read.number("limit"), read.number("none")), (Ok(Some(7)), Ok(None)));
        assert_eq!((read.text("empty"), read.text("none")), (None, None));
        assert_eq!(read.number("more").expect_err("no number").field.as_deref(), Some("more"));
        assert!(query("").expect("reads").text("channels").is_none());
    }
}
