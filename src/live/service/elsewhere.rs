//! Lives that other nodes carry: what is changed here and concerns them is told there, and who asks here is led there.
//!
//! A word says where to look and never what is there: that is read from the store, so that a word may come late, twice or
//! not at all. After words may have been lost every live looks at everything, once however many they were, and again until
//! the store has told all of it.

use super::{lives::NOBODY, *};
use crate::{
    config::{Value, WebAddress},
    hub::Neighbour,
};
use communiconnect_protocol::PostId;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tokio::sync::Notify;

/// After this long without a word of a node that has said where it is nobody is led there: it says so each [`LOOK_EVERY`],
/// and the rest is for a word that comes late.
const LATE: Duration = LOOK_EVERY.saturating_add(Duration::from_secs(2));

/// After this long without a word of a node it is as if there had been none: four of [`LOOK_EVERY`]. By then its leases tell
/// whether it is there.
const FORGOTTEN: Duration = LOOK_EVERY.saturating_mul(4);

/// Nodes that are known at once: a bound against nonsense.
const NODES: usize = 1_024;

/// Words that wait to be acted on, of either kind: what does not fit is made up for by looking at everything.
const WORDS: usize = 256;

/// Pause before everything is looked at again because the store could not tell all of it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What nodes tell each other of lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Word {
    /// I am reached there.
    Reached { node: String, url: String },
    /// Somebody was banned from this live.
    Banned { live: LiveId, user: UserId },
    /// The slow mode of this live was set.
    Slowed { live: LiveId },
    /// These two follow or block each other otherwise than before.
    Related { one: UserId, other: UserId },
    /// This post was deleted.
    Removed { post: PostId },
}

/// The live that somebody asked for at the wrong node.
#[derive(Clone)]
pub enum Sought {
    /// By its id.
    Live(LiveId),
    /// By the key of whoever runs it.
    Lasting(String),
}

impl Sought {
    /// The one that somebody sends into.
    pub fn of(sender: &Sender) -> Self {
        match sender {
            Sender::Owner(_, live) | Sender::Key(_, live) => Self::Live(*live),
            Sender::AnyKey(key) => match keys::shown(key) {
                Some(keys::Shown::OfLive(live)) => Self::Live(live),
                _ => Self::Lasting(key.clone()),
            },
        }
    }
}

/// What a node has said of where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// There, a moment ago.
    At(String),
    /// Something, and no more since, although it could be heard.
    Late,
    /// Nothing, or nothing for long.
    Unsaid,
}

/// The other nodes.
pub(super) struct Others {
    /// Node -> where it is reached, and when it said so.
    urls: Mutex<HashMap<String, (String, Instant)>>,
    words: mpsc::Sender<Word>,
    /// Words that take something away from people: they wait for no look at everything.
    losses: mpsc::Sender<Word>,
    /// Something was missed. It holds one such message, so that however much was missed is made up for by one look.
    missed: Notify,
}

/// What other nodes say, until it is acted on.
pub(super) struct Heard {
    words: mpsc::Receiver<Word>,
    losses: mpsc::Receiver<Word>,
}

impl Others {
    pub(super) fn new() -> (Self, Heard) {
        let ((words, said), (losses, lost)) = (mpsc::channel(WORDS), mpsc::channel(WORDS));
        let others = Self { urls: Mutex::default(), words, losses, missed: Notify::new() };
        (others, Heard { words: said, losses: lost })
    }

    /// Everything is looked at soon.
    pub(super) fn look(&self) {
        self.missed.notify_one();
    }

    /// What a node has said of where it is. While others cannot be heard, it says nothing of a node that its words are late.
    pub(super) fn place(&self, node: &str, now: Instant, is_cut_off: bool) -> Place {
        let urls = self.urls.lock();
        let Some((url, at)) = urls.get(node) else { return Place::Unsaid };
        match now.saturating_duration_since(*at) {
            passed if passed >= FORGOTTEN => Place::Unsaid,
            passed if passed >= LATE && !is_cut_off => Place::Late,
            _ => Place::At(url.clone()),
        }
    }

    /// Where a word waits until it is acted on.
    fn queue(&self, word: &Word) -> &mpsc::Sender<Word> {
        match word {
            Word::Banned { .. } | Word::Related { .. } | Word::Removed { .. } => &self.losses,
            Word::Reached { .. } | Word::Slowed { .. } => &self.words,
        }
    }

    pub(super) fn note(&self, node: String, url: String, at: Instant) {
        let mut urls = self.urls.lock();
        urls.retain(|_, (_, before)| at.saturating_duration_since(*before) < FORGOTTEN);
        if urls.len() < NODES || urls.contains_key(&node) {
            urls.insert(node, (url, at));
        }
    }
}

impl LiveService {
    /// Says to the same service on the other nodes where they have to look.
    pub(super) fn tell_nodes(&self, word: &Word) {
        let word = rmp_serde::to_vec_named(word).expect("our own types always encode");
        self.parts.hub.tell_neighbours(word.into());
    }

    /// Says where this node is reached, if it has an address of its own.
    pub(super) fn tell_url(&self) {
        let LiveSettings { node, node_url, .. } = &self.parts.settings;
        if let Some(url) = node_url.clone() {
            self.tell_nodes(&Word::Reached { node: node.clone(), url });
        }
    }

    /// Where the node is reached that carries a live, if it is another one and has an address of its own. Whether one may
    /// know of the live is judged elsewhere.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn led_to(&self, sought: Sought) -> Result<Option<String>, ErrorBody> {
        let (reader, which) = match sought {
            Sought::Live(live) => (NOBODY, WhichLive::Id(live)),
            Sought::Lasting(key) => {
                let Some(keys::Shown::Lasting(hash)) = keys::shown(&key) else { return Ok(None) };
                let Some(owner) = self.parts.stores.live_keys.open(hash, now_ms()).await? else {
                    return Ok(None);
                };
                (owner.into(), WhichLive::RunningOf(owner.user))
            }
        };
        let found = self.parts.stores.lives.get(reader, which).await?;
        Ok(found.and_then(|view| self.url_of_carrier(&view)))
    }

    /// Where the node is reached that carries this live, if it is another one that lives and has announced an address.
    fn url_of_carrier(&self, view: &LiveView) -> Option<String> {
        let LiveView { live, lease, .. } = view;
        let is_elsewhere = live.state != LiveState::Ended && lease.node != self.parts.settings.node;
        if is_elsewhere { self.carrier(view).url } else { None }
    }

    /// The other node that carries this live. Nobody is led to one that is most likely gone: whoever said where it is falls
    /// silent before its leases show it.
    pub(super) fn carrier(&self, view: &LiveView) -> Carrier {
        let Parts { others, hub, .. } = &*self.parts;
        let node = view.lease.node.clone();
        match others.place(&node, Instant::now(), hub.is_cut_off()) {
            _ if self.is_silent(view) => Carrier { node, url: None, silent: true },
            Place::Late => Carrier { node, url: None, silent: true },
            Place::At(url) => Carrier { node, url: Some(url), silent: false },
            Place::Unsaid => Carrier { node, url: None, silent: false },
        }
    }

    /// Acts on what other nodes say, until the process stops.
    pub(super) async fn heed(self, heard: Heard) {
        tokio::join!(self.heed_losses(heard.losses), self.heed_words(heard.words));
    }

    /// Who loses a right is cut off at once, whatever else is looked at meanwhile. A look that has read more of it before takes
    /// nothing back: it too can only cut off.
    async fn heed_losses(&self, mut losses: mpsc::Receiver<Word>) {
        loop {
            tokio::select! {
                word = losses.recv() => match word {
                    Some(word) => self.act_on(word).await,
                    None => return,
                },
                () = self.parts.tasks.stopping() => return,
            }
        }
    }

    /// Does all else one after the other: what a look has read is older than what a later word makes it read.
    async fn heed_words(&self, mut words: mpsc::Receiver<Word>) {
        let mut again = None;
        loop {
            tokio::select! {
                word = words.recv() => match word {
                    Some(word) => self.act_on(word).await,
                    None => return,
                },
                () = self.parts.others.missed.notified() => again = self.look_at_all().await.err(),
                () = due(again) => again = self.look_at_all().await.err(),
                () = self.parts.tasks.stopping() => return,
            }
        }
    }

    async fn act_on(&self, word: Word) {
        let read = match word {
            Word::Reached { node, url } => {
                // It goes into headers of answers: what could not be the setting is no address.
                match WebAddress::read(&url) {
                    Ok(url) => self.parts.others.note(node, url.as_str().to_owned(), Instant::now()),
                    Err(error) => {
                        tracing::debug!(%node, reason = error.reason, "another node names no address")
                    }
                }
                Ok(())
            }
            Word::Banned { live, user } => {
                self.judge_again(live, user).await;
                Ok(())
            }
            Word::Slowed { live } => self.read_slow_mode(live).await,
            Word::Related { one, other } => {
                self.judge_pair(one, other).await;
                Ok(())
            }
            Word::Removed { post } => self.look_for_removed(|handle| handle.post == post).await,
        };
        if read.is_err() {
            self.parts.others.look();
        }
    }

    /// Looks at everything that other nodes may have changed. What the store cannot tell now stays as it is.
    ///
    /// # Errors
    /// When to look again, where the store could not tell all of it.
    pub(super) async fn look_at_all(&self) -> Result<(), tokio::time::Instant> {
        let mut read = self.look_for_removed(|_| true).await;
        for handle in self.parts.registry.lives() {
            read = read.and(self.read_slow_mode(handle.id).await);
            // A live that is over has nobody to be judged.
            for user in handle.ask(Ask::People).await.unwrap_or_default() {
                match self.lost_right(handle.id, user).await {
                    Ok(Some(reason)) => handle.tell(Ask::Cut(user, reason)).await,
                    Ok(None) => {}
                    Err(_) => read = Err(Unread),
                }
            }
        }
        read.map_err(|Unread| tokio::time::Instant::now() + LOOK_AGAIN)
    }

    /// Lets go of those of some lives here whose posts are gone.
    pub(super) async fn look_for_removed(&self, which: impl Fn(&Handle) -> bool) -> Result<(), Unread> {
        let mut read = Ok(());
        for handle in self.parts.registry.lives().into_iter().filter(which) {
            match self.parts.stores.lives.get(NOBODY, WhichLive::Id(handle.id)).await {
                Ok(None) => handle.tell(Ask::Removed).await,
                Ok(Some(_)) => {}
                Err(_) => read = Err(Unread),
            }
        }
        read
    }

    /// Reads the slow mode of a live that this node carries.
    async fn read_slow_mode(&self, live: LiveId) -> Result<(), Unread> {
        if self.parts.registry.live(live).is_none() {
            return Ok(());
        }
        match self.parts.stores.chat.slow_mode(live).await {
            Ok(Some(state)) => self.tell(live, Ask::Slow(Duration::from_secs(state.seconds.into()))).await,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%live, %error, "a slow mode could not be read");
                return Err(Unread);
            }
        }
        Ok(())
    }

    /// Cuts somebody off a live that this node carries, unless they may watch it. A right that cannot be confirmed is none.
    pub(super) async fn judge_again(&self, live: LiveId, user: UserId) {
        if self.parts.registry.live(live).is_none() {
            return;
        }
        let lost = self.lost_right(live, user).await.unwrap_or(Some(RtcCloseReason::Forbidden));
        if let Some(reason) = lost {
            self.tell(live, Ask::Cut(user, reason)).await;
        }
    }

    /// Why somebody may not watch a live, if so.
    async fn lost_right(&self, live: LiveId, user: UserId) -> crate::store::Result<Option<RtcCloseReason>> {
        let reader = Reader { user: Some(user), ..NOBODY };
        let found = self.parts.stores.lives.get(reader, WhichLive::Id(live)).await?;
        Ok(match found {
            Some(view) if policy::read_live(&view.facts).is_ok() => {
                policy::is_banned(&view.facts).then_some(RtcCloseReason::Banned)
            }
            Some(_) | None => Some(RtcCloseReason::Forbidden),
        })
    }
}

impl Neighbour for LiveService {
    fn heard(&self, word: &[u8]) {
        match rmp_serde::from_slice::<Word>(word) {
            Ok(word) => {
                if self.parts.others.queue(&word).try_send(word).is_err() {
                    tracing::debug!("other nodes said more than could be acted on");
                    self.missed();
                }
            }
            Err(error) => tracing::debug!(%error, "another node is not understood"),
        }
    }

    fn missed(&self) {
        self.parts.others.look();
    }
}

/// The store could not tell something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread;

/// Resolves at this time; never without one.
async fn due(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_are_known_stay_known_however_many_there_are() {
        let ((others, _heard), now) = (Others::new(), Instant::now());
        let place = |node| others.place(node, now, false);
        for node in 0..NODES {
            others.note(node.to_string(), "http://before".into(), now);
        }
        others.note("one too many".into(), "http://new".into(), now);
        assert_eq!(place("one too many"), Place::Unsaid);
        others.note("0".into(), "http://moved".into(), now);
        assert_eq!(place("0"), Place::At("http://moved".into()));
    }

    #[test]
    fn nobody_is_led_to_a_node_that_has_not_said_for_a_while_where_it_is() {
        let ((others, _heard), said) = (Others::new(), Instant::now());
        others.note("a".into(), "http://a".into(), said);
        let place = |passed, is_cut_off| others.place("a", said + passed, is_cut_off);
        let (there, moment) = (Place::At("http://a".into()), Duration::from_millis(1));
        assert_eq!(place(LOOK_EVERY + Duration::from_secs(1), false), there, "a word may come late");
        assert_eq!([place(LATE, false), place(FORGOTTEN - moment, false)], [Place::Late, Place::Late]);
        assert_eq!(place(FORGOTTEN - moment, true), there, "nobody could hear it");
        assert_eq!([place(FORGOTTEN, false), place(FORGOTTEN, true)], [Place::Unsaid, Place::Unsaid]);
    }
}
