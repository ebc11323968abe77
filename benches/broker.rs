//! Publications from one node to another through one Redis: how many a second, and what one costs at an easy pace.
//! `cargo bench --bench broker`. Goals: 150,000 a second at least; at 5,000 a second less than a tenth of a core.
//!
//! Both nodes run in this process, so that the CPU time is that of sending and receiving together; Redis is a process of
//! its own, whose time is not counted. The baseline is the broker in memory, in the same run.

#[path = "../tests/harness/leash.rs"]
#[allow(unreachable_pub)]
mod leash;
#[path = "../tests/harness/ports.rs"]
#[allow(unreachable_pub)]
mod ports;
#[path = "../tests/harness/redis.rs"]
#[allow(dead_code, unreachable_pub, missing_docs)]
mod server;
mod support;

use communiconnect::{
    broker::{Broadcast, Deliver, RedisBroker, RedisUrl, SharedBroker, memory::MemoryBroker},
    publication::{Audience, Publication},
    tasks::Tasks,
};
use communiconnect_protocol::{Channel, Data};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use support::{cpu_ns, is_bench};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Channels that are written in turn.
const CHANNELS: u64 = 1_000;
/// Publications of one call, as a group commit under load brings them.
const BATCH: u64 = 100;

/// Counts what arrives.
#[derive(Default)]
struct Counter(AtomicU64);

impl Deliver for Counter {
    fn deliver(&self, batch: Vec<Broadcast>) {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
    }
}

fn publication(number: u64) -> Broadcast {
    Broadcast::Publication(Publication {
        channel: Channel::Test(format!("{}", number % CHANNELS).into()),
        offset: number / CHANNELS + 1,
        event: "comment.created".into(),
        data: Data::of(
            &"a small event of about a hundred bytes, which is what a short comment comes to, ids and all",
        ),
        at: 1_700_000_000_000,
        actor: None,
        audience: Audience::Readers,
    })
}

async fn send(broker: &SharedBroker, from: u64, count: u64) {
    let batch = (from..from + count).map(publication).collect();
    broker.publish(batch).await.expect("taken");
}

/// Sends as fast as the receiver keeps up with, and answers publications a second.
async fn fastest(broker: &SharedBroker, arrived: &Counter, count: u64) -> f64 {
    let before = arrived.0.load(Ordering::Relaxed);
    let begun = Instant::now();
    for from in (0..count).step_by(BATCH as usize) {
        send(broker, from, BATCH).await;
        // A receiver that is far behind would be measured as a loss.
        while from.saturating_sub(arrived.0.load(Ordering::Relaxed) - before) > 50_000 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        tokio::task::yield_now().await;
    }
    while arrived.0.load(Ordering::Relaxed) - before < count {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Sends `per_second` for a while, and answers microseconds of CPU for each.
async fn cost(broker: &SharedBroker, per_second: u64, seconds: u64) -> f64 {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let before = cpu_ns();
    let (count, each) = (per_second * seconds, per_second / 100);
    for from in (0..count).step_by(each as usize) {
        tick.tick().await;
        send(broker, from, each).await;
    }
    (cpu_ns() - before) as f64 / 1_000.0 / count as f64
}

fn main() {
    let (count, seconds) = if is_bench() { (2_000_000, 10) } else { (10_000, 1) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let redis = server::Redis::start().await;
        let url = RedisUrl::parse(&redis.url()).expect("a URL");
        let (tasks, arrived) = (Tasks::default(), Arc::<Counter>::default());
        let receiver: SharedBroker = RedisBroker::open(&url, "bench", arrived.clone(), &tasks).await;
        for number in 0..CHANNELS {
            let channel = Channel::Test(format!("{number}").into());
            receiver.subscribe(&channel).await.expect("joins");
        }
        let sender: SharedBroker =
            RedisBroker::open(&url, "bench", Arc::<Counter>::default(), &tasks).await;
        sender.probe().await.expect("Redis delivers");
        let local = Arc::<Counter>::default();
        let memory: SharedBroker = Arc::new(MemoryBroker::new(local.clone()));

        let (by_redis, by_call) =
            (fastest(&sender, &arrived, count).await, fastest(&memory, &local, count).await);
        println!("{by_redis:.0} publications/s through Redis, goal 150,000 at least; {by_call:.0} by a call");
        let (redis_us, call_us) = (cost(&sender, 5_000, seconds).await, cost(&memory, 5_000, seconds).await);
        println!(
            "at 5,000/s {redis_us:.1} us of CPU for each, sending and receiving (goal 20 at most); {call_us:.1} by a call"
        );
        tasks.stop(Duration::from_secs(2)).await;
    });
}
