//! One server that carries lanes: a task that publishes to it, a task that listens to it, a task that delivers what came.
//!
//! Each connection is made anew by its own task whenever it breaks, and what it must know is told to it again.

use super::{
    inbound::{Inbound, Inflow},
    interest::Changes,
    link::{self, ANSWER_TIME, BEHIND, Backoff, PING_PACE},
    links::Link,
    names::Lane,
    node::NodeParts,
    outbound::{Outbound, Refused},
    place::Place,
    url::Address,
    wire::Frame,
};
use crate::{broker::BrokerError, metrics, tasks::Tasks};
use parking_lot::Mutex;
use redis::{RedisError, aio::MultiplexedConnection};
use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// Time for a probe to come back.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Between two looks where a primary is that may move.
const LOOK_PACE: Duration = Duration::from_secs(1);

/// A connection that lasted longer was a good one: the next attempt comes soon.
const STEADY: Duration = Duration::from_secs(5);

/// A server and the lanes that it carries.
pub(super) struct Shard {
    node: Arc<NodeParts>,
    place: Place,
    lanes: Mutex<Arc<[Lane]>>,
    pub(super) outbound: Outbound,
    inflow: Inflow,
    wishes: watch::Sender<Wishes>,
    is_listening: watch::Sender<bool>,
    /// What the hub was told of the connection to listen on.
    link: Link,
}

/// What is wished of a shard's connections.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    /// How often they were to be made anew.
    renewals: u64,
    /// Whether the shard carries nothing any more.
    is_over: bool,
}

impl Shard {
    /// Starts the shard's tasks.
    pub(super) fn start(node: &Arc<NodeParts>, place: Place, lanes: Vec<Lane>, tasks: &Tasks) -> Arc<Self> {
        let (inflow, inbound) = Inflow::new(node);
        let shard = Arc::new(Self {
            node: Arc::clone(node),
            place,
            lanes: Mutex::default(),
            outbound: Outbound::new(node.sender),
            inflow,
            wishes: watch::channel(Wishes::default()).0,
            is_listening: watch::channel(false).0,
            link: Link::of(&node.links),
        });
        shard.carry(lanes);
        tasks.spawn(deliver(inbound, tasks.clone()));
        tasks.spawn(Arc::clone(&shard).publish(tasks.clone()));
        tasks.spawn(Arc::clone(&shard).listen(tasks.clone()));
        if shard.place.may_move() {
            tasks.spawn(Arc::clone(&shard).watch(tasks.clone()));
        }
        shard
    }

    /// Where it is, if it stays there.
    pub(super) fn address(&self) -> Option<&Address> {
        match &self.place {
            Place::Fixed(address) => Some(address),
            Place::Watched(_) => None,
        }
    }

    /// The lanes that it carries.
    pub(super) fn lanes(&self) -> Arc<[Lane]> {
        Arc::clone(&self.lanes.lock())
    }

    /// From now on it carries these lanes.
    pub(super) fn carry(&self, lanes: Vec<Lane>) {
        let before = {
            let mut known = self.lanes.lock();
            if **known == *lanes {
                return;
            }
            std::mem::replace(&mut *known, lanes.into())
        };
        // The first is always listened to, so that a node which nobody is connected to can tell whether Redis delivers.
        if let Some(first) = self.lanes().first() {
            self.node.interest.enter(*first).keep();
        }
        if let Some(first) = before.first() {
            self.node.interest.leave(*first);
        }
        self.renew();
    }

    /// Ends its tasks: it carries nothing any more.
    pub(super) fn end(&self) {
        self.carry(Vec::new());
        self.wishes.send_modify(|wishes| wishes.is_over = true);
        // What waited for it goes with it.
        self.node.untold.store(true, Ordering::Relaxed);
    }

    /// Resolves once lanes are listened to.
    pub(super) async fn listening(&self) {
        let _ = self.is_listening.subscribe().wait_for(|is| *is).await;
    }

    /// Publishes to this node itself through the server. A server that answers without delivering is left: both
    /// connections are made anew, wherever the server is then. One that is merely behind is not, since what it would have to
    /// be told again would put it further behind.
    pub(super) async fn probe(&self) -> Result<(), BrokerError> {
        let unavailable =
            |what: &str| Err(BrokerError::Unavailable(format!("Redis at {} {what}", self.place)));
        let Some(lane) = self.lanes.lock().first().copied() else { return Ok(()) };
        let (probe, heard) = self.node.probes.begin();
        let message = Frame::probe(self.node.sender, probe.nonce());
        if self.outbound.add_probe(lane, message) == Err(Refused::Disconnected) {
            return unavailable("cannot be reached");
        }
        let came = self.inflow.came();
        if matches!(timeout(PROBE_TIME, heard).await, Ok(Ok(()))) {
            return Ok(());
        }
        // What others say may come from where this node is not heard.
        let is_deaf = self.inflow.heard_itself().is_none_or(|at| at.elapsed() > BEHIND);
        if is_deaf || self.inflow.came() == came {
            self.renew();
            return unavailable("does not deliver what it is given");
        }
        unavailable("is behind with what it is given")
    }

    /// Makes both connections anew.
    pub(super) fn renew(&self) {
        self.wishes.send_modify(|wishes| wishes.renewals += 1);
    }

    /// Follows a primary that is somewhere else by now, though the old one may serve on.
    async fn watch(self: Arc<Self>, tasks: Tasks) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_PACE) => {}
                () = tasks.stopping() => return,
            }
            if self.place.has_moved().await {
                tracing::info!(service = %self.place, "the primary has moved");
                self.renew();
            }
        }
    }

    /// One pass of the publishing task after another, until the process stops.
    async fn publish(self: Arc<Self>, tasks: Tasks) {
        let mut backoff = Backoff::new();
        let mut is_told = false;
        loop {
            let mut wishes = self.wishes.subscribe();
            match self.place.connect(&self.node.connector).await {
                Ok(mut connection) => {
                    let since = Instant::now();
                    is_told = false;
                    self.outbound.connected();
                    let served = tokio::select! {
                        served = self.publish_to(&mut connection, &tasks) => served,
                        _ = wishes.changed() => Ok(()),
                    };
                    self.outbound.disconnected();
                    if since.elapsed() > STEADY {
                        backoff = Backoff::new();
                    }
                    if let Err(error) = served {
                        tracing::warn!(server = %self.place, %error, "the connection to publish on is lost");
                        self.node.doubt.notify_one();
                    }
                }
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::warn!(server = %self.place, %error, "Redis cannot be reached; trying on");
                }
                Err(_) => {}
            }
            if tasks.is_stopping() || self.is_over() {
                return;
            }
            pause(&mut backoff, &tasks).await;
        }
    }

    /// Publishes what waits, one pipeline at a time: while one is on its way the next fills up, so that the flush adapts
    /// by itself to the pace of the server.
    async fn publish_to(
        &self,
        connection: &mut MultiplexedConnection,
        tasks: &Tasks,
    ) -> Result<(), RedisError> {
        loop {
            tokio::select! {
                biased;
                () = self.outbound.more() => {}
                () = tasks.stopping() => return self.publish_batch(connection).await,
                () = tokio::time::sleep(PING_PACE) => link::ping(connection).await?,
            }
            self.publish_batch(connection).await?;
        }
    }

    async fn publish_batch(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let command = self.node.dialect.publish();
        let batch = self.outbound.take();
        let mut pipeline = redis::pipe();
        if batch.has_lost
            && let Some(lane) = self.lanes.lock().first()
        {
            let mut frame = Frame::new(self.node.sender);
            frame.loss();
            pipeline.cmd(command).arg(self.node.names.name(*lane)).arg(frame.finish()).ignore();
        }
        for (lane, message) in &batch.messages {
            pipeline.cmd(command).arg(self.node.names.name(*lane)).arg(message).ignore();
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        metrics::BROKER_SENT.add(batch.messages.len() as u64);
        let outcome = pipeline.exec_async(connection).await;
        if outcome.is_err() {
            self.outbound.lost();
        }
        outcome
    }

    /// One pass of the listening task after another, until the process stops.
    async fn listen(self: Arc<Self>, tasks: Tasks) {
        let mut backoff = Backoff::new();
        loop {
            let mut wishes = self.wishes.subscribe();
            let lanes = self.lanes();
            let since = Instant::now();
            let listened = tokio::select! {
                listened = self.listen_once(&lanes) => listened,
                _ = wishes.changed() => Ok(()),
                () = tasks.stopping() => return,
            };
            self.node.interest.lose(&lanes);
            self.is_listening.send_replace(false);
            // What a return began must end, though the server refused what it was told, or nobody waited for it.
            if self.link.lost() {
                if let Err(error) = listened {
                    tracing::warn!(server = %self.place, %error, "the connection to listen on is lost");
                }
                self.node.doubt.notify_one();
            }
            if since.elapsed() > STEADY {
                backoff = Backoff::new();
            }
            if self.is_over() {
                self.link.over();
                return;
            }
            pause(&mut backoff, &tasks).await;
        }
    }

    /// Listens until the connection breaks.
    async fn listen_once(&self, lanes: &[Lane]) -> Result<(), RedisError> {
        let lost = self.inflow.lost();
        let hear = self.inflow.ear();
        let mut connection = self.place.listen(&self.node.connector, hear).await?;
        let mut wishes = self.node.interest.watch();
        self.node.interest.reach(lanes);
        self.link.returning();
        self.tell(&mut connection, lanes).await?;
        self.is_listening.send_replace(true);
        self.link.returned();
        tracing::info!(server = %self.place, "listening to Redis");
        let mut ping = tokio::time::interval_at(Instant::now() + PING_PACE, PING_PACE);
        loop {
            tokio::select! {
                () = lost.notified() => return Err(RedisError::from(io::Error::from(
                    io::ErrorKind::ConnectionReset,
                ))),
                _ = wishes.changed() => self.tell(&mut connection, lanes).await?,
                _ = ping.tick() => self.patiently(link::ping(&mut connection)).await?,
            }
        }
    }

    /// Tells the server which lanes are wanted, until nothing has changed meanwhile.
    async fn tell(&self, connection: &mut MultiplexedConnection, lanes: &[Lane]) -> Result<(), RedisError> {
        loop {
            let Changes { join, part } = self.node.interest.changes(lanes);
            if join.is_empty() && part.is_empty() {
                return Ok(());
            }
            let mut pipeline = redis::pipe();
            // One lane a command: then every command has one answer.
            self.inflow.expect_parting(part.len());
            let dialect = self.node.dialect;
            for (command, lanes) in [(dialect.unsubscribe(), &part), (dialect.subscribe(), &join)] {
                for lane in lanes {
                    pipeline.cmd(command).arg(self.node.names.name(*lane)).ignore();
                }
            }
            self.patiently(pipeline.exec_async(connection)).await?;
            self.node.interest.confirm(&join);
        }
    }

    /// Waits for an answer as long as anything at all comes: a connection that is busy is not dead.
    async fn patiently(
        &self,
        answer: impl Future<Output = Result<(), RedisError>>,
    ) -> Result<(), RedisError> {
        tokio::pin!(answer);
        loop {
            let came = self.inflow.came();
            match timeout(ANSWER_TIME, &mut answer).await {
                Ok(answered) => return answered,
                Err(elapsed) if self.inflow.came() == came => return Err(io::Error::from(elapsed).into()),
                Err(_) => {}
            }
        }
    }

    fn is_over(&self) -> bool {
        self.wishes.borrow().is_over
    }
}

async fn deliver(mut inbound: Inbound, tasks: Tasks) {
    tokio::select! {
        () = inbound.run() => {}
        () = tasks.stopping() => {}
    }
}

async fn pause(backoff: &mut Backoff, tasks: &Tasks) {
    tokio::select! {
        () = tokio::time::sleep(backoff.pause()) => {}
        () = tasks.stopping() => {}
    }
}
