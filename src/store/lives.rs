//! Lives: their rows, their states and leases, their reports.
//!
//! A live hangs on its post, which says title, text, community and who may see it. Peers and packets are nothing of the
//! store's: it is told what became of a live, never decides it.

use super::{Actor, CommunityFacts, LiveFacts, Op, Reader, Result, Rule};
use communiconnect_protocol::{
    CommunityId, Live, LiveId, LiveReason, LiveReport, LiveState, PostId, UserId, Viewers, Visibility,
};

/// A live to be begun; texts are checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLive {
    /// Where its post stands.
    pub community_id: CommunityId,
    /// The title.
    pub title: String,
    /// The content of its post; empty where there is none.
    pub description: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Which node carries it.
    pub lease: Lease,
    /// The live of the same person that it takes the place of, unless that one's node comes back before.
    pub in_place_of: Option<Held>,
    /// When.
    pub at: i64,
}

/// A running live and the lease on it, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub id: LiveId,
    /// Its lease then: one that was renewed since is that of a node that is there.
    pub lease: Lease,
}

/// Which node answers for a live. Each renewal is another value; one that stays the same for too long is anybody's to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The node's id.
    pub node: String,
    /// Until when by the clock of that node, in milliseconds since 1970 UTC. Another's clock may be off by any time: to
    /// others it says whether the lease was renewed, and not when.
    pub until: i64,
}

/// A live with what the policy and the node need to know.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveView {
    /// The live.
    pub live: Live,
    /// Facts for the policy.
    pub facts: LiveFacts,
    /// Which of its keys opens it: those before open nothing.
    pub generation: u64,
    /// Which node carries it.
    pub lease: Lease,
    /// Rises with every change of its viewers: the version of their state.
    pub viewers_version: u64,
}

/// Which live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichLive {
    /// This one.
    Id(LiveId),
    /// The one that a person runs.
    RunningOf(UserId),
    /// The one that a post announces.
    OfPost(PostId),
}

/// A page of running lives, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveQuery {
    /// Of this community and those below it; none is all.
    pub community_id: Option<CommunityId>,
    /// The last one of the page before.
    pub before: Option<LiveId>,
    /// At most so many candidates.
    pub limit: usize,
}

/// A running live comes into another state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveChange {
    /// Which.
    pub id: LiveId,
    /// The new state; never `ended`, which [`Lives::end`] brings.
    pub state: LiveState,
    /// Why.
    pub reason: Option<LiveReason>,
    /// Which node says so.
    pub lease: Lease,
    /// When.
    pub at: i64,
}

/// A live ends.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEnd {
    /// Which.
    pub id: LiveId,
    /// Why.
    pub reason: LiveReason,
    /// What is stored of it: all of one moment, its duration too.
    pub report: LiveReport,
    /// Whether its encoder had said good-bye before: then a lasting key opens a new live at once.
    pub encoder_left: bool,
    /// The lease that was seen, where it ends because nobody carries it: only while that stands.
    pub seen: Option<Lease>,
    /// When.
    pub at: i64,
}

/// What a node tells of a live that it carries, once a second.
#[derive(Clone, Debug, PartialEq)]
pub struct LivePulse {
    /// Which.
    pub id: LiveId,
    /// People who watch.
    pub viewers: Viewers,
    /// The report so far, now and then, so that a crash loses little.
    pub report: Option<LiveReport>,
}

/// Lives.
#[async_trait::async_trait]
pub trait Lives: Send + Sync {
    /// Begins a live with its post and their publications, in one transaction. Where the person runs one already, that one
    /// is answered and its key becomes older, unless it is the one that the new one takes the place of: that ends as
    /// lost in the same transaction. So it is answered for a retry while its live runs. The flag says whether the operation
    /// began it.
    async fn start(
        &self,
        actor: Actor,
        op: Op,
        new: NewLive,
        rule: Rule<CommunityFacts>,
    ) -> Result<(LiveView, bool)>;
    /// One live, also after its end.
    async fn get(&self, reader: Reader, which: WhichLive) -> Result<Option<LiveView>>;
    /// Running ones, newest first. The policy still has to judge each of them.
    async fn list(&self, reader: Reader, query: LiveQuery) -> Result<Vec<LiveView>>;
    /// Notes a state and tells it where the live's events go; `NotFound` where the live has ended or is gone.
    async fn change(&self, change: LiveChange) -> Result<()>;
    /// Stores the report, notes the end and tells it. A live that has ended before keeps its end; answers its report.
    /// `Refused` as `unavailable` where another lease stands than was seen.
    async fn end(&self, end: LiveEnd) -> Result<LiveReport>;
    /// Renews leases, notes viewers and tells where they changed; answers lives that run no longer.
    async fn pulse(&self, lease: Lease, pulses: Vec<LivePulse>) -> Result<Vec<LiveId>>;
    /// The leases on running lives whose ids come after this one, in the order of ids and at most so many. Answered only while
    /// leases can be renewed.
    async fn leases(&self, after: Option<LiveId>, limit: usize) -> Result<Vec<Held>>;
    /// The stored report, or the last one noted of a running live; none where there is no such live.
    async fn report(&self, id: LiveId) -> Result<Option<LiveReport>>;
}
