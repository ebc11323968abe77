//! `post.*`

use super::{Answer, Ask};
use crate::store::posts::Viewer;
use communiconnect_protocol::{PostCountsGet, PostCreate, PostDelete, PostEdit, PostGet, PostView, Reply};

pub(super) async fn create(ask: Ask<'_>, body: PostCreate) -> Answer {
    let created = ask.social.posts.create(ask.actor()?, body, ask.at).await?;
    Ok(Reply::PostCreated(Box::new(created)))
}

pub(super) async fn edit(ask: Ask<'_>, body: PostEdit) -> Answer {
    let edited = ask.social.posts.edit(ask.actor()?, body, ask.at).await?;
    Ok(Reply::Post(Box::new(edited)))
}

pub(super) async fn delete(ask: Ask<'_>, body: PostDelete) -> Answer {
    let post = body.post_id;
    let deleted = ask.social.posts.delete(ask.actor()?, post, ask.at).await?;
    ask.lives.post_removed(post).await;
    Ok(Reply::Changed(deleted))
}

pub(super) async fn get(ask: Ask<'_>, body: PostGet) -> Answer {
    let found = ask.social.posts.get(ask.reader(), body.post_id).await?;
    Ok(Reply::Post(Box::new(found)))
}

pub(super) async fn view(ask: Ask<'_>, body: PostView) -> Answer {
    let reader = ask.reader();
    // A guest over HTTP has no session to be known by, and is not counted.
    let viewer = match reader.user {
        Some(user) => Some(Viewer::Person(user)),
        None => ask.caller.session.as_ref().map(|session| Viewer::Guest(session.id())),
    };
    ask.social.posts.view(reader, viewer, body.post_id, ask.at).await.map(Reply::Counted)
}

pub(super) async fn counts(ask: Ask<'_>, body: PostCountsGet) -> Answer {
    ask.social.posts.counts(ask.reader(), body.post_ids).await.map(Reply::PostStates)
}
