//! Writing a post.

use crate::store::sql::db::params;
use crate::store::{
    Actor, Result, StoreError,
    posts::{NewPost, PostRules},
    routes::Placement,
    sql::{
        Tx,
        events::{Happening, POST_CREATED, tell},
        facts, media,
        user_row::user,
    },
};
use communiconnect_protocol::{
    Channel, CommunityId, Data, LiveId, Media, MyPost, Post, PostCounts, PostEvent, PostId,
};

/// A post to be written, with the live that it announces.
pub(in crate::store::sql) struct PostDraft {
    pub(in crate::store::sql) new: NewPost,
    pub(in crate::store::sql) live_id: Option<LiveId>,
}

/// Writes the post and tells it; answers it with the channel and offset of its position.
pub(in crate::store::sql) fn create(
    tx: &mut Tx<'_>,
    actor: Actor,
    op: &str,
    draft: PostDraft,
    rules: PostRules,
) -> Result<(Post, Channel, u64)> {
    let PostDraft { new, live_id } = draft;
    let (facts, path) = facts::community(tx.connection(), &actor.into(), new.community_id)?;
    (rules.may)(&facts)?;
    let media = media::for_post(tx.connection(), actor, &new.media, rules.attaches)?;
    let author = user(tx.connection(), actor.user)?.ok_or(StoreError::NotFound("user"))?;
    let placement = Placement {
        id: PostId::from_bytes(tx.id(new.at)),
        author: actor.user,
        anonymous: new.anonymous,
        visibility: new.visibility,
        path,
    };
    insert(tx, &placement, &new, &media)?;
    media::hang(tx, &media, placement.id)?;
    let mut post = Post {
        id: placement.id,
        community_id: new.community_id,
        kind: new.kind,
        title: new.title,
        content: new.content,
        visibility: new.visibility,
        anonymous: new.anonymous,
        author: (!new.anonymous).then_some(author),
        media,
        live_id,
        counts: PostCounts::default(),
        version: 1,
        created_at: new.at,
        edited_at: None,
        my: None,
    };
    let event = PostEvent { post: post.clone(), op: (!new.anonymous).then(|| op.to_owned()) };
    let channels = placement.creation();
    let channel = channels.first().expect("every post goes somewhere").clone();
    let happening = Happening {
        event: &POST_CREATED,
        data: Data::of(&event),
        at: new.at,
        actor: placement.named_author(),
        subject: Some(*placement.id.as_bytes()),
    };
    let offset = tell(tx, channels, happening)?;
    post.my = Some(MyPost { author: true, ..MyPost::default() });
    Ok((post, channel, offset))
}

fn insert(tx: &mut Tx<'_>, placement: &Placement, new: &NewPost, media: &[Media]) -> Result<()> {
    let path: Vec<u8> = placement.path.iter().flat_map(CommunityId::as_bytes).copied().collect();
    tx.sql(
        "INSERT INTO posts
             (id, community, author, anonymous, visibility, kind, version, created_at, path, title, content, media)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        placement.id.as_bytes(),
        new.community_id.as_bytes(),
        placement.author.as_bytes(),
        new.anonymous,
        new.visibility.as_str(),
        new.kind.as_str(),
        new.at,
        path,
        new.title,
        new.content,
        (!media.is_empty()).then(|| media::text_of(&media)),
    ])?;
    tx.sql("INSERT INTO post_counts (post) VALUES (?1)")?.execute([placement.id.as_bytes()])?;
    tx.sql("UPDATE users SET posts = posts + 1 WHERE id = ?1")?.execute([placement.author.as_bytes()])?;
    let mut feed = tx.sql("INSERT INTO feed (community, post, kind) VALUES (?1, ?2, ?3)")?;
    for community in &placement.path {
        feed.execute(params![community.as_bytes(), placement.id.as_bytes(), new.kind.as_str()])?;
    }
    Ok(())
}
