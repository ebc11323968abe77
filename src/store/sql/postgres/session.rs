//! One connection to the server, driven by the thread that owns it.

use super::{dialect::translated, value::Bound};
use crate::store::sql::db::{Error, Result, Value};
use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, pin_mut};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Client;

/// A server that has not answered a statement for so long is not there any more: more than the server itself gives a
/// statement, so that its own word comes first.
const SILENCE: Duration = Duration::from_secs(15);

/// A connection. Its runtime moves only while a statement waits, on the owner's thread: no other thread, no queue.
pub(crate) struct Session {
    client: Client,
    prepared: RefCell<HashMap<Box<str>, tokio_postgres::Statement>>,
    is_lost: Cell<bool>,
    runtime: Runtime,
}

/// A prepared statement.
pub(crate) struct Statement<'c> {
    session: &'c Session,
    prepared: tokio_postgres::Statement,
}

impl Session {
    /// Waits until `connecting` has brought a client, and what drives it.
    pub(super) fn open(
        connecting: impl Future<
            Output = std::result::Result<(Client, BoxFuture<'static, ()>), tokio_postgres::Error>,
        >,
    ) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Unreachable(error.to_string()))?;
        let (client, connection) = runtime
            .block_on(async { tokio::time::timeout(SILENCE, connecting).await })
            .map_err(|_| Error::Silence)??;
        // The runtime is this session's own and ends with it; a lost connection is told to whoever waits on the client.
        runtime.spawn(connection);
        Ok(Self { client, prepared: RefCell::default(), is_lost: Cell::new(false), runtime })
    }

    /// Whether it is of no use any more, and another is to be opened.
    fn is_lost(&self) -> bool {
        self.is_lost.get() || self.client.is_closed()
    }

    /// Whether it is of no use any more, as far as what has come from the server tells: while nobody waits, nobody reads it,
    /// so that the end of a connection at rest would fail whoever uses it next.
    pub(in crate::store::sql) fn is_found_lost(&self) -> bool {
        if !self.is_lost() {
            self.turn();
        }
        self.is_lost()
    }

    pub(in crate::store::sql) fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        if let Some(prepared) = self.prepared.borrow().get(sql) {
            return Ok(Statement { session: self, prepared: prepared.clone() });
        }
        let prepared = self.wait(self.client.prepare(&translated(sql)))?;
        self.prepared.borrow_mut().insert(sql.into(), prepared.clone());
        Ok(Statement { session: self, prepared })
    }

    /// Runs statements without parameters.
    pub(in crate::store::sql) fn command(&self, sql: &str) -> Result<()> {
        self.wait(self.client.batch_execute(sql))
    }

    /// Sends a statement and does not wait: what is sent later runs after it. Its failure fails the transaction, and with it
    /// every statement that is waited for later.
    pub(in crate::store::sql) fn send(&self, sql: &str) -> Result<()> {
        self.prepare(sql)?.send(&[])
    }

    /// Brings what was sent on its way, though nothing is waited for: otherwise it would leave with the next wait only.
    pub(in crate::store::sql) fn flush(&self) {
        // One turn takes what was sent from the queue, the next writes it.
        self.turn();
    }

    /// Lets the connection move, and waits for nothing.
    fn turn(&self) {
        self.runtime.block_on(async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
    }

    /// The client, for statements that only this database has.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Lets the connection move until the work is done.
    pub(super) fn wait<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        if self.is_lost() {
            return Err(Error::Unreachable("the connection was lost".into()));
        }
        let done = self.runtime.block_on(async { tokio::time::timeout(SILENCE, work).await });
        match done {
            Ok(done) => {
                if done.as_ref().is_err_and(tokio_postgres::Error::is_closed) {
                    self.is_lost.set(true);
                }
                Ok(done?)
            }
            Err(_) => {
                self.is_lost.set(true);
                Err(Error::Silence)
            }
        }
    }
}

impl Statement<'_> {
    pub(super) fn prepared(&self) -> &tokio_postgres::Statement {
        &self.prepared
    }

    pub(in crate::store::sql) fn execute(&self, values: &[Value<'_>]) -> Result<usize> {
        let params = bound(values);
        let written = self.session.wait(self.session.client.execute_raw(&self.prepared, params))?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }

    /// Sends it and does not wait. The message is handed to the connection when the work is first asked for its result;
    /// nobody takes the answer.
    pub(in crate::store::sql) fn send(&self, values: &[Value<'_>]) -> Result<()> {
        match self.session.client.execute_raw(&self.prepared, bound(values)).now_or_never() {
            Some(Err(error)) => Err(error.into()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    pub(in crate::store::sql) fn rows(&self, values: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>> {
        self.session.wait(async {
            let rows = self.session.client.query_raw(&self.prepared, bound(values)).await?;
            pin_mut!(rows);
            let mut all = Vec::new();
            while let Some(row) = rows.next().await {
                all.push(row?);
            }
            Ok(all)
        })
    }

    /// What it finds for each of these, sent together.
    pub(in crate::store::sql) fn rows_of_each(
        &self,
        each: &[[Value<'_>; 2]],
    ) -> Result<Vec<Vec<tokio_postgres::Row>>> {
        let asked = each.iter().map(|values| async {
            let rows = self.session.client.query_raw(&self.prepared, bound(values)).await?;
            rows.try_collect().await
        });
        self.session.wait(futures_util::future::try_join_all(asked))
    }

    /// Shows one row after the other, as long as `more` says so; the others are read and let go.
    pub(in crate::store::sql) fn each(
        &self,
        values: &[Value<'_>],
        mut more: impl FnMut(&tokio_postgres::Row) -> Result<bool>,
    ) -> Result<()> {
        let mut shown = Ok(true);
        self.session.wait(async {
            let rows = self.session.client.query_raw(&self.prepared, bound(values)).await?;
            pin_mut!(rows);
            while let Some(row) = rows.next().await {
                let row = row?;
                if matches!(shown, Ok(true)) {
                    shown = more(&row);
                }
            }
            Ok(())
        })?;
        shown.map(drop)
    }
}

fn bound<'v>(values: &'v [Value<'v>]) -> impl ExactSizeIterator<Item = Bound<'v>> {
    values.iter().copied().map(Bound)
}
