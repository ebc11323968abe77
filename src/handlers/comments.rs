//! `comment.*`

use super::{Answer, Ask};
use communiconnect_protocol::{CommentAdd, CommentDelete, CommentEdit, CommentList, Reply};

pub(super) async fn add(ask: Ask<'_>, body: CommentAdd) -> Answer {
    let added = ask.social.comments.add(ask.actor()?, body, ask.at).await?;
    Ok(Reply::CommentAdded(Box::new(added)))
}

pub(super) async fn edit(ask: Ask<'_>, body: CommentEdit) -> Answer {
    let edited = ask.social.comments.edit(ask.actor()?, body, ask.at).await?;
    Ok(Reply::Comment(Box::new(edited)))
}

pub(super) async fn delete(ask: Ask<'_>, body: CommentDelete) -> Answer {
    ask.social.comments.delete(ask.actor()?, body.comment_id, ask.at).await.map(Reply::Removed)
}

pub(super) async fn list(ask: Ask<'_>, body: CommentList) -> Answer {
    ask.social.comments.list(ask.reader(), body).await.map(Reply::Comments)
}
