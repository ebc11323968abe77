//! Lives in SQL.

mod change;
mod end;
mod pulse;
mod remove;
mod start;
mod view;

pub(super) use remove::{remove_of_post, sweep_bans, sweep_log};
pub(super) use view::{live, view, views_of_each};

use super::{SqlStore, Tx};
use crate::store::{
    Actor, CommunityFacts, Op, Reader, Result, Rule, StoreError,
    lives::{Held, Lease, LiveChange, LiveEnd, LivePulse, LiveQuery, LiveView, Lives, NewLive, WhichLive},
};
use communiconnect_protocol::{Channel, LiveId, LiveReport};

#[async_trait::async_trait]
impl Lives for SqlStore {
    async fn start(
        &self,
        actor: Actor,
        op: Op,
        new: NewLive,
        rule: Rule<CommunityFacts>,
    ) -> Result<(LiveView, bool)> {
        self.write(move |tx| start::start(tx, actor, &op, new, rule)).await
    }

    async fn get(&self, reader: Reader, which: WhichLive) -> Result<Option<LiveView>> {
        self.read(move |connection| match view::find(connection, which)? {
            Some(id) => view(connection, &reader, id),
            None => Ok(None),
        })
        .await
    }

    async fn list(&self, reader: Reader, query: LiveQuery) -> Result<Vec<LiveView>> {
        self.read(move |connection| {
            let found = view::running(connection, &query)?;
            view::views(connection, &reader, &found)
        })
        .await
    }

    async fn change(&self, change: LiveChange) -> Result<()> {
        self.write(move |tx| change::change(tx, change)).await
    }

    async fn end(&self, end: LiveEnd) -> Result<LiveReport> {
        self.write(move |tx| end::end(tx, end)).await
    }

    async fn pulse(&self, lease: Lease, pulses: Vec<LivePulse>) -> Result<Vec<LiveId>> {
        self.write(move |tx| pulse::pulse(tx, &lease, pulses)).await
    }

    async fn leases(&self, after: Option<LiveId>, limit: usize) -> Result<Vec<Held>> {
        // By the writer: while nobody can write nobody can renew, and then this is not answered either.
        self.write(move |tx| view::leases(tx.connection(), after, limit)).await
    }

    async fn report(&self, id: LiveId) -> Result<Option<LiveReport>> {
        self.read(move |connection| end::report(connection, id)).await
    }
}

/// Where the events of a live go: its own channel, and where its post's creation went.
fn channels(row: &view::LiveRow) -> Vec<Channel> {
    let mut channels = vec![Channel::Live(row.id)];
    channels.extend(row.post.placement().creation());
    channels
}

/// A live for an operation that has no reader.
fn row(tx: &Tx<'_>, id: LiveId) -> Result<view::LiveRow> {
    view::row(tx.connection(), id)?.ok_or(StoreError::NotFound("live"))
}
