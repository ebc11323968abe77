//! What every scenario does: readers come, something is published, and in the end everybody must have everything.

use super::Target;
use crate::{
    clock::now_us,
    crowd::{Crowd, Names, Plan, Tally, Wish},
    open_files,
    oracle::Ledger,
    process::Reading,
    publish::{Class, Published, Work, publish},
    watch::{self, Sample, Watch},
};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Readers that come at a time.
const AT_A_TIME: usize = 64;
/// How long they may take to come: 20,000 come in half a minute.
const COMING: Duration = Duration::from_secs(180);
/// How long what is on its way may take once the last was acknowledged.
const DRAINING: Duration = Duration::from_secs(30);
/// Nothing came for so long: nothing is on its way any more.
const QUIET: Duration = Duration::from_millis(300);
/// How often the bar is drawn, and the server looked at.
const TICK: Duration = Duration::from_millis(100);

/// Who is there before it begins.
pub(super) struct Cast {
    pub(super) names: Arc<Names>,
    pub(super) readers: Vec<Wish>,
    pub(super) voices: Vec<String>,
    /// Whether a bare writer serves them.
    pub(super) is_bare: bool,
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Programme {
    pub(super) class: Class,
    pub(super) rate: f64,
    pub(super) duration: Duration,
    pub(super) size: usize,
}

/// A run that goes on.
pub(super) struct Stage {
    pub(super) names: Arc<Names>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) crowd: Arc<Crowd>,
    admin: SocketAddr,
    readers: usize,
    watch: Watch,
    progress: ProgressBar,
    empty: Option<Sample>,
    full: Option<Sample>,
    /// When all had come, and what the load used before anybody came and then.
    began: (u64, Reading, Reading),
}

/// A run that is over.
pub(super) struct Played {
    pub(super) readers: usize,
    pub(super) tally: Tally,
    /// The server before anybody came, when all were there, and at the end.
    pub(super) empty: Option<Sample>,
    pub(super) full: Option<Sample>,
    pub(super) last: Option<Sample>,
    pub(super) samples: Vec<Sample>,
    /// Seconds from the last reader's coming to the end.
    pub(super) seconds: f64,
    /// CPU time of the load meanwhile.
    pub(super) own_cpu: Duration,
    /// Memory that the readers took here.
    pub(super) own_bytes: u64,
}

impl Stage {
    /// Opens the run: everybody of the cast comes and subscribes.
    ///
    /// # Errors
    /// Where too few files may be open, or somebody cannot come.
    pub(super) async fn open(target: &Target, cast: Cast) -> Result<Self> {
        open_files::allow(cast.readers.len())?;
        let Cast { names, readers, voices, is_bare } = cast;
        let ledger = Arc::new(Ledger::new(names.len()));
        let watch = Watch::new(&target.pids);
        let (empty, count) = (watch.look(), readers.len());
        let progress = bar(count as u64, "readers have come");
        let plan = Plan {
            names: Arc::clone(&names),
            ledger: Arc::clone(&ledger),
            readers,
            voices,
            at_a_time: AT_A_TIME,
            is_bare,
        };
        let crowd = Arc::new(Crowd::start(plan)?);
        let mut stage = Self {
            names,
            ledger,
            crowd,
            admin: target.admin()?,
            readers: count,
            watch,
            progress,
            empty,
            full: None,
            began: (0, watch::own(), Reading::default()),
        };
        stage.settle(1).await?;
        stage.full = stage.watch.look();
        stage.began = (now_us(), stage.began.1, watch::own());
        Ok(stage)
    }

    /// Waits until everybody has everything that they came for, and that so many times.
    pub(super) async fn settle(&self, times: usize) -> Result<()> {
        let progress = &self.progress;
        self.crowd.all_settled(times, COMING, |settled| progress.set_position(settled as u64)).await
    }

    /// Goes on with the work while the bar and the samples do.
    pub(super) async fn during<T>(
        &mut self,
        what: &str,
        length: Duration,
        work: impl Future<Output = T>,
    ) -> T {
        self.progress.finish_and_clear();
        self.progress = bar(length.as_secs().max(1), "");
        let (from, pushed) = (now_us(), self.crowd.pushed());
        let mut ticks = tokio::time::interval(TICK);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {
                    self.watch.tick();
                    self.progress.set_position((now_us() - from) / 1_000_000);
                    self.progress.set_message(format!("{what}, {} deliveries", self.crowd.pushed() - pushed));
                }
            }
        }
    }

    /// Publishes to the run's channels, in turn.
    ///
    /// # Errors
    /// Where the operators' listener cannot be reached.
    pub(super) async fn publish(&mut self, programme: Programme) -> Result<Published> {
        let work = self.work(programme);
        self.during("publishing", programme.duration, publish(work)).await
    }

    /// The same as work to be done beside something else.
    pub(super) fn work(&self, programme: Programme) -> Work {
        let Programme { class, rate, duration, size } = programme;
        let (names, ledger) = (Arc::clone(&self.names), Arc::clone(&self.ledger));
        Work { admin: self.admin, names, ledger, class, rate, duration, size }
    }

    /// Waits until nothing comes any more.
    pub(super) async fn quiet(&mut self) {
        let until = now_us() + DRAINING.as_micros() as u64;
        let mut pushed = self.crowd.pushed();
        while now_us() < until {
            tokio::time::sleep(QUIET).await;
            self.watch.tick();
            let now = self.crowd.pushed();
            if now == pushed {
                return;
            }
            pushed = now;
        }
    }

    /// The end: everybody must have everything that anybody was given or had acknowledged, and the states of these versions.
    ///
    /// # Errors
    /// Where the readers' thread failed.
    pub(super) async fn finish(mut self, versions: Vec<u64>) -> Result<Played> {
        self.quiet().await;
        self.progress.finish_and_clear();
        let last = self.watch.look();
        let seconds = (now_us() - self.began.0) as f64 / 1e6;
        let (alone, full) = (self.began.1, self.began.2);
        let own_cpu = watch::own().cpu.saturating_sub(full.cpu);
        let heads = self.ledger.heads();
        let mut tally = self.crowd.finish(heads, versions, DRAINING).await?;
        for (channel, fault) in self.ledger.doubles() {
            if self.names.name(channel as u32).starts_with("test:") {
                tally.findings.fault("the log", self.names.name(channel as u32), fault);
            }
        }
        Ok(Played {
            readers: self.readers,
            tally,
            empty: self.empty,
            full: self.full,
            last,
            samples: self.watch.into_samples(),
            seconds,
            own_cpu,
            own_bytes: full.resident.saturating_sub(alone.resident),
        })
    }
}

/// Channels of a run of its own, so that no earlier one is in their logs.
pub(super) fn test_channels(count: usize) -> Arc<Names> {
    let run: u32 = rand::random();
    Arc::new(Names::new((0..count).map(|number| format!("test:load-{run:08x}-{number}"))))
}

fn bar(length: u64, message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}") {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar
}
