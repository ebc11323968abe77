//! Who is at the other end, once a token was judged.

use communiconnect_protocol::{Role, User, UserId};

/// Who acts: somebody with a valid token, or nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// No token was shown.
    Guest,
    /// The owner of a valid token.
    Person(Box<Person>),
}

/// A person, with what their token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// As others see them.
    pub user: User,
    /// What they may do on the whole server.
    pub role: Role,
    /// When the token runs out, in milliseconds since 1970 UTC; none for one that never does.
    pub expires_at: Option<i64>,
    /// The login that the token belongs to (claim `sid`); ending it closes its sockets.
    pub login: Option<String>,
}

impl Identity {
    /// The person, none for a guest.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Guest => None,
            Self::Person(person) => Some(person),
        }
    }

    /// The person's id, none for a guest.
    pub fn user_id(&self) -> Option<UserId> {
        self.person().map(|person| person.user.id)
    }

    /// What they may do on the whole server; a guest no more than an ordinary person.
    pub fn role(&self) -> Role {
        self.person().map_or(Role::User, |person| person.role)
    }
}
