//! Notifications on SQLite.

mod forget;

pub(super) use forget::forget_post;
