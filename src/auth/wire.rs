//! What the account routes take and give, as JSON.

use super::{
    error::{AccountError, Fault, Faults},
    registration::Wish,
};
use communiconnect_protocol::User;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// `POST /v1/auth/register`
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterRequest {
    /// 3-32 of `[A-Za-z0-9_.-]`, unique without regard to case.
    pub username: String,
    /// Unique without regard to case.
    pub email: String,
    /// 8-128 characters.
    pub password: String,
    /// The name to show, 1-80 characters; the user name where there is none.
    pub name: Option<String>,
}

/// `POST /v1/auth/login`
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// The user name or e-mail address, as `username` or `email`.
    pub login_name: String,
    /// The password.
    pub password: String,
}

/// `POST /v1/auth/refresh`
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The present refresh token; good once.
    pub refresh_token: String,
}

/// `POST /v1/auth/logout`
#[derive(Clone, PartialEq, Eq)]
pub struct LogoutRequest {
    /// Any refresh token of the login that is to end.
    pub refresh_token: String,
}

/// What registering, logging in and refreshing answer.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Who.
    pub user: User,
    /// A JWT for `connect` and `Authorization: Bearer`.
    pub access_token: String,
    /// Opaque; gives the next session, once.
    pub refresh_token: String,
    /// When the access token runs out, in milliseconds since 1970 UTC.
    pub expires_at: i64,
}

impl RegisterRequest {
    /// Reads a JSON body.
    ///
    /// # Errors
    /// [`AccountError::NoObject`], or [`AccountError::Invalid`] with every field that is missing or no text; then also
    /// with what else is wrong, so that a form shows everything at once.
    pub fn from_json(body: &[u8]) -> Result<Self, AccountError> {
        let mut body = Body::read(body)?;
        let mut faults = Vec::new();
        let mut read = |outcome: Result<Option<String>, Fault>| {
            outcome.unwrap_or_else(|fault| {
                faults.push(fault);
                None
            })
        };
        let [username, email, password] =
            ["username", "email", "password"].map(|field| read(body.needed(field).map(Some)));
        let name = read(body.text("name"));
        let [username, email, password] = [username, email, password].map(Option::unwrap_or_default);
        let request = Self { username, email, password, name };
        if !faults.is_empty()
            && let Err(meaning) = Wish::checked(request.clone())
        {
            let unread: Vec<_> = faults.iter().map(|fault| fault.field).collect();
            faults.extend(meaning.iter().filter(|fault| !unread.contains(&fault.field)));
        }
        Faults::check(faults)?;
        Ok(request)
    }
}

impl LoginRequest {
    /// Reads a JSON body, as [`RegisterRequest::from_json`].
    pub fn from_json(body: &[u8]) -> Result<Self, AccountError> {
        let mut body = Body::read(body)?;
        let login_name = match (body.text("username")?, body.text("email")?) {
            (Some(name), None) | (None, Some(name)) => name,
            (None, None) => return Err(invalid("username", "is missing: give it or email").into()),
            (Some(_), Some(_)) => return Err(invalid("email", "give it or username, not both").into()),
        };
        Ok(Self { login_name, password: body.needed("password")? })
    }
}

impl RefreshRequest {
    /// Reads a JSON body, as [`RegisterRequest::from_json`].
    pub fn from_json(body: &[u8]) -> Result<Self, AccountError> {
        Ok(Self { refresh_token: Body::read(body)?.needed("refresh_token")? })
    }
}

impl LogoutRequest {
    /// Reads a JSON body, as [`RegisterRequest::from_json`].
    pub fn from_json(body: &[u8]) -> Result<Self, AccountError> {
        Ok(Self { refresh_token: Body::read(body)?.needed("refresh_token")? })
    }
}

struct Body(Map<String, Value>);

impl Body {
    fn read(body: &[u8]) -> Result<Self, AccountError> {
        serde_json::from_slice(body).map(Self).map_err(|error| AccountError::NoObject(error.to_string()))
    }

    fn text(&mut self, field: &'static str) -> Result<Option<String>, Fault> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(field, "must be text")),
        }
    }

    fn needed(&mut self, field: &'static str) -> Result<String, Fault> {
        self.text(field)?.ok_or_else(|| invalid(field, "is missing"))
    }
}

fn invalid(field: &'static str, message: &'static str) -> Fault {
    Fault { field, message }
}

/// Secrets stay out of every log line, also by accident.
macro_rules! debug_without_secrets {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_secrets! {
    RegisterRequest { username, name }
    LoginRequest { login_name }
    RefreshRequest {}
    LogoutRequest {}
    Session { user, expires_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use communiconnect_protocol::{Code, ErrorBody};

    fn refused(outcome: Result<impl fmt::Debug, AccountError>) -> (Code, Option<String>) {
        let error = ErrorBody::from(outcome.unwrap_err());
        (error.code, error.field)
    }

    #[test]
    fn a_registration_names_everything_that_is_wrong_what_cannot_be_read_first() {
        let AccountError::Invalid(faults) =
            RegisterRequest::from_json(br#"{"username": "a", "password": 7, "name": ""}"#).unwrap_err()
        else {
            panic!("invalid")
        };
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["email", "password", "username", "name"]);
    }

    #[test]
    fn what_is_missing_or_of_a_wrong_type_is_named() {
        let invalid = |field: &str| (Code::Invalid, Some(field.to_owned()));
        for (body, field) in [
            (r#"{}"#, "username"),
            (r#"{"username": 7}"#, "username"),
            (r#"{"username": "ann"}"#, "email"),
            (r#"{"username": "ann", "email": "ann@example.org", "password": null}"#, "password"),
            (r#"{"username": "ann", "email": "a@b", "password": "x", "name": []}"#, "name"),
        ] {
            assert_eq!(refused(RegisterRequest::from_json(body.as_bytes())), invalid(field), "{body}");
        }
        assert_eq!(refused(LoginRequest::from_json(b"{}")), invalid("username"));
        assert_eq!(refused(LoginRequest::from_json(br#"{"email": "a@b"}"#)), invalid("password"));
        assert_eq!(
            refused(LoginRequest::from_json(br#"{"email": "a@b", "username": "a"}"#)),
            invalid("email")
        );
        assert_eq!(refused(RefreshRequest::from_json(b"{}")), invalid("refresh_token"));
        assert_eq!(refused(LogoutRequest::from_json(b"{}")), invalid("refresh_token"));
    }

    #[test]
    fn a_body_that_is_no_object_is_a_bad_request() {
        for body in ["", "[]", "7", "{", "\u{feff}{}"] {
            assert_eq!(
                refused(RefreshRequest::from_json(body.as_bytes())),
                (Code::BadRequest, None),
                "{body}"
            );
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let request = RegisterRequest {
            username: "ann".into(),
            email: "ann@example.org".into(),
            password: "correct horse".into(),
            name: None,
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("ann") && !shown.contains("horse"), "{shown}");
    }
}
