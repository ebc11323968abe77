//! Many people at once, at random; then every figure is counted anew.

use super::{
    World,
    world::{rules, yes},
};
use crate::{
    publication::State,
    store::{
        Actor, Result, StoreError,
        comments::CommentQuery,
        communities::Membership,
        notifications::{NotificationQuery, ReadMark},
        posts::{FeedQuery, FeedScope, OnlyLive, View, Viewer},
    },
};
use communiconnect_protocol::{
    Channel, CommentId, CommunityId, MyPost, NotificationKind, PostCounts, PostDay, PostId, ReactionCounts,
    ReactionKind, ShareKind, UserId,
};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

const PEOPLE: usize = 6;
const WRITERS: u64 = 8;
const STEPS: usize = 150;
const DAY_MS: i64 = 86_400_000;

pub(crate) async fn every_counter_equals_its_rows(world: World) {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(world.person(&format!("person{number}")).await);
    }
    let community = world.community(people[0], "All", None).await.id;
    let mut posts = Vec::new();
    for author in &people[..4] {
        posts.push(world.post(*author, community).await.id);
    }
    let crowd = Arc::new(Crowd {
        world,
        people,
        community,
        posts,
        comments: Mutex::default(),
        views: Mutex::default(),
    });
    let writers = (0..WRITERS).map(|number| {
        let crowd = crowd.clone();
        #[allow(clippy::disallowed_methods, reason = "a test owns its tasks")]
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed ^ number);
            for _ in 0..STEPS {
                crowd.step(&mut random).await;
            }
        })
    });
    for writer in futures_util::future::join_all(writers).await {
        writer.expect("no step fails");
    }
    crowd.check().await;
}

struct Crowd {
    world: World,
    people: Vec<Actor>,
    community: CommunityId,
    posts: Vec<PostId>,
    /// Comments that were there at some time.
    comments: Mutex<Vec<(PostId, CommentId)>>,
    /// Whose views counted, each as often as it did.
    views: Mutex<HashMap<PostId, Vec<UserId>>>,
}

/// What is gone meanwhile is no failure.
fn there<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

impl Crowd {
    async fn step(&self, random: &mut StdRng) {
        let world = &self.world;
        // Some steps lie on other days.
        world.pass(if random.random_ratio(1, 100) { DAY_MS } else { random.random_range(0..400) });
        let who = *self.people.choose(random).expect("people");
        let post = *self.posts.choose(random).expect("posts");
        let some = self.comments.lock().choose(random).copied();
        let kind = ReactionKind::ALL.choose(random).copied().filter(|_| random.random_ratio(2, 3));
        match (random.random_range(0..100), some) {
            (0..30, _) => drop(there(world.react(who, post, kind).await)),
            (30..45, Some((_, comment))) => drop(there(world.react_to_comment(who, comment, kind).await)),
            (45..55, Some((post, comment))) => self.comment(who, post, Some(comment)).await,
            (30..70, _) => self.comment(who, post, None).await,
            (70..76, Some((_, comment))) => {
                there(world.stores.comments.delete(who, comment, world.now(), yes()).await);
            }
            (70..85, _) => {
                let view = View {
                    post_id: post,
                    viewer: Viewer::Person(who.user),
                    window_ms: 5_000,
                    at: world.now(),
                };
                if there(world.stores.posts.view(who.into(), view, yes()).await) == Some(true) {
                    self.views.lock().entry(post).or_default().push(who.user);
                }
            }
            (85..89, _) => {
                let kind = *ShareKind::ALL.choose(random).expect("two kinds");
                match random.random_ratio(2, 3) {
                    true => drop(there(world.share(who, post, kind).await)),
                    false => drop(there(world.unshare(who, post, kind).await)),
                }
            }
            (89..92, _) => {
                let membership =
                    Membership { community_id: self.community, on: random.random(), at: world.now() };
                world.stores.communities.set_member(who, membership).await.expect("set");
            }
            (92..95, _) => {
                world
                    .stores
                    .notifications
                    .mark_read(who.user, ReadMark::All, world.now())
                    .await
                    .expect("read");
            }
            (95..97, _) => {
                world.stores.notifications.flush(world.now()).await.expect("flushed");
            }
            (97, _) => drop(there(world.stores.posts.delete(who, self.posts[0], world.now(), yes()).await)),
            _ => drop(world.read_post(who, post).await),
        }
    }

    async fn comment(&self, who: Actor, post: PostId, parent: Option<CommentId>) {
        let world = &self.world;
        let new = world.remark(post, parent, "at random");
        if let Some((comment, _)) = there(world.stores.comments.add(who, world.op(), new, rules(yes())).await)
        {
            self.comments.lock().push((post, comment.id));
        }
    }

    async fn check(&self) {
        let world = &self.world;
        let told = world.told().await;
        self.check_versions(&told.states);
        self.check_offsets(
            &told.publications.iter().map(|told| (told.channel.clone(), told.offset)).collect::<Vec<_>>(),
        );
        for post in &self.posts {
            self.check_post(*post).await;
        }
        let mut members = 0;
        for who in &self.people {
            let seen = world.stores.communities.get((*who).into(), self.community).await.expect("read");
            members += u64::from(seen.and_then(|community| community.my).is_some_and(|my| my.member));
            self.check_inbox(*who).await;
        }
        let reader = self.people[0].into();
        let community =
            world.stores.communities.get(reader, self.community).await.expect("read").expect("there");
        assert_eq!(community.members, members);
        let query = FeedQuery {
            scope: FeedScope::Community(self.community),
            kind: None,
            live: OnlyLive::No,
            before: None,
            limit: 100,
        };
        let feed = world.stores.posts.feed(reader, query).await.expect("a feed");
        let mut there = Vec::new();
        for post in self.posts.iter().rev() {
            there.extend(world.read_post(reader, *post).await);
        }
        assert_eq!(feed.into_iter().map(|view| view.post).collect::<Vec<_>>(), there);
    }

    /// A post's figures against what each person sees of their own, and against its comments one by one.
    async fn check_post(&self, id: PostId) {
        let world = &self.world;
        let mut reactions = ReactionCounts::new();
        let (mut shown, mut shares, mut reposts) = (None, 0, 0);
        for who in &self.people {
            let Some(post) = world.read_post(*who, id).await else { continue };
            let my = post.my.expect("in replies");
            if let Some(kind) = my.reaction {
                *reactions.entry(kind).or_default() += 1;
            }
            shares += u64::from(my.shared) + u64::from(my.reposted);
            reposts += u64::from(my.reposted);
            shown = Some(post.counts);
        }
        let mut comments = 0;
        let mut levels = vec![None];
        while let Some(parent_id) = levels.pop() {
            let query = CommentQuery { post_id: id, parent_id, after: None, limit: 10_000 };
            let level = world.stores.comments.list(self.people[0].into(), query).await.expect("a level");
            comments += level.len() as u64;
            if let Some(parent) = parent_id {
                let parent = world.stores.comments.get(self.people[0].into(), parent).await.expect("read");
                assert_eq!(parent.expect("is there").comment.counts.replies, level.len() as u64);
            }
            for view in level {
                self.check_comment(view.comment.id, &view.comment.counts.reactions).await;
                levels.push(Some(view.comment.id));
            }
        }
        let Some(shown) = shown else {
            assert_eq!(comments, 0, "a post that is gone has no comments");
            assert_eq!(world.stores.analytics.post(self.people[0].into(), id, 9).await, Ok(None));
            return;
        };
        let viewers = self.views.lock().get(&id).cloned().unwrap_or_default();
        assert_eq!(
            (&shown.reactions, shown.comments, shown.views, shown.shares),
            (&reactions, comments, viewers.len() as u64, shares)
        );
        self.check_figures(id, &shown, reposts, viewers).await;
    }

    /// The figures of a post's author, of which the days add up to what everybody sees.
    async fn check_figures(&self, id: PostId, shown: &PostCounts, reposts: u64, viewers: Vec<UserId>) {
        let figures = self.world.stores.analytics.post(self.people[0].into(), id, 1_000).await;
        let figures = figures.expect("read").expect("is there");
        let author = figures.facts.author;
        let unique = viewers.into_iter().filter(|viewer| *viewer != author).collect::<HashSet<_>>();
        assert_eq!(
            (&figures.counts, figures.reposts, figures.unique_viewers),
            (shown, reposts, unique.len() as u64)
        );
        let all = |of: fn(&PostDay) -> i64| figures.days.iter().map(of).sum::<i64>().unsigned_abs();
        assert_eq!(all(|day| day.views), shown.views);
        assert_eq!(all(|day| day.reactions), shown.reactions.values().sum::<u64>());
        assert_eq!(all(|day| day.comments), shown.comments);
        assert_eq!(all(|day| day.shares), shown.shares);
    }

    async fn check_comment(&self, id: CommentId, shown: &ReactionCounts) {
        let mut reactions = ReactionCounts::new();
        for who in &self.people {
            let view =
                self.world.stores.comments.get((*who).into(), id).await.expect("read").expect("is there");
            if let Some(kind) = view.comment.my.expect("in replies").reaction {
                *reactions.entry(kind).or_default() += 1;
            }
        }
        assert_eq!(*shown, reactions);
    }

    async fn check_inbox(&self, who: Actor) {
        let query = NotificationQuery { before: None, unread: false, limit: 10_000 };
        let page = self.world.stores.notifications.list(who.user, query).await.expect("a page");
        let unread = page.notifications.iter().filter(|told| told.read_at.is_none()).count() as u64;
        assert_eq!(page.unread, unread);
        for told in page.notifications {
            let is_counted: fn(MyPost) -> bool = match told.kind {
                NotificationKind::PostReaction => |my| my.reaction.is_some(),
                NotificationKind::Share => |my| my.shared,
                NotificationKind::Repost => |my| my.reposted,
                _ => continue,
            };
            let post = told.post_id.expect("about a post");
            let mut others = 0;
            for other in self.people.iter().filter(|other| other.user != who.user) {
                let post = self.world.read_post(*other, post).await.expect("else its notifications are gone");
                others += u64::from(is_counted(post.my.expect("in replies")));
            }
            assert_eq!(told.count, others);
        }
    }

    fn check_versions(&self, states: &[State]) {
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for state in states {
            let before = last.insert(&state.key, state.version).unwrap_or(0);
            assert_eq!(state.version, before + 1, "{} rises by one", state.key);
        }
    }

    fn check_offsets(&self, told: &[(Channel, u64)]) {
        let mut last: BTreeMap<&Channel, u64> = BTreeMap::new();
        for (channel, offset) in told {
            let before = last.insert(channel, *offset).unwrap_or(0);
            assert_eq!(*offset, before + 1, "{channel} has no hole");
        }
    }
}
