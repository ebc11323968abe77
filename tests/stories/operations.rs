//! H5: an operation id makes a command that creates safe to send again, however it is sent again.

use serde_json::{Value, json};

use crate::harness::{Client, Encoding, Server, in_both_encodings, list, op, post, with};

in_both_encodings!(
    h5_same_op_on_one_socket_has_one_effect,
    h5_same_op_after_a_reconnect_has_one_effect,
    h5_same_op_after_restart_has_one_effect,
);

/// The three commands that create, with fresh ops, in a community with a post.
async fn creations(client: &mut Client) -> (String, String, Vec<(&'static str, Value)>) {
    let community = client.makes_community("Twice").await;
    let post_id = client.posts(&community, "a place for comments").await;
    let commands = vec![
        ("community.create", json!({"op": op(), "name": "Inner", "parent_id": community})),
        ("post.create", post(&community, "said once")),
        ("comment.add", json!({"op": op(), "post_id": post_id, "content": "said once"})),
    ];
    (community, post_id, commands)
}

/// How many things the three commands have made.
async fn effects(client: &mut Client, community: &str, post_id: &str) -> (usize, usize, usize) {
    let inner = client.ok("community.list", json!({"parent_id": community})).await;
    let posts = client.feed(json!({"community_id": community})).await;
    let comments = client.all_comments(post_id).await;
    (list(&inner["communities"]).len(), posts.len() - 1, comments.len())
}

async fn h5_same_op_on_one_socket_has_one_effect(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let (community, post_id, commands) = creations(&mut alice).await;
    for (command, body) in &commands {
        let first = alice.ok(command, body.clone()).await;
        let again = alice.ok(command, body.clone()).await;
        assert_eq!(first, again, "{command}: the same answer");
    }
    assert_eq!(effects(&mut alice, &community, &post_id).await, (1, 1, 1));
    assert_eq!(alice.counts(&post_id).await["comments"], 1);
}

async fn h5_same_op_after_a_reconnect_has_one_effect(encoding: Encoding) {
    let server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let (community, post_id, commands) = creations(&mut alice).await;
    let mut first = Vec::new();
    for (command, body) in &commands {
        first.push(alice.ok(command, body.clone()).await);
    }
    alice.cut();
    let mut alice = server.client("alice", encoding).await;
    for ((command, body), first) in commands.iter().zip(first) {
        assert_eq!(alice.ok(command, body.clone()).await, first, "{command}");
    }
    assert_eq!(effects(&mut alice, &community, &post_id).await, (1, 1, 1));
}

async fn h5_same_op_after_restart_has_one_effect(encoding: Encoding) {
    let mut server = Server::start().await;
    let mut alice = server.client("alice", encoding).await;
    let (community, post_id, commands) = creations(&mut alice).await;
    let mut first = Vec::new();
    for (command, body) in &commands {
        first.push(alice.ok(command, body.clone()).await);
    }
    server.kill_and_restart().await;
    let mut alice = server.client("alice", encoding).await;
    for ((command, body), first) in commands.iter().zip(first) {
        assert_eq!(alice.ok(command, body.clone()).await, first, "{command}");
    }
    assert_eq!(effects(&mut alice, &community, &post_id).await, (1, 1, 1));
}

#[tokio::test]
async fn h5_same_op_at_once_on_many_sockets_has_one_effect() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let (community, post_id, commands) = creations(&mut alice).await;
    let mut sockets = Vec::new();
    for number in 0..6 {
        sockets.push(server.client("alice", Encoding::BOTH[number % 2]).await);
    }
    for (command, body) in &commands {
        let ids: Vec<u64> = sockets.iter_mut().map(|socket| socket.send(command, body)).collect();
        let mut answers = Vec::new();
        for (socket, id) in sockets.iter_mut().zip(ids) {
            let reply = socket.reply_to(id, command).await;
            assert!(reply.is_ok, "{command}: {}", reply.body);
            answers.push(reply.body);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{command}: {answers:?}");
    }
    assert_eq!(effects(&mut alice, &community, &post_id).await, (1, 1, 1));
}

#[tokio::test]
async fn h5_an_op_with_another_meaning_is_a_conflict() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::MessagePack).await;
    let (community, post_id, commands) = creations(&mut alice).await;
    for (command, body) in &commands {
        alice.ok(command, body.clone()).await;
    }
    let taken = &commands[1].1["op"];
    alice
        .refused("post.create", with(post(&community, "said otherwise"), json!({"op": taken})), "conflict")
        .await;
    alice
        .refused("comment.add", json!({"op": taken, "post_id": post_id, "content": "said once"}), "conflict")
        .await;
    assert_eq!(effects(&mut alice, &community, &post_id).await, (1, 1, 1));
    // Another person's op is another op.
    let mut bob = server.client("bob", Encoding::Json).await;
    bob.joins(&community).await;
    bob.ok("post.create", commands[1].1.clone()).await;
    assert_eq!(effects(&mut alice, &community, &post_id).await, (1, 2, 1));
}

#[tokio::test]
async fn h5_only_successes_are_remembered() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let community = alice.makes_community("Second chance").await;
    let mut bob = server.client("bob", Encoding::Json).await;
    let wish = post(&community, "let me in");
    bob.refused("post.create", wish.clone(), "forbidden").await;
    bob.joins(&community).await;
    let made = bob.ok("post.create", wish).await;
    assert_eq!(made["post"]["content"], "let me in");
}

#[tokio::test]
async fn an_op_is_needed_and_has_one_to_sixty_four_characters() {
    let server = Server::start().await;
    let mut alice = server.client("alice", Encoding::Json).await;
    let community = alice.makes_community("Ops").await;
    for wrong in [Value::Null, json!(""), json!("x".repeat(65)), json!(7), json!(["a"])] {
        let body = with(post(&community, "no"), json!({"op": wrong}));
        alice.invalid("post.create", body, "op").await;
    }
    for right in ["1".to_string(), "é".repeat(64)] {
        alice.ok("post.create", with(post(&community, "yes"), json!({"op": right}))).await;
    }
}
