//! People as others see them, read from their row.

use super::{columns::word, media::shape_at};
use crate::store::Result;
use crate::store::sql::db::{self, Connection, OptionalExtension, Row};
use communiconnect_protocol::{Role, User, UserId};

/// Columns of the table `users` under the alias `u`, in the order that [`user_at`] reads.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.name, u.bio, u.role, u.photo"
    };
}
pub(super) use user_columns;

/// How many columns [`user_columns`] has.
pub(super) const USER_COLUMNS: usize = 6;

/// The person in the columns from `first` on, without `my`.
pub(super) fn user_at(row: &Row<'_>, first: usize) -> db::Result<User> {
    Ok(User {
        id: UserId::from_bytes(row.get(first)?),
        username: row.get(first + 1)?,
        name: row.get(first + 2)?,
        photo: shape_at(row, first + 5)?,
        bio: row.get(first + 3)?,
        role: word(row, first + 4, Role::from_word)?,
        my: None,
    })
}

/// One person, without `my`.
pub(super) fn user(connection: &Connection, id: UserId) -> Result<Option<User>> {
    let user = connection
        .prepare_cached(concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = ?1"))?
        .query_row([id.as_bytes()], |row| user_at(row, 0))
        .optional()?;
    Ok(user)
}
