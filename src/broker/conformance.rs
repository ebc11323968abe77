//! What every broker must do, run on each of them.
//!
//! A broker is given as a function from whom it delivers to to the broker itself.

use super::{Broadcast, Deliver, LinkState, Memo, SharedBroker};
use crate::publication::{Audience, Publication, Signal, State};
use communiconnect_protocol::{Channel, Data, UserId};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Runs the whole suite; `broker` is called once per case. Panics, naming the case, where the contract is broken.
pub async fn run(broker: impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    what_is_published_arrives_whole(&broker).await;
    one_channel_keeps_its_order(&broker).await;
    publishing_does_not_wait_for_receivers(&broker).await;
    leaving_and_joining_again_brings_later_ones(&broker).await;
}

/// The cases of brokers between nodes: every call of `broker` makes one more node.
pub async fn between_nodes(broker: impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    every_node_that_joined_hears_each_once(&broker).await;
    every_writer_keeps_its_order(&broker).await;
    bytes_of_any_value_and_number_arrive(&broker).await;
    joining_and_leaving_at_once_ends_as_the_last_says(&broker).await;
}

async fn every_node_that_joined_hears_each_once(broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    let inboxes: [Arc<Inbox>; 3] = Default::default();
    let mut nodes = Vec::new();
    for inbox in &inboxes {
        let node = broker(inbox.clone()).await;
        node.subscribe(&channel("a")).await.expect("joins");
        nodes.push(node);
    }
    for (node, offset) in nodes.iter().zip(1..) {
        node.publish(vec![Broadcast::Publication(publication("a", offset))]).await.expect("publishes");
    }
    // Behind these everything else has come.
    for (node, offset) in nodes.iter().zip(11..) {
        node.publish(vec![Broadcast::Publication(publication("a", offset))]).await.expect("publishes");
    }
    for inbox in &inboxes {
        let mut offsets = offsets_of(&inbox.wait_for(6).await, "a");
        offsets.sort_unstable();
        assert_eq!(offsets, [1, 2, 3, 11, 12, 13]);
    }
}

async fn every_writer_keeps_its_order(broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    let (left, right) = (Arc::<Inbox>::default(), Arc::<Inbox>::default());
    let (a, b) = (broker(left.clone()).await, broker(right.clone()).await);
    for node in [&a, &b] {
        node.subscribe(&channel("a")).await.expect("joins");
    }
    for step in 0..500 {
        a.publish(vec![Broadcast::Publication(publication("a", 2 * step))]).await.expect("publishes");
        b.publish(vec![Broadcast::Publication(publication("a", 2 * step + 1))]).await.expect("publishes");
        tokio::task::yield_now().await;
    }
    for inbox in [left, right] {
        let offsets = offsets_of(&inbox.wait_for(1_000).await, "a");
        for parity in [0, 1] {
            let of_one: Vec<_> = offsets.iter().copied().filter(|offset| offset % 2 == parity).collect();
            assert_eq!(of_one, (0..500).map(|step| 2 * step + parity).collect::<Vec<_>>());
        }
    }
}

async fn bytes_of_any_value_and_number_arrive(broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    let inbox = Arc::<Inbox>::default();
    let (sender, receiver) = (broker(Arc::<Inbox>::default()).await, broker(inbox.clone()).await);
    receiver.subscribe(&channel("a")).await.expect("joins");
    let sent: Vec<_> = [0, 1, 255, 65_535, 65_536, 2_000_000]
        .into_iter()
        .zip(1..)
        .map(|(bytes, offset)| Broadcast::Publication(large_publication("a", offset, bytes)))
        .collect();
    sender.publish(sent.clone()).await.expect("publishes");
    assert_eq!(inbox.wait_for(sent.len()).await, sent);
}

async fn joining_and_leaving_at_once_ends_as_the_last_says(
    broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker,
) {
    let inbox = Arc::<Inbox>::default();
    let (sender, receiver) = (broker(Arc::<Inbox>::default()).await, broker(inbox.clone()).await);
    let channels: Vec<_> = (0..20).map(|number| format!("race{number}")).collect();
    for name in &channels {
        for _ in 0..10 {
            receiver.subscribe(&channel(name)).await.expect("joins");
            receiver.unsubscribe(&channel(name)).await.expect("leaves");
        }
        receiver.subscribe(&channel(name)).await.expect("joins for good");
        sender.publish(vec![Broadcast::Publication(publication(name, 1))]).await.expect("publishes");
        inbox.wait_until(|arrived| offsets_of(arrived, name) == [1]).await;
    }
}

async fn what_is_published_arrives_whole(broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    let inbox = Arc::new(Inbox::default());
    let broker = broker(inbox.clone()).await;
    broker.subscribe(&channel("a")).await.expect("joins");
    let sent = vec![
        Broadcast::Publication(publication("a", 1)),
        Broadcast::State(State {
            channels: vec![channel("a")],
            event: "post.counts".into(),
            key: "k".into(),
            version: 3,
            data: Data::of(&"value"),
            actor: Some(UserId::from_bytes([7; 16])),
        }),
        Broadcast::Signal(Signal { channel: channel("a"), event: "typing".into(), data: Data::of(&1) }),
        Broadcast::Memo(Memo { channel: channel("a"), body: vec![0, 255, 1].into() }),
    ];
    broker.publish(sent.clone()).await.expect("publishes");
    assert_eq!(inbox.wait_for(4).await, sent, "every kind arrives as it was sent");
}

async fn one_channel_keeps_its_order(broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    let inbox = Arc::new(Inbox::default());
    let broker = broker(inbox.clone()).await;
    broker.subscribe(&channel("a")).await.expect("joins");
    for batch in 0..50u64 {
        let batch = (1..=10).map(|step| Broadcast::Publication(publication("a", batch * 10 + step)));
        broker.publish(batch.collect()).await.expect("publishes");
    }
    let offsets: Vec<u64> = inbox
        .wait_for(500)
        .await
        .iter()
        .map(|broadcast| match broadcast {
            Broadcast::Publication(publication) => publication.offset,
            other => panic!("nobody sent {other:?}"),
        })
        .collect();
    assert_eq!(offsets, (1..=500).collect::<Vec<_>>(), "in order, each once");
}

async fn publishing_does_not_wait_for_receivers(broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    let inbox = Arc::new(Inbox::default());
    let broker = broker(inbox.clone()).await;
    // Nobody has joined this one: publishing to it is no error and nothing to wait for.
    broker.publish(vec![Broadcast::Publication(publication("nobody", 1))]).await.expect("publishes");
}

async fn leaving_and_joining_again_brings_later_ones(
    broker: &impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker,
) {
    let inbox = Arc::new(Inbox::default());
    let broker = broker(inbox.clone()).await;
    broker.subscribe(&channel("a")).await.expect("joins");
    broker.unsubscribe(&channel("a")).await.expect("leaves");
    broker.subscribe(&channel("a")).await.expect("joins again");
    broker.publish(vec![Broadcast::Publication(publication("a", 7))]).await.expect("publishes");
    assert_eq!(inbox.wait_for(1).await, [Broadcast::Publication(publication("a", 7))]);
}

/// How long a case waits for what must come; it bounds a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whoever is delivered to, and what has come.
#[derive(Default)]
pub(crate) struct Inbox {
    arrived: Mutex<Arrived>,
    more: Notify,
}

#[derive(Default)]
struct Arrived {
    broadcasts: Vec<Broadcast>,
    heads: Vec<(Channel, u64)>,
    links: Vec<LinkState>,
}

impl Inbox {
    /// What has come so far.
    pub(crate) fn arrived(&self) -> Vec<Broadcast> {
        self.arrived.lock().broadcasts.clone()
    }

    /// What the broker said of its losses.
    pub(crate) fn links(&self) -> Vec<LinkState> {
        self.arrived.lock().links.clone()
    }

    /// The first `count`.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Broadcast> {
        self.wait_until(|broadcasts| broadcasts.len() >= count).await;
        self.arrived()
    }

    /// Until what has come is enough.
    pub(crate) async fn wait_until(&self, is_enough: impl Fn(&[Broadcast]) -> bool) {
        self.wait(|arrived| is_enough(&arrived.broadcasts)).await;
    }

    /// Until the broker has said this as its last word.
    pub(crate) async fn wait_for_link(&self, state: LinkState) {
        self.wait(|arrived| arrived.links.last() == Some(&state)).await;
    }

    /// Until what the broker has said of its losses is enough.
    pub(crate) async fn wait_until_links(&self, is_enough: impl Fn(&[LinkState]) -> bool) {
        self.wait(|arrived| is_enough(&arrived.links)).await;
    }

    /// Until another node has told this head.
    pub(crate) async fn wait_for_head(&self, channel: &Channel, offset: u64) {
        self.wait(|arrived| arrived.heads.iter().any(|head| *head == (channel.clone(), offset))).await;
    }

    async fn wait(&self, is_enough: impl Fn(&Arrived) -> bool) {
        let enough = async {
            loop {
                let more = self.more.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                if is_enough(&self.arrived.lock()) {
                    return;
                }
                more.await;
            }
        };
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            let arrived = self.arrived.lock();
            panic!("waited in vain; {} broadcasts, links {:?}", arrived.broadcasts.len(), arrived.links);
        }
    }

    fn note(&self, change: impl FnOnce(&mut Arrived)) {
        change(&mut self.arrived.lock());
        self.more.notify_waiters();
    }
}

impl Deliver for Inbox {
    fn deliver(&self, batch: Vec<Broadcast>) {
        self.note(|arrived| arrived.broadcasts.extend(batch));
    }

    fn heads(&self, heads: Vec<(Channel, u64)>) {
        self.note(|arrived| arrived.heads.extend(heads));
    }

    fn link(&self, state: LinkState) {
        self.note(|arrived| arrived.links.push(state));
    }
}

/// A test channel.
pub(crate) fn channel(name: &str) -> Channel {
    format!("test:{name}").parse().expect("a test channel")
}

/// A small publication of a test channel.
pub(crate) fn publication(name: &str, offset: u64) -> Publication {
    Publication {
        channel: channel(name),
        offset,
        event: "e".into(),
        data: Data::of(&offset),
        at: 5,
        actor: None,
        audience: Audience::Readers,
    }
}

/// One with so many bytes, every value among them.
pub(crate) fn large_publication(name: &str, offset: u64, bytes: usize) -> Publication {
    let bytes: Vec<u8> = (0..=255).cycle().take(bytes).collect();
    Publication { data: Data::from_stored(bytes), ..publication(name, offset) }
}

fn offsets_of(broadcasts: &[Broadcast], name: &str) -> Vec<u64> {
    let channel = channel(name);
    broadcasts
        .iter()
        .filter_map(|broadcast| match broadcast {
            Broadcast::Publication(publication) if publication.channel == channel => Some(publication.offset),
            _ => None,
        })
        .collect()
}
