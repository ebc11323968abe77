//! What the store carries: whole operations with all that they write (op, checks, row, counters, log, notification and
//! its log entry), synced to disk, with many writers at once and one by one; beside it what bare SQLite does with two
//! narrow rows an operation, and what PostgreSQL carries with one node and with two, in the same run.
//!
//! `cargo bench --bench store` prints operations per second and ratios. Run by `cargo test --benches` it only shows that
//! it works. The data lies in a temporary folder under the target directory: on a real disk, not in memory.

#[path = "../tests/harness/ports.rs"]
#[allow(unreachable_pub)]
mod ports;
#[path = "../tests/harness/postgres.rs"]
#[allow(dead_code, unreachable_pub, reason = "the stories use the rest")]
mod postgres;

use communiconnect::{
    publication::Committed,
    social::policy,
    store::{
        Actor, Op, Stores,
        accounts::NewAccount,
        chat::NewMessage,
        comments::{CommentRules, NewComment},
        communities::NewCommunity,
        lives::{Lease, NewLive},
        posts::{NewPost, PostRules, View, Viewer},
        reactions::{ReactionTarget, Wish},
        sql::{SqlSettings, SqlStore},
    },
};
use communiconnect_protocol::{CommunityId, LiveId, PostId, PostKind, ReactionKind, Role, Visibility};
use std::{
    future::Future,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// How much is done.
#[derive(Clone, Copy)]
struct Effort {
    writers: usize,
    posts: usize,
    time: Duration,
}

const FULL: Effort = Effort { writers: 500, posts: 400, time: Duration::from_secs(5) };
const GLANCE: Effort = Effort { writers: 8, posts: 8, time: Duration::from_millis(100) };

fn main() {
    // Cargo says `--bench` when figures are wanted, and nothing when the bench is only tested.
    let effort = if std::env::args().any(|argument| argument == "--bench") { FULL } else { GLANCE };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let bare = Pair { grouped: bare(effort, 500), single: bare(effort, 1) };
    let embedded = Town::in_folder(effort, folder());
    let Figures { comments, reactions, messages, views } =
        runtime.block_on(async { measure(effort, embedded.await).await });
    let database = postgres::database(postgres::Syncs::Disk);
    let one = runtime.block_on(async { measure(effort, Town::on_server(effort, &database, 1).await).await });
    let database = postgres::database(postgres::Syncs::Disk);
    let two = runtime.block_on(async { measure(effort, Town::on_server(effort, &database, 2).await).await });
    println!(
        "{:<30} {:>9} {:>9} {:>7} {:>10} {:>12}",
        "operations per second", "grouped", "1 by 1", "ratio", "us CPU/op", "KiB disk/op"
    );
    line("bare SQLite, two narrow rows", &bare);
    line("comment.add, complete", &comments);
    line("reaction.set, complete", &reactions);
    line("chat.send, complete", &messages);
    line("post.view, complete", &views);
    line("comment.add, PostgreSQL", &one.comments);
    line("  the same, over two nodes", &two.comments);
    line("reaction.set, PostgreSQL", &one.reactions);
    line("  the same, over two nodes", &two.reactions);
    line("chat.send, PostgreSQL", &one.messages);
    line("  the same, over two nodes", &two.messages);
    line("post.view, PostgreSQL", &one.views);
    line("  the same, over two nodes", &two.views);
    let shares = |figures: &Figures| {
        let of = |ours: &Pair, embedded: &Pair| ours.grouped.per_second / embedded.grouped.per_second;
        (of(&figures.comments, &comments), of(&figures.reactions, &reactions))
    };
    let ((comment, reaction), (comment_two, reaction_two)) = (shares(&one), shares(&two));
    println!(
        "PostgreSQL against SQLite: comment.add {comment:.2}, over two nodes {comment_two:.2}; \
         reaction.set {reaction:.2}, over two nodes {reaction_two:.2}"
    );
    let against = |other: &Pair| other.grouped.per_second / comments.grouped.per_second;
    let (reactions, bare) = (against(&reactions), against(&bare));
    println!("{} writers; against comment.add: reaction.set {reactions:.2}, bare {bare:.1}", effort.writers);
}

fn line(name: &str, pair: &Pair) {
    let Pair { grouped, single } = pair;
    println!(
        "{name:<30} {:>9.0} {:>9.0} {:>6.1}x {:>10.1} {:>12.1}",
        grouped.per_second,
        single.per_second,
        grouped.per_second / single.per_second,
        grouped.cpu_us,
        grouped.disk_kib
    );
}

/// What was measured of each kind of operation.
struct Figures {
    comments: Pair,
    reactions: Pair,
    /// Into one chat.
    messages: Pair,
    views: Pair,
}

/// By many writers at once, and one by one.
struct Pair {
    grouped: Rate,
    single: Rate,
}

/// How fast, and what each operation cost the whole process: unlike the speed, that hardly depends on what else runs.
struct Rate {
    per_second: f64,
    cpu_us: f64,
    disk_kib: f64,
}

/// A measurement under way.
struct Stopwatch {
    begun: Instant,
    cpu_us: f64,
    disk_kib: f64,
}

impl Stopwatch {
    fn start() -> Self {
        Self { begun: Instant::now(), cpu_us: cpu_us(), disk_kib: disk_kib() }
    }

    fn stop(self, operations: usize) -> Rate {
        let operations = operations.max(1) as f64;
        Rate {
            per_second: operations / self.begun.elapsed().as_secs_f64(),
            cpu_us: (cpu_us() - self.cpu_us) / operations,
            disk_kib: (disk_kib() - self.disk_kib) / operations,
        }
    }
}

/// CPU time of this process, in microseconds; 0 where the system does not tell (proc(5): fields 14 and 15 of `stat`, in
/// hundredths of a second).
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10_000.0
}

/// What this process has sent to the disk, in KiB; 0 where the system does not tell (proc(5): `io`).
fn disk_kib() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    bytes.and_then(|bytes| bytes.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

async fn measure(effort: Effort, town: Town) -> Figures {
    let town = Arc::new(town);
    let comment = {
        let town = town.clone();
        move |writer, number| {
            let town = town.clone();
            async move { town.comment(writer, number).await }
        }
    };
    let reaction = {
        let town = town.clone();
        move |writer, number| {
            let town = town.clone();
            async move { town.react(writer, number).await }
        }
    };
    let message = {
        let town = town.clone();
        move |writer, _| {
            let town = town.clone();
            async move { town.message(writer).await }
        }
    };
    let view = {
        let town = town.clone();
        move |writer, number| {
            let town = town.clone();
            async move { town.view(writer, number).await }
        }
    };
    let comments_single = rate(1, effort.time / 2, comment.clone()).await;
    let comments = rate(effort.writers, effort.time, comment).await;
    // The single writer is a person of its own, so that the crowd's reactions are all first ones.
    let reactions_single = rate(1, effort.time / 2, {
        let reaction = reaction.clone();
        move |_, number| reaction(effort.writers, number)
    })
    .await;
    let reactions = rate(effort.writers, effort.time, reaction).await;
    let messages_single = rate(1, effort.time / 2, message.clone()).await;
    let messages = rate(effort.writers, effort.time, message).await;
    let views_single = rate(1, effort.time / 2, view.clone()).await;
    let views = rate(effort.writers, effort.time, view).await;
    Figures {
        comments: Pair { grouped: comments, single: comments_single },
        reactions: Pair { grouped: reactions, single: reactions_single },
        messages: Pair { grouped: messages, single: messages_single },
        views: Pair { grouped: views, single: views_single },
    }
}

/// Runs `work(writer, number)` by so many writers, each one operation after the other, until the time is over.
async fn rate<F, W>(writers: usize, time: Duration, work: W) -> Rate
where
    F: Future<Output = ()> + Send + 'static,
    W: Fn(usize, usize) -> F + Clone + Send + 'static,
{
    let done = Arc::new(AtomicUsize::new(0));
    let watch = Stopwatch::start();
    let begun = watch.begun;
    let mut running = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (work, done) = (work.clone(), done.clone());
        running.spawn(async move {
            let mut number = 0;
            while begun.elapsed() < time {
                work(writer, number).await;
                number += 1;
            }
            done.fetch_add(number, Ordering::Relaxed);
        });
    }
    while let Some(outcome) = running.join_next().await {
        outcome.expect("a writer works");
    }
    watch.stop(done.load(Ordering::Relaxed))
}

/// A store with people, a community and posts, and somebody who takes what is committed.
struct Town {
    /// One per node; writers are spread over them.
    nodes: Vec<Stores>,
    people: Vec<Actor>,
    posts: Vec<PostId>,
    live: LiveId,
    ops: AtomicUsize,
    _folder: Option<TempDir>,
}

impl Town {
    async fn in_folder(effort: Effort, folder: TempDir) -> Self {
        let store = SqlStore::in_folder(folder.path(), SqlSettings::default(), published());
        Self::new(effort, vec![Arc::new(store.expect("a store")).stores()], Some(folder)).await
    }

    async fn on_server(effort: Effort, url: &str, nodes: usize) -> Self {
        let node = || {
            let store = SqlStore::on_server(url, SqlSettings::default(), published());
            Arc::new(store.expect("a store")).stores()
        };
        Self::new(effort, (0..nodes).map(|_| node()).collect(), None).await
    }

    async fn new(effort: Effort, nodes: Vec<Stores>, folder: Option<TempDir>) -> Self {
        let (people, posts, ops) = (Vec::new(), Vec::new(), AtomicUsize::new(0));
        let mut town = Self { nodes, people, posts, live: LiveId::NOTHING, ops, _folder: folder };
        for number in 0..=effort.writers {
            town.people.push(town.person(number).await);
        }
        let new = NewCommunity { name: "All".into(), parent_id: None, at: now() };
        let creating = town.nodes[0].communities.create(town.people[0], town.op(), new, Box::new(|_| Ok(())));
        let community = creating.await.expect("a community").id;
        for number in 0..effort.posts {
            town.posts.push(town.post(town.people[number % town.people.len()], community).await);
        }
        town.live = town.live(town.people[0], community).await;
        town
    }

    async fn person(&self, number: usize) -> Actor {
        let account = NewAccount {
            username: format!("person{number}"),
            email: format!("person{number}@example.org"),
            name: format!("Person {number}"),
            password_hash: "-".into(),
            at: now(),
        };
        let user = self.nodes[0].accounts.register(account).await.expect("a free name");
        Actor { user: user.id, role: Role::User }
    }

    async fn post(&self, author: Actor, community_id: CommunityId) -> PostId {
        let new = NewPost {
            community_id,
            kind: PostKind::Discussion,
            title: Some("A title".into()),
            content: "What do you think of it?".repeat(10),
            media: Vec::new(),
            visibility: Visibility::Public,
            anonymous: false,
            at: now(),
        };
        let creating =
            self.nodes[0].posts.create(author, self.op(), new, PostRules::bare(Box::new(|_| Ok(()))));
        creating.await.expect("posted").0.id
    }

    async fn comment(&self, writer: usize, number: usize) {
        let new = NewComment {
            post_id: self.posts[(writer * 31 + number) % self.posts.len()],
            parent_id: None,
            content: "I think that it is worth a try, and would like to hear what the others say.".into(),
            anonymous: false,
            at: now(),
        };
        let may = Box::new(|facts: &communiconnect::store::comments::NewCommentFacts| {
            assert!(!facts.post.relation.blocked);
            Ok(())
        });
        let rules = CommentRules { may, hears: policy::hears };
        self.node(writer).comments.add(self.people[writer], self.op(), new, rules).await.expect("commented");
    }

    /// Goes once through all posts with one kind, then with the next: every call changes something.
    async fn react(&self, writer: usize, number: usize) {
        let post = self.posts[(writer * 31 + number) % self.posts.len()];
        let kind = ReactionKind::ALL[number / self.posts.len() % ReactionKind::ALL.len()];
        let target = ReactionTarget::Post(post, Box::new(|_| Ok(())));
        let wish = Wish { kind: Some(kind), at: now() };
        let outcome = self.node(writer).reactions.set(self.people[writer], target, wish, policy::hears).await;
        assert!(outcome.expect("reacted").changed);
    }

    async fn live(&self, owner: Actor, community_id: CommunityId) -> LiveId {
        let new = NewLive {
            community_id,
            title: "A live".into(),
            description: String::new(),
            visibility: Visibility::Public,
            lease: Lease { node: "bench".into(), until: now() },
            in_place_of: None,
            at: now(),
        };
        let starting = self.nodes[0].lives.start(owner, self.op(), new, Box::new(|_| Ok(())));
        starting.await.expect("begun").0.live.id
    }

    async fn message(&self, writer: usize) {
        let new = NewMessage {
            live_id: self.live,
            content: "What a goal, and that in the last minute!".into(),
            reply_to: None,
            at: now(),
        };
        let sending =
            self.node(writer).chat.send(self.people[writer], self.op(), new, Box::new(policy::chat_in));
        sending.await.expect("said");
    }

    /// Without a window in which a view would not count again.
    async fn view(&self, writer: usize, number: usize) {
        let (person, post_id) = (self.people[writer], self.posts[(writer * 31 + number) % self.posts.len()]);
        let view = View { post_id, viewer: Viewer::Person(person.user), window_ms: 0, at: now() };
        let counted = self.node(writer).posts.view(person.into(), view, Box::new(|_| Ok(()))).await;
        assert!(counted.expect("seen"));
    }

    fn node(&self, writer: usize) -> &Stores {
        &self.nodes[writer % self.nodes.len()]
    }

    fn op(&self) -> Op {
        Op { id: format!("op-{:08}", self.ops.fetch_add(1, Ordering::Relaxed)), digest: [7; 32] }
    }
}

/// A publisher that takes what is committed, and tells nobody.
fn published() -> mpsc::Sender<Committed> {
    let (sender, mut committed) = mpsc::channel(64);
    std::thread::spawn(move || while committed.blocking_recv().is_some() {});
    sender
}

/// What SQLite does with two narrow rows an operation and nothing else, `batch` operations a commit.
fn bare(effort: Effort, batch: usize) -> Rate {
    let folder = folder();
    let connection = rusqlite::Connection::open(folder.path().join("bare.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000;
             CREATE TABLE one (id INTEGER PRIMARY KEY, value BLOB); CREATE TABLE two (id INTEGER PRIMARY KEY, value BLOB);",
        )
        .expect("two tables");
    let watch = Stopwatch::start();
    let mut done = 0;
    while watch.begun.elapsed() < effort.time / 2 {
        connection.execute_batch("BEGIN IMMEDIATE").expect("begun");
        for _ in 0..batch {
            for sql in ["INSERT INTO one (value) VALUES (?1)", "INSERT INTO two (value) VALUES (?1)"] {
                connection
                    .prepare_cached(sql)
                    .and_then(|mut insert| insert.execute([[7_u8; 64]]))
                    .expect("a row");
            }
        }
        connection.execute_batch("COMMIT").expect("on disk");
        done += batch;
    }
    watch.stop(done)
}

fn folder() -> TempDir {
    TempDir::new_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a folder under the target directory")
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("in range")
}
