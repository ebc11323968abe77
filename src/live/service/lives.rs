//! Starting, stopping, listing, joining; keys and defaults.

use super::{elsewhere::Word, *};
use communiconnect_protocol::PostId;
use futures_util::future::join_all;

impl LiveService {
    /// Starts a live, or answers the one that the person runs, with a key of its own each time.
    ///
    /// # Errors
    /// `invalid` fields, `rate_limited`, `not_found` community, `forbidden` for who is no member, `unavailable` where this
    /// node carries as many as it may or is drained, `conflict`.
    pub async fn start(&self, actor: Actor, body: LiveStart, at: i64) -> Result<LiveStarted, ErrorBody> {
        let op = op_of("live.start", &body.op, &body)?;
        let new = self.draft(&body, at)?;
        let (view, changed) = self.begin(actor, op, new).await?;
        let live_id = view.live.id;
        Ok(LiveStarted {
            stream_key: self.parts.mint.key(live_id, view.generation),
            whip_url: self.url(&format!("/v1/live/{live_id}/whip")),
            ice_servers: self.ice_servers(Some(actor.user)),
            live: view.live,
            changed,
        })
    }

    pub(super) fn draft(&self, body: &LiveStart, at: i64) -> Result<NewLive, ErrorBody> {
        let settings = &self.parts.settings;
        let title = Text { field: "title", raw: &body.title, max: settings.title_chars }.check()?;
        let description = match body.description.as_deref() {
            None | Some("") => String::new(),
            Some(raw) => Text { field: "description", raw, max: settings.description_chars }.check()?,
        };
        let (community_id, visibility) = (body.community_id, body.visibility);
        let lease = self.lease();
        Ok(NewLive { community_id, title, description, visibility, lease, in_place_of: None, at })
    }

    pub(super) async fn begin(
        &self,
        actor: Actor,
        op: Op,
        mut new: NewLive,
    ) -> Result<(LiveView, bool), ErrorBody> {
        self.parts.rates.count(actor.user, Act::Post, Some(&op.id), new.at)?;
        let registry = &self.parts.registry;
        let running = self.running_of(actor).await?;
        let is_another = !matches!(running, Running::Carried(_));
        if is_another && registry.len() >= self.parts.settings.lives {
            let message = "this node carries as many lives as it may: try again later";
            return Err(ErrorBody::new(Code::Unavailable, message).retry_after(BUSY_MS));
        }
        if is_another {
            self.unless_draining()?;
        }
        if let Running::Silent(silent) = running {
            let Held { id, lease } = &silent;
            tracing::warn!(live = %id, node = %lease.node, "a live of a silent node gives way to another of its owner's");
            new.in_place_of = Some(silent);
        }
        let rule = Box::new(policy::post_into);
        let (view, changed) = self.parts.stores.lives.start(actor, op, new, rule).await?;
        if view.live.state != LiveState::Ended && view.lease.node == self.parts.settings.node {
            let handle = registry.enter(view.live.id, || OnAir::start(&view.live, &self.parts));
            if self.parts.hub.is_draining() {
                // The drain began meanwhile, and may have looked already.
                let ending = async move { drop(handle.ask(|answer| Ask::Stop(Stop::Drain, answer)).await) };
                self.parts.tasks.spawn(ending);
            }
        }
        Ok((view, changed))
    }

    /// Ends a live; again, it answers the same.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than its owner and moderators of the server, `unavailable` where another node
    /// carries it and is not silent.
    pub async fn stop(&self, actor: Actor, id: LiveId) -> Result<LiveReportReply, ErrorBody> {
        let view = self.view(actor.into(), id).await?;
        policy::stop_live(actor.into(), &view.facts)?;
        let by = if view.facts.post.relation.is_self { Stop::Owner } else { Stop::Moderator };
        if let Some(handle) = self.parts.registry.live(id)
            && let Ok(report) = handle.ask(|answer| Ask::Stop(by, answer)).await
        {
            return Ok(LiveReportReply { report });
        }
        if !self.is_silent(&view) {
            self.unless_elsewhere(&view)?;
        }
        if view.live.state != LiveState::Ended {
            let held = Held { id, lease: view.lease };
            let report = end_unheld(&self.parts.stores, held, LiveReason::Stopped).await?;
            return Ok(LiveReportReply { report });
        }
        self.stored_report(id).await
    }

    /// Lives that have not ended, newest first.
    ///
    /// # Errors
    /// `not_found` community, `invalid` cursor.
    pub async fn list(&self, reader: Reader, body: LiveList) -> Result<Lives, ErrorBody> {
        let before = List::Lives.id(body.cursor.as_deref())?.map(LiveId::from_bytes);
        let community_id = body.community_id;
        if let Some(id) = community_id {
            let found = self.parts.stores.communities.facts(reader, id).await?;
            found.ok_or_else(|| policy::not_found("community"))?;
        }
        let lives = &self.parts.stores.lives;
        let Page { items, ended_at } = fill(page_limit(None), before, |before, limit| async move {
            let found = lives.list(reader, LiveQuery { community_id, before, limit }).await?;
            let judged = found
                .into_iter()
                .map(|view| (view.live.id, policy::read_live(&view.facts).ok().map(|()| view.live)));
            Ok(judged.collect())
        })
        .await?;
        Ok(Lives { lives: items, cursor: ended_at.map(|id| List::Lives.cursor(id.as_bytes())) })
    }

    /// One live, also after its end.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, reader: Reader, id: LiveId) -> Result<LiveReply, ErrorBody> {
        let view = self.view(reader, id).await?;
        policy::read_live(&view.facts)?;
        Ok(LiveReply { live: view.live })
    }

    /// Counts a session among those who watch.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for who was banned, `conflict` after the end, `unavailable` where it is full or
    /// another node carries it.
    pub async fn join(&self, reader: Reader, session: SessionId, id: LiveId) -> Result<LiveReply, ErrorBody> {
        let asked = Instant::now();
        let view = self.view(reader, id).await?;
        policy::join_live(&view.facts)?;
        let person = super::signalling::person_of(reader, session);
        self.running(&view)?.ask(|answer| Ask::Join(person, session, asked, answer)).await?;
        self.parts.registry.note_join(session, id);
        Ok(LiveReply { live: view.live })
    }

    /// Counts a session no longer, and closes what it watches by.
    ///
    /// # Errors
    /// `not_found` where there is no such live.
    pub async fn leave(&self, reader: Reader, session: SessionId, id: LiveId) -> Result<Changed, ErrorBody> {
        let Some(handle) = self.parts.registry.live(id) else {
            // Who can no longer see it can still leave; of one that never was, nothing is to be said.
            self.view(reader, id).await?;
            return Ok(Changed { changed: false });
        };
        let left = handle.ask(|answer| Ask::Leave(session, answer)).await;
        Ok(Changed { changed: left.unwrap_or(false) })
    }

    /// What became of a live, or what there is so far.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than its owner.
    pub async fn report(&self, actor: Actor, id: LiveId) -> Result<LiveReportReply, ErrorBody> {
        let view = self.view(actor.into(), id).await?;
        policy::read_live_report(&view.facts)?;
        if let Some(handle) = self.parts.registry.live(id)
            && let Ok(report) = handle.ask(Ask::Report).await
        {
            return Ok(LiveReportReply { report });
        }
        self.stored_report(id).await
    }

    pub(super) async fn stored_report(&self, id: LiveId) -> Result<LiveReportReply, ErrorBody> {
        let report = self.parts.stores.lives.report(id).await?;
        Ok(LiveReportReply { report: report.ok_or_else(|| policy::not_found("live"))? })
    }

    /// A new lasting key in place of the one before.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn rotate_key(&self, actor: Actor, at: i64) -> Result<LiveKey, ErrorBody> {
        let (stream_key, hash) = keys::lasting_key();
        self.parts.stores.live_keys.rotate(actor.user, hash, at).await?;
        Ok(LiveKey { stream_key, whip_url: self.url("/v1/whip") })
    }

    /// Whether there is a lasting key.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn key_info(&self, actor: Actor) -> Result<LiveKeyInfo, ErrorBody> {
        Ok(self.parts.stores.live_keys.info(actor.user).await?)
    }

    /// Sets what a live that a lasting key starts is like.
    ///
    /// # Errors
    /// `invalid` title, `not_found` community.
    pub async fn set_defaults(
        &self,
        actor: Actor,
        body: LiveDefaultsSet,
    ) -> Result<LiveDefaultsReply, ErrorBody> {
        let max = self.parts.settings.title_chars;
        let title = body.title.as_deref().map(|raw| Text { field: "title", raw, max }.check()).transpose()?;
        let change = DefaultsChange { title, community_id: body.community_id, visibility: body.visibility };
        let (defaults, changed) = self.parts.stores.live_keys.set_defaults(actor.user, change).await?;
        Ok(LiveDefaultsReply { defaults, changed })
    }

    /// STUN and TURN servers for a person's peer connection, or a guest's.
    pub fn ice_servers(&self, user: Option<UserId>) -> Vec<IceServer> {
        let name = user.map_or_else(|| "guest".into(), |user| user.to_string());
        let servers: &IceServers = &self.parts.settings.ice_servers;
        servers.for_client(&name)
    }

    /// A session has ended: it has joined nothing any more. Its peers go on by themselves.
    pub(super) async fn left(&self, session: SessionId) {
        for live in self.parts.registry.take_joined(session) {
            self.tell(live, Ask::SessionEnded(session)).await;
        }
    }

    /// A post was deleted: if it was that of a live, the live is over. The store has ended it already.
    pub async fn post_removed(&self, post: PostId) {
        // Where that cannot be read now, the live hears of it when it next renews its lease.
        let _ = self.look_for_removed(|handle| handle.post == post).await;
        self.tell_nodes(&Word::Removed { post });
    }

    /// Follows or blocks between two people have changed: who may no longer watch the other's live is cut off.
    pub async fn rights_changed(&self, one: UserId, other: UserId) {
        self.judge_pair(one, other).await;
        self.tell_nodes(&Word::Related { one, other });
    }

    /// Looks at the lives here of either of two, and whether the other may watch them.
    pub(super) async fn judge_pair(&self, one: UserId, other: UserId) {
        for handle in self.parts.registry.lives() {
            let watcher = match handle.owner {
                owner if owner == one => other,
                owner if owner == other => one,
                _ => continue,
            };
            self.judge_again(handle.id, watcher).await;
        }
    }

    /// Refuses what would begin here while this node sends everybody away.
    ///
    /// # Errors
    /// `unavailable`.
    pub(super) fn unless_draining(&self) -> Result<(), ErrorBody> {
        if self.parts.hub.is_draining() {
            let message = "this node takes nobody any more; try again, at another one";
            return Err(ErrorBody::new(Code::Unavailable, message).retry_after(1_000));
        }
        Ok(())
    }

    /// How many lives this node carries.
    pub fn count(&self) -> usize {
        self.parts.registry.len()
    }

    /// The node stops as planned: every live ends with its report, and peers are told while their sessions are still there.
    pub async fn drain(&self) {
        let ending = self.parts.registry.lives().into_iter().map(|handle| async move {
            // One that ends by itself meanwhile needs nothing more.
            let _ = handle.ask(|answer| Ask::Stop(Stop::Drain, answer)).await;
        });
        join_all(ending).await;
    }

    /// A path of this very node as clients are told it: what it alone knows must be asked of it.
    pub fn own_url(&self, path: &str) -> String {
        match &self.parts.settings.node_url {
            Some(url) => format!("{url}{path}"),
            None => self.url(path),
        }
    }

    /// A path of this server as clients are told it: absolute where `http.public_url` is set.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.parts.settings.public_url.as_deref().unwrap_or_default())
    }
}

/// For what is asked of a live rather than for a person.
pub(super) const NOBODY: Reader = Reader { user: None, role: communiconnect_protocol::Role::User };

/// Milliseconds after which another live may have ended.
const BUSY_MS: u64 = 10_000;

impl SessionEnds for LiveService {
    fn session_ended(&self, session: SessionId) {
        if self.parts.registry.has_joined(session) {
            let service = self.clone();
            self.parts.tasks.spawn(async move { service.left(session).await });
        }
    }
}
