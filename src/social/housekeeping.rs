//! What has to happen now and then, whoever asks: notifications that waited for their second, logs that grew old, and what
//! is left of deleted things.

use crate::{clock::now_ms, store::Stores, tasks::Tasks};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// A person hears of the likes of one post at most this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// A busy channel passes its count in minutes; a look that finds nothing to drop writes nothing.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// Calls of a bounded amount each, so that trimming never keeps the store's writer from people for long.
const TRIM_ROUNDS: usize = 100;

/// What is left of a deleted post is gone for readers already; its rows go soon.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Starts the three tasks; they end when the process begins to stop.
pub fn keep_house(stores: &Stores, tasks: &Tasks) {
    let notifications = stores.notifications.clone();
    let stop = tasks.clone();
    tasks.spawn(async move {
        let mut ticks = interval(FLUSH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = notifications.flush(now_ms()).await {
                tracing::warn!(%error, "notifications that waited could not be published; they wait on");
            }
        }
    });

    let posts = stores.posts.clone();
    let stop = tasks.clone();
    tasks.spawn(async move {
        let mut ticks = interval(SWEEP_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                _ = ticks.tick() => {}
            }
            // One piece after the other: what others write goes in between.
            while !stop.is_stopping() {
                match posts.sweep().await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "what is left of deleted things could not be swept; it is next time");
                        break;
                    }
                }
            }
        }
    });

    let log = stores.log.clone();
    let stop = tasks.clone();
    tasks.spawn(async move {
        let mut ticks = interval(TRIM_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                _ = ticks.tick() => {}
            }
            for _ in 0..TRIM_ROUNDS {
                match log.trim(now_ms()).await {
                    Ok(0) => break,
                    Ok(dropped) => tracing::debug!(dropped, "old publications dropped from the logs"),
                    Err(error) => {
                        tracing::warn!(%error, "the logs could not be trimmed; they are next time");
                        break;
                    }
                }
                if stop.is_stopping() {
                    return;
                }
            }
        }
    });
}
