//! Who may see and do what: the one place that decides it.
//!
//! Pure functions over the facts that a store read, so that the same rule judges inside a writing transaction and in a
//! listing. Two refusals: what a reader may not see is `not_found`, in the very words that a store uses for what is not
//! there; what they may see but not do is `forbidden`. Knows no store, no clock and no text.

use crate::store::{
    ChatFacts, CommentFacts, CommunityFacts, HeardFacts, LiveFacts, MediaFacts, PairFacts, PostFacts, Reader,
    Relation, Sight, StoreError,
};
use communiconnect_protocol::{Code, CommunityRole, ErrorBody, LiveState, MediaPurpose, Role, Visibility};

/// What a rule answers.
pub type Verdict = Result<(), ErrorBody>;

/// The refusal for a `thing` (`post`, `comment`, …) that is not there, or not for this reader: nobody can tell which.
pub fn not_found(thing: &'static str) -> ErrorBody {
    StoreError::NotFound(thing).into()
}

/// Whether a post exists for its reader: private ones for the author alone, followers-only ones for followers too, and a
/// named one never across a block. Blocks do not touch anonymous posts: a refusal would name the author.
pub fn sees_post(post: &PostFacts) -> bool {
    sees(&post.sight())
}

fn sees(post: &Sight) -> bool {
    if post.relation.is_self {
        return true;
    }
    if hidden_by_block(post.anonymous, post.relation) {
        return false;
    }
    match post.visibility {
        Visibility::Public => true,
        Visibility::Followers => post.relation.follows,
        Visibility::Private => false,
    }
}

/// Whether somebody hears of what another did: not of their own deeds, not across a block where the deed has a name, and
/// not of what was done on a post that they may not read (any more). An anonymous deed is told across a block: leaving it
/// out would tell whose it is.
pub fn hears(heard: &HeardFacts) -> bool {
    let HeardFacts { post, actor, named } = heard;
    !actor.is_self && !hidden_by_block(!named, *actor) && post.as_ref().is_none_or(sees)
}

/// Whether a comment exists for its reader: on a post that does, and never across a block unless it is anonymous.
pub fn sees_comment(comment: &CommentFacts) -> bool {
    sees_post(&comment.post) && !hidden_by_block(comment.anonymous, comment.relation)
}

/// Whether a share exists for who may read its post: never across a block. Shares are never anonymous.
pub fn sees_share(sharer: Relation) -> bool {
    !hidden_by_block(false, sharer)
}

/// Reading a post, viewing it, reacting to it, sharing it: seeing is enough.
pub fn read_post(post: &PostFacts) -> Verdict {
    sees_post(post).then_some(()).ok_or_else(|| not_found("post"))
}

/// Reading media: those of a post with the post, photos for everybody, others for who uploaded them.
pub fn read_media(media: &MediaFacts) -> Verdict {
    let sees = match &media.post {
        Some(post) => media.is_ready && sees_post(post),
        None => media.is_own || media.is_photo,
    };
    sees.then_some(()).ok_or_else(|| not_found("media"))
}

/// Whether everybody may read media, so that a cache may hand them to anybody.
pub fn is_public_media(media: &MediaFacts) -> bool {
    match &media.post {
        Some(post) => post.visibility == Visibility::Public,
        None => media.is_photo,
    }
}

/// Whether media may hang on a new post of the reader: their own, ready, made for posts, and nowhere else. One that hung
/// on two posts would tell that both have one author.
pub fn attaches(media: &MediaFacts) -> bool {
    let is_free = media.post.is_none() && !media.is_photo;
    media.is_own && media.is_ready && is_free && media.purpose == MediaPurpose::Post
}

/// Whether an upload may become the reader's photo: made for that, and nobody's yet.
pub fn photographs(media: &MediaFacts) -> bool {
    media.is_own
        && media.is_ready
        && media.post.is_none()
        && !media.is_photo
        && media.purpose == MediaPurpose::Profile
}

/// Deleting media is for who uploaded them, while they hang nowhere.
pub fn delete_media(media: &MediaFacts) -> Verdict {
    read_media(media)?;
    if !media.is_own {
        return Err(forbidden("only who uploaded media deletes them"));
    }
    if media.post.is_some() {
        return Err(ErrorBody::new(Code::Conflict, "this is in a post: delete the post"));
    }
    if media.is_photo {
        return Err(ErrorBody::new(Code::Conflict, "this is your photo: choose another, or none"));
    }
    Ok(())
}

/// Reacting to a comment: seeing is enough.
pub fn read_comment(comment: &CommentFacts) -> Verdict {
    sees_comment(comment).then_some(()).ok_or_else(|| not_found("comment"))
}

/// Posting takes a member of the community.
pub fn post_into(community: &CommunityFacts) -> Verdict {
    match community.role {
        Some(_) => Ok(()),
        None => Err(forbidden("only members post in a community: join it first")),
    }
}

/// Sharing a post to another platform takes one that everybody may read.
pub fn share_outside(post: &PostFacts) -> Verdict {
    read_post(post)?;
    match post.visibility {
        Visibility::Public => Ok(()),
        Visibility::Followers | Visibility::Private => {
            Err(forbidden("only public posts are shared to other platforms: not everybody may read this one"))
        }
    }
}

/// Editing a post is for its author, within `window_ms` of posting it.
pub fn edit_post(post: &PostFacts, at: i64, window_ms: i64) -> Verdict {
    read_post(post)?;
    if !post.relation.is_self {
        return Err(forbidden("only its author edits a post"));
    }
    if at.saturating_sub(post.created_at) > window_ms {
        let minutes = window_ms / 60_000;
        return Err(ErrorBody::new(
            Code::WindowClosed,
            format!("a post can be edited for {minutes} minutes after it was posted"),
        ));
    }
    Ok(())
}

/// What an edit touches that a live's post must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The kind.
    pub kind: bool,
    /// The title, which it takes away.
    pub takes_title: bool,
}

/// The post of a live stays one, and keeps a title: it is the live's.
pub fn keep_live_post(post: &PostFacts, touched: Touched) -> Verdict {
    if post.is_live && touched.kind {
        return Err(ErrorBody::invalid("kind", "the post of a live keeps its kind: leave `kind` out"));
    }
    if post.is_live && touched.takes_title {
        return Err(ErrorBody::invalid("title", "the title of a live is its post's: give another instead"));
    }
    Ok(())
}

/// Deleting a post is for its author, for moderators of its community who may see it, and for moderators and admins of
/// the server, who may delete without seeing, lest a block be a shield against them.
pub fn delete_post(reader: Reader, post: &PostFacts) -> Verdict {
    if is_staff(reader) {
        return Ok(());
    }
    read_post(post)?;
    if post.relation.is_self || post.community_role == Some(CommunityRole::Moderator) {
        return Ok(());
    }
    Err(forbidden("only its author or a moderator deletes a post"))
}

/// A new comment takes a visible post; a reply also a visible comment of the same post with room below it: replies nest
/// `depth` deep.
pub fn comment_on(post: &PostFacts, parent: Option<&CommentFacts>, depth: u8) -> Verdict {
    read_post(post)?;
    let Some(parent) = parent else { return Ok(()) };
    if parent.post.id != post.id {
        return Err(not_found("comment"));
    }
    read_comment(parent)?;
    if parent.depth >= depth {
        let mut refusal =
            ErrorBody::new(Code::LimitExceeded, format!("replies nest {depth} deep: reply further up"));
        refusal.field = Some("parent_id".into());
        return Err(refusal);
    }
    Ok(())
}

/// Editing a comment is for its author.
pub fn edit_comment(comment: &CommentFacts) -> Verdict {
    read_comment(comment)?;
    if comment.relation.is_self { Ok(()) } else { Err(forbidden("only its author edits a comment")) }
}

/// Deleting a comment is for its author, for moderators of the community who may see it, and for moderators and admins
/// of the server.
pub fn delete_comment(reader: Reader, comment: &CommentFacts) -> Verdict {
    if is_staff(reader) {
        return Ok(());
    }
    read_comment(comment)?;
    if comment.relation.is_self || comment.post.community_role == Some(CommunityRole::Moderator) {
        return Ok(());
    }
    Err(forbidden("only its author or a moderator deletes a comment"))
}

/// Whether a live exists for its reader: as its post does.
pub fn read_live(live: &LiveFacts) -> Verdict {
    sees_post(&live.post).then_some(()).ok_or_else(|| not_found("live"))
}

/// Whether the reader shall stay out of a live; its owner never has to.
pub fn is_banned(live: &LiveFacts) -> bool {
    live.banned && !live.post.relation.is_self
}

/// Joining takes a live that has not ended, and that one was not banned from.
pub fn join_live(live: &LiveFacts) -> Verdict {
    read_live(live)?;
    if is_banned(live) {
        return Err(forbidden("you were banned from this live"));
    }
    if live.state == LiveState::Ended {
        return Err(ErrorBody::new(Code::Conflict, "this live has ended"));
    }
    Ok(())
}

/// Milliseconds after which a live that nobody sends into yet may be asked for again.
const NOT_YET_MS: u64 = 2_000;

/// Watching takes a live that one may join and that has, or had, a picture.
pub fn watch_live(live: &LiveFacts) -> Verdict {
    join_live(live)?;
    match live.state {
        LiveState::Created | LiveState::Connecting => {
            Err(ErrorBody::new(Code::Conflict, "this live has not begun yet: ask again")
                .retry_after(NOT_YET_MS))
        }
        LiveState::Live | LiveState::Interrupted | LiveState::Ended => Ok(()),
    }
}

/// Sending into a live is for its owner, while it runs.
pub fn publish_live(live: &LiveFacts) -> Verdict {
    read_live(live)?;
    if !live.post.relation.is_self {
        return Err(forbidden("only its owner sends into a live"));
    }
    if live.state == LiveState::Ended {
        return Err(ErrorBody::new(Code::Conflict, "this live has ended: start another"));
    }
    Ok(())
}

/// Stopping a live is for its owner, and for moderators and admins of the server, who need not see it.
pub fn stop_live(reader: Reader, live: &LiveFacts) -> Verdict {
    if is_staff(reader) {
        return Ok(());
    }
    read_live(live)?;
    if live.post.relation.is_self { Ok(()) } else { Err(forbidden("only its owner stops a live")) }
}

/// The report and the figures of a live are its owner's.
pub fn read_live_report(live: &LiveFacts) -> Verdict {
    read_live(live)?;
    if live.post.relation.is_self { Ok(()) } else { Err(forbidden("only its owner reads a live's report")) }
}

/// Whether somebody keeps order in a live: its owner, moderators of its community, moderators and admins of the server.
pub fn moderates_live(reader: Reader, live: &LiveFacts) -> bool {
    let of_community = live.post.community_role == Some(CommunityRole::Moderator);
    is_staff(reader) || live.post.relation.is_self || (sees_post(&live.post) && of_community)
}

/// Banning from a live and setting its slow mode is for those who keep order in it.
pub fn moderate_live(reader: Reader, live: &LiveFacts) -> Verdict {
    if moderates_live(reader, live) {
        return Ok(());
    }
    read_live(live)?;
    Err(forbidden("only its owner or a moderator keeps order in a live"))
}

/// Writing takes a live that one may join. Reacting too.
pub fn chat_in(live: &LiveFacts) -> Verdict {
    join_live(live)
}

/// Deleting a message is for who wrote it, and for those who keep order.
pub fn delete_message(reader: Reader, message: &ChatFacts) -> Verdict {
    if moderates_live(reader, &message.live) {
        return Ok(());
    }
    read_live(&message.live).map_err(|_| not_found("message"))?;
    if message.is_author {
        Ok(())
    } else {
        Err(forbidden("only its author or a moderator deletes a message"))
    }
}

/// Who may listen to `live:`: who may read the live and was not banned from it.
pub fn read_live_channel(live: &LiveFacts) -> Verdict {
    if !sees_post(&live.post) {
        return Err(not_found("channel"));
    }
    if is_banned(live) {
        return Err(forbidden("you were banned from this live"));
    }
    Ok(())
}

/// Who may read the figures of a live: its owner. Others are told that there are none.
pub fn read_live_analytics(live: &LiveFacts) -> Verdict {
    live.post.relation.is_self.then_some(()).ok_or_else(|| not_found("channel"))
}

/// A community may lie in another while there are no more than `levels` of them, counted from the outermost.
pub fn nest_in(parent: &CommunityFacts, levels: u8) -> Verdict {
    if parent.depth.saturating_add(2) <= levels {
        return Ok(());
    }
    let mut refusal = ErrorBody::new(
        Code::LimitExceeded,
        format!("communities nest {levels} levels deep: choose one further up"),
    );
    refusal.field = Some("parent_id".into());
    Err(refusal)
}

/// Nobody follows across a block; ceasing to follow is always possible.
pub fn follow(pair: &PairFacts, on: bool) -> Verdict {
    if on && pair.relation.blocked {
        return Err(forbidden("one of you has blocked the other"));
    }
    Ok(())
}

/// Who may read `author:`: the person and the followers. Others are told that it is not there.
pub fn read_author_channel(relation: Relation) -> Verdict {
    let may = relation.is_self || (relation.follows && !relation.blocked);
    may.then_some(()).ok_or_else(|| not_found("channel"))
}

/// Who may ask for the figures of a post: its author. Who may read it is told that these are not theirs.
pub fn read_figures(post: &PostFacts) -> Verdict {
    read_post(post)?;
    post.relation.is_self.then_some(()).ok_or_else(|| forbidden("only its author sees the figures of a post"))
}

/// Who may listen to the figures of a post: its author. Others are told that there are none.
pub fn read_analytics(post: &PostFacts) -> Verdict {
    post.relation.is_self.then_some(()).ok_or_else(|| not_found("channel"))
}

fn hidden_by_block(anonymous: bool, relation: Relation) -> bool {
    relation.blocked && !anonymous && !relation.is_self
}

fn is_staff(reader: Reader) -> bool {
    matches!(reader.role, Role::Moderator | Role::Admin) && reader.user.is_some()
}

fn forbidden(message: &str) -> ErrorBody {
    ErrorBody::new(Code::Forbidden, message)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
