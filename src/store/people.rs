//! People, and what they are to each other.

use super::{Actor, HeardFacts, Judge, MediaFacts, PairFacts, Reader, Relation, Result, Rule};
use communiconnect_protocol::{MediaId, Profile, User, UserId};

/// People, follows and blocks.
#[async_trait::async_trait]
pub trait People: Send + Sync {
    /// One person, as others see them.
    async fn user(&self, id: UserId) -> Result<Option<User>>;
    /// People in the order asked; unknown ones are left out.
    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>>;
    /// A profile, with `my` for the reader or the own part for its owner, and how the reader stands to it.
    async fn profile(&self, reader: Reader, id: UserId) -> Result<Option<(Profile, Relation)>>;
    /// How a reader stands to a person.
    async fn relation(&self, reader: Reader, id: UserId) -> Result<Option<Relation>>;
    /// Sets whether one follows another; whether that changed. Unfollowing is an entry of the own `user:` log, and takes
    /// out of notifications, listed and logged, what the actor would no longer hear of.
    async fn set_follow(
        &self,
        actor: Actor,
        target: Target,
        rule: Rule<PairFacts>,
        hears: Judge<HeardFacts>,
    ) -> Result<bool>;
    /// Sets whether one blocks another; whether that changed. Removes follows between them; an entry of both `user:` logs,
    /// and takes out of the notifications of both what they would no longer hear of.
    async fn set_block(&self, actor: Actor, target: Target, hears: Judge<HeardFacts>) -> Result<bool>;
    /// Edits the actor's profile and tells it on `author:`; `Version` where another edit was first. `photographs` judges
    /// the upload that is to be the photo.
    async fn edit(
        &self,
        actor: Actor,
        change: ProfileChange,
        photographs: Judge<MediaFacts>,
    ) -> Result<Profile>;
    /// Everybody who has blocked this person or whom this person has blocked.
    async fn blocked_with(&self, id: UserId) -> Result<Vec<UserId>>;
}

/// What an edit of one's own profile changes; what is none stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileChange {
    /// The version that was edited.
    pub version: u64,
    /// A new name.
    pub name: Option<String>,
    /// A new bio.
    pub bio: Option<String>,
    /// Another photo; `Some(None)` removes it.
    pub photo: Option<Option<MediaId>>,
    /// When.
    pub at: i64,
}

/// Whom, and which state is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The other person.
    pub user: UserId,
    /// The wished state.
    pub on: bool,
    /// When.
    pub at: i64,
}
