//! The conformance suite on SQLite in temporary folders, and what is SQLite's alone.

use super::{SqliteSettings, SqliteStore};
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
        let settings = SqliteSettings { keep_count, keep_ms, ..SqliteSettings::default() };
        let store =
            SqliteStore::open(self.0.path(), settings, committed).expect("a store in an empty folder");
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
        SqliteSettings, SqliteStore, Tx,
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
    use tempfile::TempDir;
    use tokio::sync::mpsc;

    struct Core {
        store: SqliteStore,
        committed: mpsc::Receiver<Committed>,
        _folder: TempDir,
    }

    fn core(settings: SqliteSettings) -> Core {
        let folder = TempDir::new().expect("a temporary folder");
        let (sender, committed) = mpsc::channel(100);
        let store = SqliteStore::open(folder.path(), settings, sender).expect("a store");
        Core { store, committed, _folder: folder }
    }

    /// Writes into both channels, and tells a state.
    fn say(tx: &mut Tx<'_>) -> Result<u64> {
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
        });
        tell(tx, vec![channel("old"), channel("new")], happening)
    }

    fn channel(name: &str) -> Channel {
        Channel::Test(name.into())
    }

    async fn said(core: &Core, name: &str) -> Vec<u64> {
        let size = PageSize { items: 10, bytes: 1 << 20 };
        let page = core.store.page(&channel(name), Range::After(0), size).await.expect("a page");
        assert_eq!(page.head, page.publications.len() as u64);
        page.publications.iter().map(|publication| publication.offset).collect()
    }

    #[tokio::test]
    async fn what_fails_late_leaves_no_trace_and_no_hole() {
        let mut core = core(SqliteSettings::default());
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
        let core = core(SqliteSettings::default());
        let failing = core.store.write(|tx| say(tx).and(Err::<u64, _>(StoreError::NotFound("luck"))));
        assert_eq!(failing.await, Err(StoreError::NotFound("luck")));
        assert_eq!(core.store.write(say).await, Ok(1));
        assert_eq!(said(&core, "new").await, [1]);
    }

    #[tokio::test]
    async fn erased_entries_say_nothing_and_keep_their_place() {
        let core = core(SqliteSettings::default());
        core.store.write(say).await.expect("said");
        core.store.write(|tx| tx.erase_subject(&[7; 16])).await.expect("erased");
        core.store.write(say).await.expect("said");
        core.store.write(|tx| tx.erase_channel(&channel("new"))).await.expect("erased");
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
        let core = core(SqliteSettings { queue: 1, ..SqliteSettings::default() });
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
