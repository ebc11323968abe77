//! What rules may know: read by the store inside the transaction, judged by the policy of `social`.

use communiconnect_protocol::{
    CommentId, CommunityId, CommunityRole, ErrorBody, LiveId, LiveState, MediaPurpose, PostId, Role, UserId,
    Visibility,
};

/// Who reads; a guest has no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The person, none for a guest.
    pub user: Option<UserId>,
    /// What they may do on the whole server.
    pub role: Role,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// What they may do on the whole server.
    pub role: Role,
}

impl From<Actor> for Reader {
    fn from(actor: Actor) -> Self {
        Self { user: Some(actor.user), role: actor.role }
    }
}

/// The client's id of an operation, with what tells a retry from another operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// 1-64 characters, chosen by the client, unique per person.
    pub id: String,
    /// A digest of command name and body: another one under the same id is a conflict.
    pub digest: [u8; 32],
}

/// Judges facts inside the transaction; a refusal leaves everything as it was.
pub type Rule<F> = Box<dyn FnOnce(&F) -> Result<(), ErrorBody> + Send>;

/// Decides over facts, as often as there is something to judge inside one transaction.
pub type Judge<F> = fn(&F) -> bool;

/// How a reader stands to a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// They are the same.
    pub is_self: bool,
    /// The reader follows the person.
    pub follows: bool,
    /// One of the two has blocked the other.
    pub blocked: bool,
}

/// What decides whether somebody sees a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Who may read it.
    pub visibility: Visibility,
    /// Whether its author stays unnamed.
    pub anonymous: bool,
    /// How who looks stands to its author, named or not.
    pub relation: Relation,
}

/// What rules may know where somebody is to hear of what another did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardFacts {
    /// The post that it was done on, as who is to hear of it would see it; none for what was done on none.
    pub post: Option<Sight>,
    /// How who did it stands to who is to hear of it.
    pub actor: Relation,
    /// Whether who did it is named.
    pub named: bool,
}

/// What rules may know of a post and its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostFacts {
    /// Which.
    pub id: PostId,
    /// Where.
    pub community_id: CommunityId,
    /// Who wrote it, named or not.
    pub author: UserId,
    /// Whether the author stays unnamed.
    pub anonymous: bool,
    /// Who may read it.
    pub visibility: Visibility,
    /// When it was posted, in milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Counts edits, from 1.
    pub version: u64,
    /// How the reader stands to the author, named or not.
    pub relation: Relation,
    /// What the reader is in the community of the post.
    pub community_role: Option<CommunityRole>,
    /// Whether it announces a live.
    pub is_live: bool,
}

/// What rules may know of a live, its post and the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFacts {
    /// Which.
    pub id: LiveId,
    /// Where it stands.
    pub state: LiveState,
    /// Whether the reader was banned from it.
    pub banned: bool,
    /// The post that announces it; its author is the live's owner.
    pub post: PostFacts,
}

/// What rules may know of an uploaded image or video and its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFacts {
    /// Whether the reader uploaded it.
    pub is_own: bool,
    /// Whether it can be shown.
    pub is_ready: bool,
    /// What it was uploaded for.
    pub purpose: MediaPurpose,
    /// Whether it is somebody's photo.
    pub is_photo: bool,
    /// The post that it hangs on.
    pub post: Option<PostFacts>,
}

/// What rules may know of a chat message, its live and the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatFacts {
    /// Whether the reader wrote it.
    pub is_author: bool,
    /// The live it was written in.
    pub live: LiveFacts,
}

impl PostFacts {
    /// What of it decides whether the reader sees it.
    pub fn sight(&self) -> Sight {
        Sight { visibility: self.visibility, anonymous: self.anonymous, relation: self.relation }
    }
}

/// What rules may know of a comment, its post and the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentFacts {
    /// Which.
    pub id: CommentId,
    /// Who wrote it, named or not.
    pub author: UserId,
    /// Whether the author stays unnamed.
    pub anonymous: bool,
    /// 0 for a comment on the post itself.
    pub depth: u8,
    /// When it was written.
    pub created_at: i64,
    /// How the reader stands to the comment's author.
    pub relation: Relation,
    /// The post it hangs on.
    pub post: PostFacts,
}

/// What rules may know of a community and its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommunityFacts {
    /// Which.
    pub id: CommunityId,
    /// How many communities it lies in; 0 is outermost.
    pub depth: u8,
    /// What the reader is in it.
    pub role: Option<CommunityRole>,
}

/// What rules may know of two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairFacts {
    /// How the first stands to the second.
    pub relation: Relation,
}
