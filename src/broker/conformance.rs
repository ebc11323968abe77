//! What every broker must do, run on each of them.
//!
//! A broker is given as a function from whom it delivers to to the broker itself.

use super::{Broadcast, Deliver, SharedBroker};
use crate::publication::{Audience, Publication, Signal, State};
use communiconnect_protocol::{Channel, Data, UserId};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// Runs the whole suite; `broker` is called once per case. Panics, naming the case, where the contract is broken.
pub async fn run(broker: impl AsyncFn(Arc<dyn Deliver>) -> SharedBroker) {
    what_is_published_arrives_whole(&broker).await;
    one_channel_keeps_its_order(&broker).await;
    publishing_does_not_wait_for_receivers(&broker).await;
    leaving_and_joining_again_brings_later_ones(&broker).await;
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
    ];
    broker.publish(sent.clone()).await.expect("publishes");
    assert_eq!(inbox.wait_for(3).await, sent, "every kind arrives as it was sent");
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

#[derive(Default)]
struct Inbox {
    arrived: Mutex<Vec<Broadcast>>,
    more: Notify,
}

impl Inbox {
    async fn wait_for(&self, count: usize) -> Vec<Broadcast> {
        loop {
            let more = self.more.notified();
            if self.arrived.lock().len() >= count {
                return self.arrived.lock().clone();
            }
            more.await;
        }
    }
}

impl Deliver for Inbox {
    fn deliver(&self, batch: Vec<Broadcast>) {
        self.arrived.lock().extend(batch);
        self.more.notify_waiters();
    }
}

fn channel(name: &str) -> Channel {
    format!("test:{name}").parse().expect("a test channel")
}

fn publication(name: &str, offset: u64) -> Publication {
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
