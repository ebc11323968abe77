//! How much the sockets were given: two counters that every driver adds to, once a write.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    frames: AtomicU64,
    writes: AtomicU64,
}

impl Traffic {
    /// So many frames went into one write.
    pub fn count(&self, frames: usize) {
        self.frames.fetch_add(frames as u64, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames handed to sockets.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Writes that carried them; fewer than frames where many went at once.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}
