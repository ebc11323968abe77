//! What the hubs of one store say to each other beside publications: that they live, who is present, what people have
//! used of their limits, what concerns one person's sessions wherever they are, what operators want to know.
//!
//! Nothing here is kept: a node that falls silent takes with it what it said. The broker carries these words without
//! understanding them.

use super::{Dismissed, Elsewhere, Hub, NodeView, SessionView, Whom, crowds::Told, presence::Present};
use crate::{
    broker::{Broadcast, Memo},
    clock,
};
use bytes::Bytes;
use communiconnect_protocol::{Channel, Code, Data, ErrorBody, UserId};
use futures_util::FutureExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Between two signs of life.
const BEAT_PACE: Duration = Duration::from_secs(1);
/// Silence after which a node is gone: four beats, so that one that is lost or late kills nobody.
const SILENCE: Duration = Duration::from_secs(4);
/// Between two tellings of what people have used. With [`super::people::LOT`] it bounds by how much a person who is busy on
/// `n` nodes may exceed a limit: by `n - 1` times a quarter of a second's allowance and a lot.
const USED_PACE: Duration = Duration::from_millis(250);
/// Time for the others to answer a question; whoever does not is most likely gone.
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// Answers that wait to be given; who is not answered in time asks again.
const ERRANDS: usize = 256;
/// Answers to one question for which there is room beside those of the nodes that are known: of nodes that have just come.
const NEWCOMERS: usize = 16;
/// Nodes that are known at once: a bound against nonsense.
const NODES: usize = 1_024;

/// Changes where a [`Word`] comes to mean something else; words of other versions are not understood and dropped, and so
/// is a word that is new to a node.
const VERSION: u8 = 1;

/// Which process: drawn anew at each start.
type NodeKey = u64;

#[derive(Debug, Serialize, Deserialize)]
struct Said {
    by: NodeKey,
    word: Word,
}

#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// I live.
    Beat,
    /// I stop; my people come to you.
    Leaving,
    /// Who is in this channel, from this person on? With everybody's ids, or without.
    Ask {
        question: u64,
        channel: Channel,
        after: Option<UserId>,
        #[serde(default = "yes")]
        ids: bool,
    },
    /// These.
    Told { question: u64, present: Present },
    /// So many commands of these people went through.
    Used { commands: Vec<(UserId, u32)> },
    /// What the rules above the hub have counted.
    Acted { counted: Bytes },
    /// What the rules above the hub say to themselves.
    Above { word: Bytes },
    /// For all sessions of a person.
    Message { user: UserId, event: String, data: Data },
    /// An operator asks, or wishes something done.
    Inquire { question: u64, inquiry: Inquiry },
    /// This is known, or was done.
    Answered { question: u64, answer: Answer },
}

/// What operators ask of every node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Inquiry {
    /// What do you carry?
    View,
    /// Which sessions has this person?
    SessionsOf(UserId),
    /// Send them away.
    Dismiss { whom: Whom, code: u16, reason: Option<String> },
}

/// What a node answers to a question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Who is present.
    Present(Present),
    /// To [`Inquiry::View`].
    View(NodeView),
    /// To [`Inquiry::SessionsOf`].
    Sessions(Vec<SessionView>),
    /// To [`Inquiry::Dismiss`].
    Dismissed(Dismissed),
}

/// The other nodes.
#[derive(Debug)]
pub(super) struct Peers {
    me: NodeKey,
    /// When each was last heard.
    heard: Mutex<HashMap<NodeKey, Instant>>,
    questions: Mutex<HashMap<u64, mpsc::Sender<(NodeKey, Answer)>>>,
    /// What others ask or must know, until [`Hub::keep_company`] answers: not where deliveries come, which a large crowd would hold up.
    errands: (mpsc::Sender<Errand>, Mutex<Option<mpsc::Receiver<Errand>>>),
}

/// What one node is to be told.
#[derive(Debug)]
enum Errand {
    /// Who is in this channel, from this person on.
    Present { to: NodeKey, question: u64, channel: Channel, after: Option<UserId>, ids: bool },
    /// What was counted before it was known.
    Counted { to: NodeKey },
}

impl Default for Peers {
    fn default() -> Self {
        let (run, errands) = mpsc::channel(ERRANDS);
        let errands = (run, Mutex::new(Some(errands)));
        Self { me: rand::random(), heard: Mutex::default(), questions: Mutex::default(), errands }
    }
}

impl Peers {
    /// How many other nodes there are.
    pub(super) fn count(&self) -> usize {
        self.heard.lock().len()
    }

    /// Forgets who fell silent; whether anybody did.
    fn bury(&self) -> bool {
        let mut heard = self.heard.lock();
        let before = heard.len();
        heard.retain(|_, at| at.elapsed() < SILENCE);
        heard.len() < before
    }

    /// Gives an answer to whoever waits for it.
    fn take(&self, question: u64, by: NodeKey, answer: Answer) {
        if let Some(waiting) = self.questions.lock().get(&question) {
            let _ = waiting.try_send((by, answer));
        }
    }

    fn note(&self, node: NodeKey) {
        let mut heard = self.heard.lock();
        let is_new = !heard.contains_key(&node);
        if is_new && heard.len() >= NODES {
            return;
        }
        heard.insert(node, Instant::now());
        if is_new {
            // Where there is no room it counts from now on, as if it had just been started.
            let _ = self.errands.0.try_send(Errand::Counted { to: node });
        }
    }
}

impl Hub {
    /// Lives among the other nodes, until the process stops; nothing to do where there can be none.
    pub(super) async fn keep_company(&self) {
        let Some(broker) = self.registry.broker() else { return std::future::pending().await };
        for channel in [everybody(), inbox(self.peers.me)] {
            if let Err(error) = broker.subscribe(&channel).await {
                tracing::warn!(%error, "other nodes cannot be heard");
            }
        }
        let errands = self.peers.errands.1.lock().take();
        let Some(mut errands) = errands else { return std::future::pending().await };
        let (mut beat, mut used) = (tokio::time::interval(BEAT_PACE), tokio::time::interval(USED_PACE));
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    if self.whole.may_lose() {
                        let _ = self.say(everybody(), Word::Beat);
                    }
                    if self.peers.bury() {
                        tracing::info!("another node has fallen silent");
                        // What it had written and not told yet: states are in no log.
                        self.whole.missed();
                    }
                }
                _ = used.tick() => {
                    self.tell_used();
                }
                Some(errand) = errands.recv() => self.run(errand),
            }
        }
    }

    fn run(&self, errand: Errand) {
        match errand {
            Errand::Present { to, question, channel, after, ids } => {
                let present = self.present_here(&channel, after);
                let present = if ids { present } else { present.without_ids() };
                let _ = self.say(inbox(to), Word::Told { question, present });
            }
            Errand::Counted { to } => {
                let recent = self.tally.get().map(|tally| tally.recent(clock::now_ms()));
                for counted in recent.into_iter().flatten() {
                    let _ = self.say(inbox(to), Word::Acted { counted });
                }
            }
        }
    }

    /// What is counted is taken even where nobody is there to be told, so that it does not heap up: a node that comes later
    /// is told what still matters of it.
    fn tell_used(&self) {
        let commands = self.people.take_used();
        let acts = self.tally.get().and_then(|tally| tally.told());
        if self.peers.count() == 0 {
            return;
        }
        if !commands.is_empty() {
            let _ = self.say(everybody(), Word::Used { commands });
        }
        if let Some(counted) = acts {
            let _ = self.say(everybody(), Word::Acted { counted });
        }
    }

    /// Says good-bye.
    pub(super) fn leave_company(&self) {
        if self.peers.count() > 0 {
            let _ = self.say(everybody(), Word::Leaving);
        }
    }

    /// Tells a person's sessions on other nodes.
    pub(super) fn message_elsewhere(&self, user: UserId, event: &str, data: &Data) {
        if self.peers.count() > 0 {
            let word = Word::Message { user, event: event.to_owned(), data: data.clone() };
            let _ = self.say(Channel::User(user), word);
        }
    }

    /// Tells the rules above the hub on every other node, also on those that were not heard yet; see
    /// [`Neighbour`](super::Neighbour). What is said while the broker is away is lost.
    pub fn tell_neighbours(&self, word: Bytes) {
        if self.whole.may_lose() {
            self.say(everybody(), Word::Above { word });
        }
    }

    /// Who is in a channel on the other nodes, as it was at most a moment ago: everybody, and the page behind `after`.
    ///
    /// # Errors
    /// `unavailable` while they cannot be asked.
    pub(super) async fn present_elsewhere(
        &self,
        channel: &Channel,
        after: Option<UserId>,
    ) -> Result<(Told, Told), ErrorBody> {
        if self.peers.count() == 0 {
            return Ok(Default::default());
        }
        if self.whole.is_away() {
            return Err(cannot_be_asked());
        }
        let crowds = &self.crowds;
        let whole = crowds.whole.get(channel.clone(), || self.ask_who_is_in(channel, None)).await?;
        let page = match after {
            None => Told::clone(&whole),
            Some(last) => {
                crowds.pages.get((channel.clone(), last), || self.ask_who_is_in(channel, after)).await?
            }
        };
        Ok((whole, page))
    }

    /// Asks who is in a channel: for everybody's ids with the first page alone, which is kept for those who page on.
    async fn ask_who_is_in(
        &self,
        channel: &Channel,
        after: Option<UserId>,
    ) -> Result<Vec<Present>, ErrorBody> {
        let ids = after.is_none();
        let word = |question| Word::Ask { question, channel: channel.clone(), after, ids };
        let present = |answer| match answer {
            Answer::Present(present) => Some(present),
            _ => None,
        };
        let elsewhere = self.ask_everybody(word, present).await;
        if elsewhere.is_cut_off { Err(cannot_be_asked()) } else { Ok(elsewhere.told) }
    }

    /// Asks every other node on behalf of an operator.
    pub(super) async fn inquire<T>(
        &self,
        inquiry: Inquiry,
        read: impl Fn(Answer) -> Option<T>,
    ) -> Elsewhere<T> {
        self.ask_everybody(|question| Word::Inquire { question, inquiry }, read).await
    }

    /// Asks every node that gave a sign of life lately, and waits until all have answered or the time is over.
    async fn ask_everybody<T>(
        &self,
        word: impl FnOnce(u64) -> Word,
        read: impl Fn(Answer) -> Option<T>,
    ) -> Elsewhere<T> {
        let mut silent: HashSet<NodeKey> = self.peers.heard.lock().keys().copied().collect();
        let mut heard = HashSet::with_capacity(silent.len());
        let mut told = Vec::with_capacity(silent.len());
        let mut is_told = true;
        if !silent.is_empty() {
            let (sender, mut answers) = mpsc::channel(silent.len() + NEWCOMERS);
            let question = rand::random();
            self.peers.questions.lock().insert(question, sender);
            let _asked = Asked { peers: &self.peers, question };
            is_told = self.say(everybody(), word(question));
            let gathering = async {
                while !silent.is_empty()
                    && let Some((by, answer)) = answers.recv().await
                {
                    // One that was not known yet is heard as well, and stands for no other.
                    if heard.insert(by)
                        && let Some(answer) = read(answer)
                    {
                        silent.remove(&by);
                        told.push(answer);
                    }
                }
            };
            if is_told {
                let _ = tokio::time::timeout(ANSWER_TIME, gathering).await;
            }
        }
        Elsewhere { told, silent: silent.len(), is_cut_off: self.whole.is_away() || !is_told }
    }

    /// Another node, or this one, has said something.
    pub(super) fn hear(&self, memo: &Memo) {
        let Some((VERSION, said)) = memo.body.split_first().map(|(version, said)| (*version, said)) else {
            return;
        };
        let Said { by, word } = match rmp_serde::from_slice(said) {
            Ok(said) => said,
            Err(error) => return tracing::debug!(%error, "another node is not understood"),
        };
        if by == self.peers.me {
            return;
        }
        self.peers.note(by);
        match word {
            Word::Beat => {}
            Word::Leaving => drop(self.peers.heard.lock().remove(&by)),
            Word::Ask { question, channel, after, ids } => {
                // One that finds no room is asked again.
                let errand = Errand::Present { to: by, question, channel, after, ids };
                let _ = self.peers.errands.0.try_send(errand);
            }
            Word::Told { question, present } => self.peers.take(question, by, Answer::Present(present)),
            Word::Inquire { question, inquiry } => {
                if let Some(answer) = self.answer(inquiry) {
                    let _ = self.say(inbox(by), Word::Answered { question, answer });
                }
            }
            Word::Answered { question, answer } => self.peers.take(question, by, answer),
            Word::Used { commands } => {
                let per_second = self.settings.commands_per_second_user;
                self.people.spend(&commands, clock::steady_ms(), per_second);
            }
            Word::Acted { counted } => {
                if let Some(tally) = self.tally.get() {
                    tally.heard(&counted);
                }
            }
            Word::Above { word } => {
                if let Some(neighbour) = self.neighbour() {
                    neighbour.heard(&word);
                }
            }
            Word::Message { user, event, data } => self.message_here(user, &event, &data),
        }
    }

    /// Whether it is on its way, or the broker could not take it.
    fn say(&self, channel: Channel, word: Word) -> bool {
        let Some(broker) = self.registry.broker() else { return false };
        let mut body = vec![VERSION];
        rmp_serde::encode::write_named(&mut body, &Said { by: self.peers.me, word })
            .expect("our own types always encode");
        // A broker takes what it is given when it is called.
        let taken = broker.publish(vec![Broadcast::Memo(Memo { channel, body: body.into() })]).now_or_never();
        !matches!(taken, Some(Err(_)))
    }
}

/// Nodes that do not say whether they wish ids want them.
fn yes() -> bool {
    true
}

fn cannot_be_asked() -> ErrorBody {
    let message = "other nodes cannot be asked who is there at the moment";
    ErrorBody::new(Code::Unavailable, message).retry_after(1_000)
}

/// A question that waits for answers, for as long as somebody waits.
struct Asked<'a> {
    peers: &'a Peers,
    question: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.peers.questions.lock().remove(&self.question);
    }
}

/// Where all nodes listen. The name routes words alone: nothing is published there.
fn everybody() -> Channel {
    Channel::Test("nodes".into())
}

/// Where one node listens.
fn inbox(node: NodeKey) -> Channel {
    Channel::Test(format!("node-{node:016x}").into())
}

#[cfg(test)]
mod tests;
