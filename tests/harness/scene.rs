//! What people do in nearly every story, in one line each.

use serde_json::{Value, json};

use super::{Client, op};

impl Client {
    /// Makes an outermost community; its id.
    pub async fn makes_community(&mut self, name: &str) -> String {
        let made = self.ok("community.create", json!({"op": op(), "name": name})).await;
        text(&made["community"]["id"])
    }

    /// Makes a community inside another; its id.
    pub async fn makes_community_in(&mut self, parent: &str, name: &str) -> String {
        let made = self.ok("community.create", json!({"op": op(), "name": name, "parent_id": parent})).await;
        text(&made["community"]["id"])
    }

    /// Becomes a member.
    pub async fn joins(&mut self, community: &str) {
        let joined = self.ok("community.join", json!({"community_id": community})).await;
        assert_eq!(joined["changed"], true);
    }

    /// Writes a public post; its id.
    pub async fn posts(&mut self, community: &str, content: &str) -> String {
        let made = self.ok("post.create", post(community, content)).await;
        text(&made["post"]["id"])
    }

    /// Writes a post with some fields other than those of [`post`]; the whole answer.
    pub async fn posts_with(&mut self, community: &str, fields: Value) -> Value {
        self.ok("post.create", with(post(community, "a post"), fields)).await
    }

    /// Comments on a post; the comment's id.
    pub async fn comments(&mut self, post: &str, content: &str) -> String {
        let body = json!({"op": op(), "post_id": post, "content": content});
        text(&self.ok("comment.add", body).await["comment"]["id"])
    }

    /// Replies to a comment; the reply's id.
    pub async fn replies(&mut self, post: &str, parent: &str, content: &str) -> String {
        let body = json!({"op": op(), "post_id": post, "parent_id": parent, "content": content});
        text(&self.ok("comment.add", body).await["comment"]["id"])
    }

    /// Sets the reaction on a post, `null` for none; the whole answer.
    pub async fn reacts(&mut self, post: &str, kind: impl Into<Value>) -> Value {
        self.ok("reaction.set", json!({"post_id": post, "kind": kind.into()})).await
    }

    /// Follows or unfollows; whether that changed anything.
    pub async fn follows(&mut self, user: &str, on: bool) -> bool {
        self.ok("follow.set", json!({"user_id": user, "on": on})).await["changed"] == true
    }

    /// Blocks or unblocks; whether that changed anything.
    pub async fn blocks(&mut self, user: &str, on: bool) -> bool {
        self.ok("block.set", json!({"user_id": user, "on": on})).await["changed"] == true
    }

    /// A post's ids in a feed's first page.
    pub async fn feed(&mut self, filter: Value) -> Vec<String> {
        let page = self.ok("feed.list", filter).await;
        list(&page["posts"]).iter().map(|post| text(&post["id"])).collect()
    }

    /// The present counts of a post.
    pub async fn counts(&mut self, post: &str) -> Value {
        self.ok("post.get", json!({"post_id": post})).await["post"]["counts"].clone()
    }

    /// Every comment of a post that hangs on the post itself, through all pages.
    pub async fn all_comments(&mut self, post: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let page = self
                .ok("comment.list", with(json!({"post_id": post, "limit": 100}), optional("cursor", &cursor)))
                .await;
            all.extend(list(&page["comments"]));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                return all;
            }
        }
    }

    /// Every entry of a channel's log after an offset, through all pages.
    pub async fn all_history(&mut self, channel: &str, mut after: u64) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let page = self.ok("history", json!({"channel": channel, "after": after, "limit": 256})).await;
            let items = list(&page["publications"]);
            after = items.last().map_or(after, |last| last["offset"].as_u64().expect("an offset"));
            all.extend(items);
            if page["more"] != true {
                return all;
            }
        }
    }
}

/// The body of a plain public post with a fresh `op`.
pub fn post(community: &str, content: &str) -> Value {
    json!({
        "op": op(),
        "community_id": community,
        "kind": "discussion",
        "content": content,
        "visibility": "public",
    })
}

/// `body` with the keys of `fields` put over it.
pub fn with(mut body: Value, fields: Value) -> Value {
    let target = body.as_object_mut().expect("a map");
    for (key, value) in fields.as_object().expect("a map") {
        target.insert(key.clone(), value.clone());
    }
    body
}

/// A map of one key, or of none where the value is null.
pub fn optional(key: &str, value: &Value) -> Value {
    if value.is_null() { json!({}) } else { json!({key: value}) }
}

/// A string out of an answer.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_string()
}

/// A list out of an answer.
pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list")).clone()
}
