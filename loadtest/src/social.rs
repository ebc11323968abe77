//! A small social network for the scenarios that write: people, a community, posts; and all of it read back at the end.

use crate::{
    api::Api,
    oracle::{Findings, Operations},
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A word before the `op` of what people write, so that it is found again in what the server shows.
const MARK: &str = "load-op-";

/// A text that tells the operation which wrote it.
pub(crate) fn with_op(text: &str, op: &str) -> String {
    format!("{text} {MARK}{op}")
}

/// People with names of their own.
pub(crate) async fn people(url: &str, name: &str, count: usize) -> Result<Vec<Api>> {
    let api = Api::new(url)?;
    let mut people = Vec::with_capacity(count);
    for place in 0..count.max(1) {
        people.push(api.clone().register(&format!("{name}-{place}")).await?);
    }
    Ok(people)
}

/// A community of the first of these people that all others join.
pub(crate) async fn community(people: &[Api], name: &str) -> Result<String> {
    let made = people[0].command("community.create", &json!({ "op": name, "name": name })).await?;
    let community = id(&made, "community")?;
    for person in &people[1..] {
        person.command("community.join", &json!({ "community_id": community })).await?;
    }
    Ok(community)
}

/// Posts in it, by these people in turn.
pub(crate) async fn posts(people: &[Api], community: &str, name: &str, count: usize) -> Result<Vec<String>> {
    let mut posts = Vec::with_capacity(count);
    for place in 0..count.max(1) {
        let author = &people[place % people.len()];
        let post = post(community, &format!("{name}-{place}"), "Something to talk about");
        posts.push(id(&author.command("post.create", &post).await?, "post")?);
    }
    Ok(posts)
}

/// The body of `post.create`.
pub(crate) fn post(community: &str, op: &str, content: &str) -> Value {
    json!({ "op": op, "community_id": community, "kind": "info", "content": content, "visibility": "public" })
}

/// Tells `operations` of every comment of a post that the server shows.
pub(crate) async fn find_comments(
    reader: &Api,
    post: &str,
    operations: &mut Operations,
    findings: &mut Findings,
) -> Result<()> {
    let mut body = json!({ "post_id": post, "limit": 100 });
    loop {
        let page = reader.command("comment.list", &body).await?;
        find(&page, "comments", operations, findings)?;
        let Some(cursor) = page["cursor"].as_str() else { return Ok(()) };
        body["cursor"] = cursor.into();
    }
}

/// Tells `operations` of every post of a community that was written by a marked operation.
pub(crate) async fn find_posts(
    reader: &Api,
    community: &str,
    operations: &mut Operations,
    findings: &mut Findings,
) -> Result<()> {
    let mut body = json!({ "community_id": community, "limit": 100 });
    loop {
        let page = reader.command("feed.list", &body).await?;
        find(&page, "posts", operations, findings)?;
        let Some(cursor) = page["cursor"].as_str() else { return Ok(()) };
        body["cursor"] = cursor.into();
    }
}

fn find(page: &Value, what: &str, operations: &mut Operations, findings: &mut Findings) -> Result<()> {
    let Some(things) = page[what].as_array() else { bail!("a list without {what}: {page}") };
    for thing in things {
        let content = thing["content"].as_str().unwrap_or_default();
        let Some((_, op)) = content.split_once(MARK) else { continue };
        let op = op.split(' ').next().unwrap_or_default();
        if let Err(misfit) = operations.found(op) {
            findings.wrong(misfit.kind(), misfit);
        }
    }
    Ok(())
}

/// What does not fit, once everything was found.
pub(crate) fn judge(operations: &Operations, findings: &mut Findings) {
    for misfit in operations.misfits() {
        findings.wrong(misfit.kind(), misfit);
    }
}

/// The id of what an answer holds.
pub(crate) fn id(answer: &Value, of: &str) -> Result<String> {
    Ok(answer[of]["id"].as_str().with_context(|| format!("no id of a {of} in {answer}"))?.to_owned())
}
