//! The conformance suite on SQLite in temporary folders, and what is SQLite's alone.

mod nodes;
mod postgres;

use super::{SqlSettings, SqlStore};
use crate::{
    publication::Committed,
    store::{
        Stores,
        conformance::{Backend, Bounds, World, suite},
    },
};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc;

struct Folder(TempDir);

#[async_trait::async_trait]
impl Backend for Folder {
    async fn open(&self, bounds: Bounds, committed: mpsc::Sender<Committed>) -> Stores {
        let Bounds { keep_count, keep_ms } = bounds;
        let settings = SqlSettings { keep_count, keep_ms, ..SqlSettings::default() };
        let store =
            SqlStore::in_folder(self.0.path(), settings, committed).expect("a store in an empty folder");
        Arc::new(store).stores()
    }
}

async fn world() -> World {
    World::open(Arc::new(Folder(TempDir::new().expect("a temporary folder")))).await
}

suite!(super::world);

/// What only the core's own operations can show.
mod core {
    use super::super::{
        SqlSettings, SqlStore, Tx,
        events::{Happening, POST_CREATED, tell},
    };
    use crate::{
        publication::{Committed, State},
        store::{
            Result, StoreError,
            log::{Log, PageSize, Range},
        },
    };
    use communiconnect_protocol::{Channel, Data, event};
    use futures_util::future::join_all;
    use tempfile::TempDir;
    use tokio::sync::mpsc;

    struct Core {
        store: SqlStore,
        committed: mpsc::Receiver<Committed>,
        _folder: TempDir,
    }

    fn core(settings: SqlSettings) -> Core {
        let folder = TempDir::new().expect("a temporary folder");
        let (sender, committed) = mpsc::channel(100);
        let store = SqlStore::in_folder(folder.path(), settings, sender).expect("a store");
        Core { store, committed, _folder: folder }
    }

    /// Writes into both channels, and tells a state.
    pub(super) fn say(tx: &mut Tx<'_>) -> Result<u64> {
        let happening = Happening {
            event: &POST_CREATED,
            data: Data::of(&"said"),
            at: 1,
            actor: None,
            subject: Some([7; 16]),
        };
        tx.state(State {
            channels: vec![channel("old")],
            event: event::POST_COUNTS.into(),
            key: String::new(),
            version: 1,
            data: Data::of(&1),
            actor: None,
        });
        tell(tx, vec![channel("old"), channel("new")], happening)
    }

    pub(super) fn channel(name: &str) -> Channel {
        Channel::Test(name.into())
    }

    async fn said(core: &Core, name: &str) -> Vec<u64> {
        let size = PageSize { items: 10, bytes: 1 << 20 };
        let page = core.store.page(&channel(name), Range::After(0), size).await.expect("a page");
        assert_eq!(page.head, page.publications.len() as u64);
        page.publications.iter().map(|publication| publication.offset).collect()
    }

    #[tokio::test]
    async fn a_crowd_of_queries_waits_and_only_beyond_the_bound_is_one_refused() {
        const CROWD: usize = 4_000;
        let core = core(SqlSettings { readers: 1, queue: CROWD, ..SqlSettings::default() });
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let busy = core.store.read(move |_| {
            let _ = began.send(());
            Ok(wait.recv().is_ok())
        });
        let crowd = async {
            begun.await.expect("the reader is busy");
            let crowd = join_all((0..CROWD).map(|number| core.store.read(move |_| Ok(number))));
            tokio::join!(crowd, async {
                // Behind all of these.
                let refused = core.store.read(|_| Ok(())).await.expect_err("no room for this one");
                assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
                go.send(()).expect("it waits");
            })
        };
        let (busy, (crowd, ())) = tokio::join!(busy, crowd);
        assert!(busy.expect("answered"));
        for (number, answer) in crowd.into_iter().enumerate() {
            assert_eq!(answer.expect("nobody of the crowd is refused"), number);
        }
    }

    #[tokio::test]
    async fn a_trim_that_fails_leaves_the_log_where_it_was() {
        let core = core(SqlSettings { keep_count: 1, ..SqlSettings::default() });
        for _ in 0..3 {
            core.store.write(say).await.expect("said");
        }
        let failing = core.store.write(|tx| {
            for (channel, head) in tx.overfull(10)? {
                tx.trimmed(&channel, head.head);
            }
            Err::<(), _>(StoreError::NotFound("luck"))
        });
        failing.await.expect_err("it fails");
        let left = core.store.write(|tx| Ok((tx.place(&channel("old"))?.first, tx.overfull(10)?.len())));
        let (first, overfull) = left.await.expect("looked at");
        assert_eq!(first, 1, "entries that are still there are still told");
        assert!(overfull > 0, "it is to be trimmed still");
    }

    #[tokio::test]
    async fn what_fails_late_leaves_no_trace_and_no_hole() {
        let mut core = core(SqlSettings::default());
        let failing = || core.store.write(|tx| say(tx).and(Err::<u64, _>(StoreError::NotFound("luck"))));
        let panicking =
            || core.store.write(|tx| say(tx).map(|_| -> u64 { panic!("a bug in one operation") }));
        let (first, failed, panicked, last) =
            tokio::join!(core.store.write(say), failing(), panicking(), core.store.write(say));
        assert_eq!((first, failed, last), (Ok(1), Err(StoreError::NotFound("luck")), Ok(2)));
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
        assert_eq!((said(&core, "old").await, said(&core, "new").await), (vec![1, 2], vec![1, 2]));
        let mut told = 0;
        while let Ok(committed) = core.committed.try_recv() {
            assert_eq!(committed.publications.len(), 2 * committed.states.len());
            told += committed.publications.len();
        }
        assert_eq!(told, 4);
    }

    #[tokio::test]
    async fn a_channel_that_was_only_begun_in_vain_begins_again() {
        let core = core(SqlSettings::default());
        let failing = core.store.write(|tx| say(tx).and(Err::<u64, _>(StoreError::NotFound("luck"))));
        assert_eq!(failing.await, Err(StoreError::NotFound("luck")));
        assert_eq!(core.store.write(say).await, Ok(1));
        assert_eq!(said(&core, "new").await, [1]);
    }

    #[tokio::test]
    async fn a_channel_that_was_only_looked_at_in_vain_leaves_its_place_to_others() {
        let core = core(SqlSettings::default());
        let failing = core.store.write(|tx| {
            for _ in 0..2 {
                tx.place(&channel("never"))?;
            }
            Err::<(), _>(StoreError::NotFound("luck"))
        });
        assert_eq!(failing.await, Err(StoreError::NotFound("luck")));
        assert_eq!(core.store.write(say).await, Ok(1));
        let both = core.store.write(|tx| {
            let [one, other] = ["never", "old"].map(|name| tx.place(&channel(name)));
            Ok((one?.no, other?.no))
        });
        let (one, other) = both.await.expect("looked at");
        assert_ne!(one, other, "each has a row of its own");
    }

    #[tokio::test]
    async fn erased_entries_say_nothing_and_keep_their_place() {
        let core = core(SqlSettings::default());
        core.store.write(say).await.expect("said");
        core.store.write(|tx| tx.erase_subject(&[7; 16])).await.expect("erased");
        core.store.write(say).await.expect("said");
        core.store.write(|tx| tx.erase_span(&channel("new"), 0, 2)).await.expect("erased");
        let size = PageSize { items: 10, bytes: 1 << 20 };
        for (name, silent) in [("old", [true, false]), ("new", [true, true])] {
            let page = core.store.page(&channel(name), Range::After(0), size).await.expect("a page");
            let found: Vec<bool> =
                page.publications.iter().map(|entry| entry.data.as_bytes().is_empty()).collect();
            assert_eq!((found, page.head), (silent.to_vec(), 2), "{name}");
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_rather_than_grows() {
        let core = core(SqlSettings { queue: 1, ..SqlSettings::default() });
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (entered, begun) = tokio::sync::oneshot::channel();
        let slow = core.store.write(move |_| {
            let _ = entered.send(());
            let _ = held.recv();
            Ok(())
        });
        let flood = async {
            begun.await.expect("the first one runs");
            let waiting = core.store.write(|_| Ok(()));
            let refused = async {
                let refused = core.store.write(|_| Ok(())).await;
                drop(hold);
                refused
            };
            tokio::join!(waiting, refused)
        };
        let (slow, (waiting, refused)) = tokio::join!(slow, flood);
        assert_eq!((slow, waiting), (Ok(()), Ok(())));
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
}

/// What is on the disk.
mod file {
    use super::super::{
        OpenError, SqlSettings, SqlStore, comments::NEWEST_COUNTS, db::params, notifications::ENTRIES_ABOUT,
        sqlite::migrate_to,
    };
    use crate::store::{
        Actor, Reader,
        communities::Membership,
        conformance::yes,
        notifications::NotificationQuery,
        reactions::{ReactionTarget, Wish},
    };
    use communiconnect_protocol::{CommentId, CommunityId, PostDay, PostId, Role, UserId};
    use rusqlite::{Connection, Params};
    use std::{path::Path, sync::Arc};
    use tempfile::TempDir;
    use tokio::sync::mpsc;

    fn open(folder: &Path) -> Result<Arc<SqlStore>, OpenError> {
        SqlStore::in_folder(folder, SqlSettings::default(), mpsc::channel(100).0).map(Arc::new)
    }

    #[tokio::test]
    async fn a_closed_store_is_one_whole_file() {
        let folder = TempDir::new().expect("a temporary folder");
        let store = open(folder.path()).expect("a store");
        store
            .write(|tx| Ok(tx.sql("INSERT INTO meta VALUES ('kept', 'yes')")?.execute(params![])?))
            .await
            .expect("kept");
        let wal = folder.path().join("communiconnect.db-wal");
        let length = || std::fs::metadata(&wal).map_or(0, |file| file.len());
        assert!(length() > 0, "written to the WAL first");
        // Others still hold the store, as a task that has not ended yet would.
        store.clone().close().await;
        assert_eq!(length(), 0);
        let copy = folder.path().join("copy.db");
        std::fs::copy(folder.path().join("communiconnect.db"), &copy).expect("copied");
        let kept: String = Connection::open(copy)
            .and_then(|copy| {
                copy.query_row("SELECT value FROM meta WHERE name = 'kept'", [], |row| row.get(0))
            })
            .expect("the row is in the one file");
        assert_eq!(kept, "yes");
    }

    #[tokio::test]
    async fn a_database_of_another_version_says_what_to_do() {
        for (change, wanted) in [
            (
                "UPDATE refinery_schema_history SET checksum = '7' WHERE version = 2",
                "V2 \"people\" of the tables is another",
            ),
            (
                "INSERT INTO refinery_schema_history SELECT 900, 'later', applied_on, '7'
                 FROM refinery_schema_history WHERE version = 1",
                "V900 \"later\" of the tables is unknown",
            ),
        ] {
            let folder = TempDir::new().expect("a temporary folder");
            open(folder.path()).expect("a store").close().await;
            let path = folder.path().join("communiconnect.db");
            Connection::open(&path).and_then(|file| file.execute_batch(change)).expect("changed");
            let refusal = open(folder.path()).err().expect("refused").to_string();
            for words in [
                wanted,
                "another version of this program",
                "Start it with",
                "backup",
                path.to_str().expect("text"),
            ] {
                assert!(refusal.contains(words), "{words} is not in: {refusal}");
            }
        }
    }

    const ADA: UserId = UserId::from_bytes([1; 16]);
    const BOB: UserId = UserId::from_bytes([2; 16]);
    const COMMUNITY: CommunityId = CommunityId::from_bytes([3; 16]);
    const POST: PostId = PostId::from_bytes([4; 16]);
    const COMMENT: CommentId = CommentId::from_bytes([5; 16]);

    /// Ada's post in her community, which bob likes and has commented on; she loves his comment, and has heard of the like.
    fn rows_of_the_third_step() -> String {
        let id = |n: u8| format!("x'{}'", format!("{n:02x}").repeat(16));
        let [nothing, ada, bob, community, post, comment, notification] = [0, 1, 2, 3, 4, 5, 6].map(id);
        format!(
            "INSERT INTO users (id, username, name, created_at) VALUES ({ada}, 'ada', 'Ada', 1), ({bob}, 'bob', 'Bob', 1);
             INSERT INTO communities (id, parent, path, created_at, name)
                 VALUES ({community}, {nothing}, {community}, 1, 'All');
             INSERT INTO community_counts VALUES ({community}, 1);
             INSERT INTO members VALUES ({community}, {ada}, 'moderator', 1);
             INSERT INTO posts (id, community, author, anonymous, visibility, kind, version, created_at, path, content)
                 VALUES ({post}, {community}, {ada}, 0, 'public', 'info', 1, 1, {community}, 'Hello');
             INSERT INTO feed VALUES ({community}, {post}, 'info');
             INSERT INTO post_counts (post, version, likes, comments) VALUES ({post}, 2, 1, 1);
             INSERT INTO comments (id, post, parent, author, anonymous, depth, created_at, content)
                 VALUES ({comment}, {post}, {nothing}, {bob}, 0, 0, 1, 'Hi');
             INSERT INTO comment_counts (comment, version, love) VALUES ({comment}, 1, 1);
             INSERT INTO reactions VALUES ({post}, {bob}, 'like', 1), ({comment}, {ada}, 'love', 0);
             INSERT INTO inboxes (user, unread, kept) VALUES ({ada}, 1, 1);
             INSERT INTO notifications
                 (id, user, kind, thing, part, actors, count, created_at, published_at, dirty)
                 VALUES ({notification}, {ada}, 'post_reaction', {post}, {nothing}, {bob}, 1, 1, 1, 0);"
        )
    }

    #[tokio::test]
    async fn a_database_of_the_third_step_opens_with_all_that_it_knew() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut file = Connection::open(folder.path().join("communiconnect.db")).expect("a file");
        migrate_to(&mut file, 3).expect("the former tables");
        file.execute_batch(&rows_of_the_third_step()).expect("the former rows");
        drop(file);
        let stores = open(folder.path()).expect("a store of today").stores();
        let bob = Actor { user: BOB, role: Role::User };

        let reader = Reader { user: Some(ADA), role: Role::User };
        let counts = stores.comments.counts(reader, POST, 10).await.expect("counts");
        let counts: Vec<_> = counts.into_iter().map(|(facts, counts)| (facts.id, counts.version)).collect();
        assert_eq!(counts, [(COMMENT, 1)]);

        let figures = stores.analytics.post(reader, POST, 9).await.expect("read").expect("is there");
        let day = PostDay { day: "1970-01-01".into(), reactions: 1, comments: 1, ..PostDay::default() };
        assert_eq!(figures.days, [day], "what is known of when it was");

        let heard = async || {
            let query = NotificationQuery { before: None, unread: false, limit: 10 };
            let page = stores.notifications.list(ADA, query).await.expect("a page");
            (page.notifications.len(), page.unread)
        };
        assert_eq!(heard().await, (1, 1));
        let (target, wish) = (ReactionTarget::Post(POST, yes()), Wish { kind: None, at: 2 });
        assert!(stores.reactions.set(bob, target, wish, |_| true).await.expect("taken back").changed);
        assert_eq!(heard().await, (0, 0), "a reaction that was told before is taken back too");

        let membership = Membership { community_id: COMMUNITY, on: true, at: 2 };
        assert_eq!(stores.communities.set_member(bob, membership).await, Ok(true));
        let counts = stores.communities.counts(COMMUNITY).await.expect("read").expect("is there");
        assert_eq!((counts.members, counts.version), (2, 1));
    }

    /// A query goes by this index, and neither walks through a table nor sorts.
    async fn goes_by(index: &str, query: &'static str, params: impl Params + Send + 'static) {
        let folder = TempDir::new().expect("a temporary folder");
        open(folder.path()).expect("a store").close().await;
        let file = Connection::open(folder.path().join("communiconnect.db")).expect("the file");
        let mut steps = file.prepare(&format!("EXPLAIN QUERY PLAN {query}")).expect("a plan");
        let steps = steps.query_map(params, |row| row.get::<_, String>(3)).expect("steps");
        let plan: Vec<String> = steps.collect::<rusqlite::Result<_>>().expect("steps");
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("ORDER BY") || step.contains("SCAN")), "{plan:#?}");
    }

    #[tokio::test]
    async fn a_post_with_many_comments_is_subscribed_without_a_look_at_all_of_them() {
        goes_by("comment_counts_post", NEWEST_COUNTS, ([0_u8; 16], [0_u8; 16], 1)).await;
    }

    #[tokio::test]
    async fn what_a_log_tells_of_somebody_is_found_without_reading_the_log() {
        goes_by("log_named", ENTRIES_ABOUT.sqlite, (1, 0, 1, [0_u8; 16], 1)).await;
    }
}

/// Deleting what very much hangs on.
mod sweeping {
    use super::{super::leftovers::PIECE, Folder, World};
    use crate::{
        publication::{Audience, Publication},
        store::{
            Actor,
            conformance::{Backend, Bounds, all_ears, on_air, say, yes},
            log::{PageSize, Range},
            notifications::{NotificationPage, NotificationQuery},
            people::Target,
        },
    };
    use communiconnect_protocol::{Channel, CommentId, LiveId, PostId, ReactionKind, event};
    use futures_util::future::join_all;
    use rusqlite::Connection;
    use std::{
        path::{Path, PathBuf},
        sync::Arc,
    };
    use tempfile::TempDir;

    /// Comments below the post: several pieces of them.
    const MANY: usize = 3 * PIECE;

    struct Scene {
        world: World,
        file: PathBuf,
        ada: Actor,
        bob: Actor,
        post: PostId,
        root: CommentId,
        replies: Vec<CommentId>,
    }

    /// An empty world, and the file that it is kept in.
    async fn world() -> (World, PathBuf) {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("communiconnect.db");
        let backend: Arc<dyn Backend> = Arc::new(Folder(folder));
        (World::open(backend).await, file)
    }

    /// What a number is in the file now.
    fn count(file: &Path, sql: &str) -> usize {
        let file = Connection::open(file).expect("the file");
        file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count") as usize
    }

    /// Entries of a channel that readers get.
    async fn told(world: &World, channel: Channel) -> Vec<Publication> {
        let (mut told, mut after) = (Vec::new(), 0);
        loop {
            let size = PageSize { items: 256, bytes: 1 << 20 };
            let page = world.stores.log.page(&channel, Range::After(after), size).await.expect("a page");
            after = page.publications.last().map_or(after, |last| last.offset);
            told.extend(page.publications.into_iter().filter(|entry| entry.audience == Audience::Readers));
            if !page.more {
                return told;
            }
        }
    }

    async fn list(world: &World, who: Actor) -> NotificationPage {
        let query = NotificationQuery { before: None, unread: false, limit: 100 };
        world.stores.notifications.list(who.user, query).await.expect("a page")
    }

    /// Sweeps to the end; in how many pieces.
    async fn sweep(world: &World) -> usize {
        let mut pieces = 0;
        loop {
            let swept = world.stores.posts.sweep().await.expect("swept");
            assert!(swept <= PIECE, "{swept} in one piece");
            if swept == 0 {
                return pieces;
            }
            pieces += 1;
        }
    }

    /// Ada's post with bob's comment, which he has answered very often himself; the first answer was answered too.
    async fn scene() -> Scene {
        let (world, file) = world().await;
        let (ada, bob) = (world.person("ada").await, world.person("bob").await);
        let community = world.community(ada, "All", None).await.id;
        let post = world.post(ada, community).await.id;
        let root = world.comment(bob, post, None).await.id;
        let first = world.comment(bob, post, Some(root)).await.id;
        let others = join_all((2..MANY).map(|_| world.comment(bob, post, Some(first)))).await;
        let replies = [first].into_iter().chain(others.into_iter().map(|comment| comment.id)).collect();
        world.react_to_comment(ada, root, Some(ReactionKind::Like)).await.expect("liked");
        world.told().await;
        Scene { world, file, ada, bob, post, root, replies }
    }

    impl Scene {
        /// Rows that speak of comments, reactions to them, or what was said of them.
        fn rows(&self) -> usize {
            let count = |sql| count(&self.file, sql);
            count("SELECT count(*) FROM comments")
                + count("SELECT count(*) FROM comment_counts")
                + count("SELECT count(*) FROM reactions")
                + count("SELECT count(*) FROM leftovers")
                + count("SELECT count(*) FROM notifications")
                + count(
                    "SELECT count(*) FROM log WHERE audience = 0 AND (subject IS NOT NULL OR event = 'comment.added')",
                )
        }

        async fn nothing_is_there(&self) {
            for id in &self.replies {
                assert_eq!(self.world.stores.comments.get(self.ada.into(), *id).await, Ok(None));
            }
            let last = *self.replies.last().expect("many");
            let answered = self.world.stores.comments.delete(self.bob, last, self.world.now(), yes()).await;
            assert!(answered.is_err(), "{answered:?}");
            assert!(self.world.react_to_comment(self.ada, last, Some(ReactionKind::Wow)).await.is_err());
            assert_eq!(self.world.stores.comments.counts(self.ada.into(), self.post, 100).await, Ok(vec![]));
            for parent in [None, Some(self.root), Some(self.replies[0])] {
                let query = crate::store::comments::CommentQuery {
                    post_id: self.post,
                    parent_id: parent,
                    after: None,
                    limit: 10,
                };
                assert_eq!(
                    self.world.stores.comments.list(self.ada.into(), query).await,
                    Ok(vec![]),
                    "{parent:?}"
                );
            }
        }

        /// Nobody is told of what went, be it by list or by log.
        async fn nobody_hears_of_it(&self) {
            for who in [self.ada, self.bob] {
                let page = list(&self.world, who).await;
                assert_eq!((page.notifications, page.unread), (vec![], 0));
                let mut told = told(&self.world, Channel::User(who.user)).await;
                told.retain(|entry| *entry.event == *event::NOTIFICATION);
                assert_eq!(told, []);
            }
        }
    }

    #[tokio::test]
    async fn a_post_with_very_many_comments_is_gone_at_once_and_its_rows_in_pieces() {
        let scene = scene().await;
        let world = &scene.world;
        world.stores.posts.delete(scene.ada, scene.post, world.now(), yes()).await.expect("deleted");
        assert!(scene.rows() > PIECE, "one piece does not take it all");
        scene.nothing_is_there().await;
        scene.nobody_hears_of_it().await;
        let Scene { world, .. } = scene;
        let scene = Scene { world: world.reopened(Bounds::default()).await, ..scene };
        assert!(sweep(&scene.world).await >= 2, "a restart does not forget it");
        assert_eq!(scene.rows(), 0);
        scene.nothing_is_there().await;
        scene.nobody_hears_of_it().await;
    }

    #[tokio::test]
    async fn a_comment_with_very_many_replies_likewise() {
        let scene = scene().await;
        let world = &scene.world;
        let removed = world.stores.comments.delete(scene.bob, scene.root, world.now(), yes()).await;
        assert_eq!(removed, Ok(MANY as u64));
        assert_eq!(world.read_post(scene.ada, scene.post).await.expect("is there").counts.comments, 0);
        assert!(scene.rows() > PIECE, "one piece does not take it all");
        scene.nothing_is_there().await;
        scene.nobody_hears_of_it().await;
        let told: Vec<_> = told(world, Channel::Post(scene.post)).await;
        let told: Vec<&str> = told.iter().map(|entry| &*entry.event).collect();
        assert!(!told.contains(&event::COMMENT_ADDED), "nor does the post's own log speak of it");
        let added = world.comment(scene.bob, scene.post, None).await.id;
        assert!(sweep(&scene.world).await >= 2);
        let found = world.stores.comments.get(scene.ada.into(), added).await.expect("read");
        assert!(found.is_some(), "what was written meanwhile stays");
        world.stores.comments.delete(scene.bob, added, world.now(), yes()).await.expect("deleted");
        // The post itself is still told of, in its feed and to followers.
        assert_eq!(scene.rows(), 2);
    }
    /// Ada has heard of very many comments of bob's, and of some of eve's.
    async fn often_told() -> (World, PathBuf, [Actor; 3]) {
        let (world, file) = world().await;
        let people = [world.person("ada").await, world.person("bob").await, world.person("eve").await];
        let [ada, bob, eve] = people;
        let community = world.community(ada, "All", None).await.id;
        let post = world.post(ada, community).await.id;
        join_all((0..MANY).map(|_| world.comment(bob, post, None))).await;
        for _ in 0..3 {
            world.comment(eve, post, None).await;
        }
        (world, file, people)
    }

    /// Entries of ada's log that still say something.
    fn waiting(file: &Path) -> usize {
        count(file, "SELECT count(*) FROM log WHERE event = 'notification'")
    }

    async fn only_eve_is_heard(world: &World, [ada, _, eve]: [Actor; 3]) {
        let page = list(world, ada).await;
        assert_eq!((page.notifications.len(), page.unread), (3, 3));
        let mut told = told(world, Channel::User(ada.user)).await;
        told.retain(|entry| *entry.event == *event::NOTIFICATION);
        assert_eq!(told.iter().map(|entry| entry.actor).collect::<Vec<_>>(), [Some(eve.user); 3]);
    }

    #[tokio::test]
    async fn of_somebody_blocked_a_long_log_tells_nothing_at_once_and_is_overwritten_in_pieces() {
        let (world, file, people) = often_told().await;
        let [ada, bob, _] = people;
        assert_eq!(waiting(&file), MANY + 3);
        world.block(ada, bob).await;
        assert!(waiting(&file) > 3 + PIECE, "one piece does not take it all");
        only_eve_is_heard(&world, people).await;
        let target = Target { user: bob.user, on: false, at: world.now() };
        world.stores.people.set_block(ada, target, all_ears).await.expect("unblocked");
        let world = world.reopened(Bounds::default()).await;
        only_eve_is_heard(&world, people).await;
        assert!(sweep(&world).await >= 2, "neither a change of mind nor a restart brings it back");
        assert_eq!(waiting(&file), 3);
        only_eve_is_heard(&world, people).await;
    }

    #[tokio::test]
    async fn entries_that_do_not_say_whom_they_name_are_read() {
        let (world, file, people) = often_told().await;
        let former = Connection::open(&file).expect("the file");
        former.execute("UPDATE log SET named = NULL", []).expect("as a former version wrote them");
        drop(former);
        world.block(people[0], people[1]).await;
        only_eve_is_heard(&world, people).await;
        assert!(sweep(&world).await >= 2);
        assert_eq!(waiting(&file), 3);
    }

    #[tokio::test]
    async fn the_chat_of_a_deleted_live_is_gone_at_once_and_overwritten_in_pieces() {
        let (world, file) = world().await;
        let ada = world.person("ada").await;
        let community = world.community(ada, "All", None).await.id;
        let live = on_air(&world, ada, community).await.live;
        let id: LiveId = live.id;
        join_all((0..MANY).map(|number| say(&world, ada, id, if number % 2 == 0 { "hello" } else { "you" })))
            .await;
        let said = || count(&file, "SELECT count(*) FROM log WHERE event = 'chat.message'");
        assert_eq!(said(), MANY);
        world.stores.posts.delete(ada, live.post_id, world.now(), yes()).await.expect("deleted");
        assert!(said() > PIECE, "one piece does not take it all");
        let last_word = async |world: &World| {
            let told = told(world, Channel::Live(id)).await;
            told.iter().map(|entry| entry.event.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(last_word(&world).await, [event::POST_DELETED]);
        let world = world.reopened(Bounds::default()).await;
        assert!(sweep(&world).await >= 2, "a restart does not forget it");
        assert_eq!((said(), count(&file, "SELECT count(*) FROM leftovers")), (0, 0));
        assert_eq!(last_word(&world).await, [event::POST_DELETED]);
    }
}
