//! Posts go where they may be read, are edited by version, and go with all that hangs on them.

use super::{
    World,
    world::{GUEST, no, op, refusal, yes},
};
use crate::{
    publication::Audience,
    store::{
        Actor, StoreError,
        log::{PageSize, Range},
        posts::{FeedQuery, FeedScope, OnlyLive, PostChange, View, Viewer},
    },
};
use communiconnect_protocol::{
    Channel, CommunityRole, MyPost, Post, PostDeleted, PostEvent, PostId, PostKind, ReactionKind, SessionId,
    Visibility, event,
};
use futures_util::future::join_all;

pub(crate) async fn a_public_post_goes_to_every_feed_around_it(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Outer", None).await.id;
    let inner = world.community(ada, "Inner", Some(outer)).await.id;
    world.told().await;
    let new = world.draft(inner, "hello");
    let (post, position) = world.stores.posts.create(ada, op("mine"), new, yes()).await.expect("posted");
    assert_eq!(post.my, Some(MyPost { author: true, ..MyPost::default() }));
    assert_eq!(post.author.as_ref().map(|author| author.username.as_str()), Some("ada"));
    assert_eq!((position.channel, position.position.offset), (Channel::Feed(inner), 1));

    let told = world.told().await;
    let channels = [Channel::Feed(inner), Channel::Feed(outer), Channel::Author(ada.user)];
    assert_eq!(told.channels_of(event::POST_CREATED), channels);
    assert_eq!(told.publications.len(), 3, "and nowhere else");
    for publication in &told.publications {
        assert_eq!((publication.actor, publication.audience), (Some(ada.user), Audience::Readers));
        let body: PostEvent = publication.data.read().expect("an event");
        assert_eq!(body, PostEvent { post: Post { my: None, ..post.clone() }, op: Some("mine".into()) });
    }
}

pub(crate) async fn an_anonymous_post_names_nobody(world: World) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    world.told().await;
    let mut new = world.draft(community, "a secret");
    new.anonymous = true;
    let (post, position) = world.stores.posts.create(ada, world.op(), new, yes()).await.expect("posted");
    assert_eq!((post.author, position.channel), (None, Channel::Feed(community)));
    let told = world.told().await;
    assert_eq!(told.channels_of(event::POST_CREATED), [Channel::Feed(community)]);
    assert_eq!(told.publications[0].actor, None);
    let body: PostEvent = told.publications[0].data.read().expect("an event");
    assert_eq!((body.op, body.post.author, body.post.my), (None, None, None));

    let theirs = world.read_post(bob, post.id).await.expect("public");
    assert_eq!((theirs.author, theirs.my.map(|my| my.author)), (None, Some(false)));
    let own = world.read_post(ada, post.id).await.expect("public");
    assert_eq!((own.author, own.my.map(|my| my.author)), (None, Some(true)));
    assert_eq!(feed(&world, bob, FeedScope::Author(ada.user)).await, []);
    assert_eq!(feed(&world, ada, FeedScope::Author(ada.user)).await, [post.id]);
}

pub(crate) async fn a_narrow_post_stays_narrow(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    for (visibility, channel) in
        [(Visibility::Followers, Channel::Author(ada.user)), (Visibility::Private, Channel::User(ada.user))]
    {
        let mut new = world.draft(community, "for few");
        new.visibility = visibility;
        let (post, position) = world.stores.posts.create(ada, world.op(), new, yes()).await.expect("posted");
        assert_eq!(position.channel, channel);
        world.react(ada, post.id, Some(ReactionKind::Like)).await.expect("reacted");
        let told = world.told().await;
        assert_eq!(told.channels_of(event::POST_CREATED), std::slice::from_ref(&channel));
        assert_eq!(told.states[0].channels, [channel, Channel::Post(post.id)]);
    }
}

pub(crate) async fn a_retry_answers_the_same_post(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    world.told().await;
    let create = || world.stores.posts.create(ada, op("same"), world.draft(community, "once"), yes());
    let (first, second) = tokio::join!(create(), create());
    assert_eq!(first.expect("posted"), second.expect("answered again"));
    assert_eq!(feed(&world, ada, FeedScope::Community(community)).await.len(), 1);
    assert_eq!(world.told().await.publications.len(), 2, "one feed, one author");
}

pub(crate) async fn an_edit_goes_where_the_post_went(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await;
    world.told().await;
    world.pass(5);
    let change = PostChange {
        title: Some(Some("a title".into())),
        kind: Some(PostKind::Help),
        ..change(&world, &post, 1)
    };
    let edited = world.stores.posts.edit(ada, change, yes()).await.expect("edited");
    assert_eq!((edited.version, edited.edited_at), (2, Some(world.now())));
    assert_eq!((edited.title.as_deref(), edited.content.as_str()), (Some("a title"), "changed"));
    let told = world.told().await;
    let channels = [Channel::Feed(community), Channel::Author(ada.user), Channel::Post(post.id)];
    assert_eq!(told.channels_of(event::POST_EDITED), channels);
    let body: PostEvent = told.publications[0].data.read().expect("an event");
    assert_eq!(body, PostEvent { post: Post { my: None, ..edited.clone() }, op: None });

    let untitled = PostChange { title: Some(None), content: None, ..self::change(&world, &post, 2) };
    let edited = world.stores.posts.edit(ada, untitled, yes()).await.expect("edited");
    assert_eq!((edited.title, edited.content.as_str(), edited.kind), (None, "changed", PostKind::Help));
}

pub(crate) async fn of_two_edits_one_loses(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await;
    let edit = || world.stores.posts.edit(ada, change(&world, &post, 1), yes());
    let outcomes: [_; 2] = tokio::join!(edit(), edit()).into();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let lost = outcomes.into_iter().find_map(Result::err);
    assert_eq!(lost, Some(StoreError::Version { present: 2 }));
    let refused = world.stores.posts.edit(ada, change(&world, &post, 9), no()).await;
    assert_eq!(refused, Err(refusal().into()), "a rule speaks before the version does");
}

pub(crate) async fn a_deleted_post_is_gone_everywhere(world: World) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await;
    let kept = world.post(ada, community).await;
    let comment = world.comment(bob, post.id, None).await;
    world.react(bob, post.id, Some(ReactionKind::Love)).await.expect("reacted");
    world.react_to_comment(ada, comment.id, Some(ReactionKind::Like)).await.expect("reacted");
    world.told().await;
    let refused = world.stores.posts.delete(bob, post.id, world.now(), no()).await;
    assert_eq!(refused, Err(refusal().into()));
    assert_eq!(world.told().await.events(), Vec::<&str>::new());

    world.stores.posts.delete(ada, post.id, world.now(), yes()).await.expect("deleted");
    let told = world.told().await;
    let channels = [Channel::Feed(community), Channel::Author(ada.user), Channel::Post(post.id)];
    assert_eq!(told.channels_of(event::POST_DELETED), channels);
    let body: PostDeleted = told.publications[0].data.read().expect("an event");
    assert_eq!(body, PostDeleted { post_id: post.id });

    assert_eq!(world.read_post(ada, post.id).await, None);
    assert_eq!(world.stores.comments.get(ada.into(), comment.id).await, Ok(None));
    assert_eq!(feed(&world, ada, FeedScope::Community(community)).await, [kept.id]);
    assert_eq!(feed(&world, ada, FeedScope::Author(ada.user)).await, [kept.id]);
    let again = world.stores.posts.delete(ada, post.id, world.now(), yes()).await;
    assert_eq!(again, Err(StoreError::NotFound("post")));
    let edit = world.stores.posts.edit(ada, change(&world, &post, 1), yes()).await;
    assert_eq!(edit, Err(StoreError::NotFound("post")));

    for channel in [
        Channel::Feed(community),
        Channel::Author(ada.user),
        Channel::Post(post.id),
        Channel::User(ada.user),
        Channel::User(bob.user),
    ] {
        let size = PageSize { items: 100, bytes: 1 << 20 };
        let page = world.stores.log.page(&channel, Range::After(0), size).await.expect("a page");
        assert_eq!(page.publications.len() as u64, page.head, "{channel} keeps its offsets");
        for publication in page.publications {
            let speaks = format!("{:?}", publication.data).contains(&post.id.to_string());
            assert!(!speaks || *publication.event == *event::POST_DELETED, "{publication:?}");
        }
    }
}

pub(crate) async fn feeds_are_newest_first_and_stable(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Outer", None).await.id;
    let inner = world.community(ada, "Inner", Some(outer)).await.id;
    let mut posts = Vec::new();
    for number in 0..5 {
        posts.push(world.post(ada, if number % 2 == 0 { outer } else { inner }).await.id);
    }
    posts.reverse();
    let mut query = FeedQuery {
        scope: FeedScope::Community(outer),
        kind: None,
        live: OnlyLive::No,
        before: None,
        limit: 2,
    };
    let first = ids(&world, ada, query).await;
    assert_eq!(first, posts[..2]);
    // The clock goes back, and posts arrive: what was read stays in its place.
    world.pass(-1_000);
    world.post(ada, outer).await;
    query.before = first.last().copied();
    query.limit = 10;
    assert_eq!(ids(&world, ada, query).await, posts[2..]);
    assert_eq!(feed(&world, ada, FeedScope::Community(inner)).await.len(), 2);
}

pub(crate) async fn feeds_know_kinds_and_authors(world: World) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    let info = world.post(ada, community).await;
    let mut new = world.draft(community, "help!");
    new.kind = PostKind::Help;
    let help = world.stores.posts.create(bob, world.op(), new, yes()).await.expect("posted").0;
    let of_kind =
        |scope, kind| FeedQuery { scope, kind: Some(kind), live: OnlyLive::No, before: None, limit: 10 };
    let everything = FeedScope::Community(community);
    assert_eq!(ids(&world, ada, of_kind(everything, PostKind::Help)).await, [help.id]);
    assert_eq!(ids(&world, ada, of_kind(FeedScope::Author(bob.user), PostKind::Info)).await, []);
    assert_eq!(feed(&world, ada, FeedScope::Author(bob.user)).await, [help.id]);
    let change = PostChange { kind: Some(PostKind::Help), ..change(&world, &info, 1) };
    world.stores.posts.edit(ada, change, yes()).await.expect("edited");
    assert_eq!(ids(&world, ada, of_kind(everything, PostKind::Help)).await, [help.id, info.id]);
    assert_eq!(ids(&world, ada, of_kind(everything, PostKind::Info)).await, []);
}

pub(crate) async fn the_home_feed_merges_its_sources(world: World) {
    let [ada, bob, eve] = [world.person("ada").await, world.person("bob").await, world.person("eve").await];
    let outer = world.community(ada, "Outer", None).await.id;
    let inner = world.community(ada, "Inner", Some(outer)).await.id;
    let elsewhere = world.community(ada, "Elsewhere", None).await.id;
    world.join(eve, outer).await;
    world.join(eve, inner).await;
    world.follow(eve, bob).await;
    let below = world.post(ada, inner).await.id;
    world.post(ada, elsewhere).await;
    let followed = world.post(bob, elsewhere).await.id;
    let both = world.post(bob, outer).await.id;
    let mut hidden = world.draft(elsewhere, "a secret");
    hidden.anonymous = true;
    world.stores.posts.create(bob, world.op(), hidden, yes()).await.expect("posted");
    assert_eq!(feed(&world, eve, FeedScope::Home).await, [both, followed, below]);
    let rest =
        FeedQuery { scope: FeedScope::Home, kind: None, live: OnlyLive::No, before: Some(both), limit: 1 };
    assert_eq!(ids(&world, eve, rest).await, [followed]);
    let guest = world.stores.posts.feed(GUEST, rest).await;
    assert_eq!(guest, Ok(Vec::new()));
}

pub(crate) async fn views_of_a_crowd_are_counted_exactly(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let posts = [world.post(ada, community).await.id, world.post(ada, community).await.id];
    let mut people = Vec::new();
    for number in 0..30 {
        people.push(world.person(&format!("person{number}")).await);
    }
    // Each looks at both posts twice, all at once, and again when the window is over.
    for round in 1..=2 {
        world.told().await;
        let looks =
            people.iter().flat_map(|who| [posts[0], posts[1], posts[0], posts[1]].map(|id| (*who, id)));
        let looking = looks.map(|(who, post_id)| {
            let viewer = Viewer::Person(who.user);
            let view = View { post_id, viewer, window_ms: 1_000, at: world.now() };
            world.stores.posts.view(who.into(), view, yes())
        });
        let outcomes = join_all(looking).await;
        let counted = outcomes.into_iter().filter(|outcome| *outcome == Ok(true)).count();
        assert_eq!(counted, 60, "each post once per person");
        for id in posts {
            let counts = world.read_post(ada, id).await.expect("is there").counts;
            assert_eq!((counts.views, counts.version), (30 * round, 30 * round));
        }
        world.pass(1_000);
    }
}

pub(crate) async fn a_viewer_counts_once_per_window(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await.id;
    world.told().await;
    let guest = Viewer::Guest(SessionId::new(world.now()));
    for (viewer, wait, counted) in [
        (Viewer::Person(ada.user), 0, true),
        (Viewer::Person(ada.user), 999, false),
        (guest, 0, true),
        (Viewer::Person(ada.user), 1, true),
        (Viewer::Person(ada.user), 999, false),
        (Viewer::Person(ada.user), 1, true),
    ] {
        world.pass(wait);
        let view = View { post_id: post, viewer, window_ms: 1_000, at: world.now() };
        assert_eq!(world.stores.posts.view(ada.into(), view, yes()).await, Ok(counted));
    }
    let counts = world.read_post(ada, post).await.expect("is there").counts;
    assert_eq!((counts.views, counts.version), (4, 4));
    assert_eq!(world.told().await.states.len(), 4);
    let view = View { post_id: PostId::new(1), viewer: guest, window_ms: 1_000, at: world.now() };
    let unknown = world.stores.posts.view(GUEST, view, yes()).await;
    assert_eq!(unknown, Err(StoreError::NotFound("post")));
}

pub(crate) async fn counts_come_in_the_order_asked(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let [first, second] = [world.post(ada, community).await.id, world.post(ada, community).await.id];
    world.react(ada, first, Some(ReactionKind::Wow)).await.expect("reacted");
    let asked = vec![second, PostId::new(1), first];
    let counts = world.stores.posts.counts(GUEST, asked).await.expect("counts");
    let versions: Vec<_> = counts.iter().map(|(counts, facts)| (facts.id, counts.version)).collect();
    assert_eq!(versions, [(second, 0), (first, 1)]);
    assert_eq!(counts[1].0.reactions, [(ReactionKind::Wow, 1)].into());
}

pub(crate) async fn facts_tell_how_the_reader_stands(world: World) {
    let [ada, bob, eve] = [world.person("ada").await, world.person("bob").await, world.person("eve").await];
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await;
    world.follow(bob, ada).await;
    world.join(bob, community).await;
    world.block(ada, eve).await;
    let facts = async |reader| {
        let view = world.stores.posts.get(reader, post.id).await.expect("read").expect("is there");
        let relation = view.facts.relation;
        ((relation.is_self, relation.follows, relation.blocked), view.facts.community_role)
    };
    assert_eq!(facts(ada.into()).await, ((true, false, false), Some(CommunityRole::Moderator)));
    assert_eq!(facts(bob.into()).await, ((false, true, false), Some(CommunityRole::Member)));
    assert_eq!(facts(eve.into()).await, ((false, false, true), None));
    assert_eq!(facts(GUEST).await, ((false, false, false), None));
}

fn change(world: &World, post: &Post, version: u64) -> PostChange {
    let content = Some("changed".into());
    PostChange { post_id: post.id, version, title: None, content, kind: None, at: world.now() }
}

async fn feed(world: &World, reader: Actor, scope: FeedScope) -> Vec<PostId> {
    ids(world, reader, FeedQuery { scope, kind: None, live: OnlyLive::No, before: None, limit: 100 }).await
}

async fn ids(world: &World, reader: Actor, query: FeedQuery) -> Vec<PostId> {
    let views = world.stores.posts.feed(reader.into(), query).await.expect("a page");
    views.into_iter().map(|view| view.post.id).collect()
}
