//! What is stored of a live, and what its owner sees of it while it runs.
//!
//! Pure: gathers what audience, chat and upload know.

use super::{
    audience::{Audience, one_decimal},
    chat::{Bursts, ChatPace},
};
use communiconnect_protocol::{
    FiguresViewers, LiveReport, ReportChat, ReportUpload, ReportViewers, UploadLevel,
};

/// What is remembered of an upload over a whole live.
#[derive(Clone, Debug, Default)]
pub struct UploadTotals {
    seconds: u64,
    bits: u64,
    loss: f64,
    worst: Option<Worst>,
}

#[derive(Clone, Debug)]
struct Worst {
    level: UploadLevel,
    loss: f64,
    text: String,
}

/// One second of an upload.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadSecond {
    /// Bits that came.
    pub bits: u64,
    /// Packets that were lost, in per cent.
    pub loss: f64,
    /// How good that was.
    pub level: UploadLevel,
    /// The same in one sentence.
    pub text: String,
}

impl UploadTotals {
    /// One more second. The sentence of the worst one is kept: the lowest level, then the highest loss.
    pub fn add(&mut self, second: UploadSecond) {
        self.seconds += 1;
        self.bits += second.bits;
        self.loss += second.loss;
        if second.level == UploadLevel::Good {
            return;
        }
        let is_worse =
            self.worst.as_ref().is_none_or(|worst| (second.level, second.loss) > (worst.level, worst.loss));
        if is_worse {
            self.worst = Some(Worst { level: second.level, loss: second.loss, text: second.text });
        }
    }

    fn report(&self) -> ReportUpload {
        let loss = if self.seconds == 0 { 0.0 } else { self.loss / self.seconds as f64 };
        ReportUpload {
            bitrate: self.bits.checked_div(self.seconds).unwrap_or(0),
            loss: one_decimal(loss),
            worst: self.worst.as_ref().map(|worst| worst.text.clone()),
        }
    }
}

/// The parts that a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Who watched.
    pub audience: &'a Audience,
    /// Who wrote.
    pub chat: &'a ChatPace,
    /// Who reacted.
    pub bursts: &'a Bursts,
    /// What the publisher sent.
    pub upload: &'a UploadTotals,
    /// How often the broadcaster was lost.
    pub interruptions: u64,
    /// For how long it could be watched, in milliseconds.
    pub duration_ms: u64,
}

/// What there is to say of a live, so far or in the end.
pub fn report(parts: Parts<'_>) -> LiveReport {
    let Parts { audience, chat, bursts, upload, interruptions, duration_ms } = parts;
    let FiguresViewers { peak, average, unique, .. } = viewers(audience);
    let (joins, leaves) = audience.moves();
    let (messages, people) = chat.totals();
    let phases = audience.join_phases();
    LiveReport {
        duration_ms,
        viewers: ReportViewers { peak, average, unique },
        joins,
        leaves,
        watch_ms: audience.watch_times(),
        join_ms: phases.total,
        join_phases: Some(phases),
        chat: ReportChat { messages, people },
        reactions: bursts.totals().clone(),
        retention: audience.retention().to_vec(),
        interruptions,
        upload: upload.report(),
    }
}

/// People who watch, in figures.
pub fn viewers(audience: &Audience) -> FiguresViewers {
    let now = audience.viewers();
    FiguresViewers {
        current: now.current,
        peak: now.peak,
        average: audience.average(),
        unique: audience.unique(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{
        audience::{AudienceLimits, Person, Tie},
        chat::ChatRates,
    };
    use communiconnect_protocol::{ReactionKind, SessionId, UserId};
    use std::time::{Duration, Instant};

    fn second(level: UploadLevel, loss: f64, text: &str) -> UploadSecond {
        UploadSecond { bits: 1_000, loss, level, text: text.into() }
    }

    #[test]
    fn the_worst_sentence_is_kept_and_loss_is_the_mean() {
        let mut totals = UploadTotals::default();
        assert_eq!(totals.report(), ReportUpload::default());
        totals.add(second(UploadLevel::Good, 0.0, "fine"));
        assert_eq!(totals.report().worst, None, "what is good is no complaint");
        totals.add(second(UploadLevel::Fair, 3.0, "fair"));
        totals.add(second(UploadLevel::Bad, 6.0, "bad"));
        totals.add(second(UploadLevel::Bad, 9.0, "worse"));
        totals.add(second(UploadLevel::Fair, 4.9, "fair again"));
        let report = totals.report();
        assert_eq!((report.bitrate, report.loss), (1_000, 4.6));
        assert_eq!(report.worst.as_deref(), Some("worse"));
    }

    #[test]
    fn a_report_says_what_happened() {
        let now = Instant::now();
        let person = |number: u8| UserId::from_bytes([number; 16]);
        let mut audience = Audience::new(person(0), AudienceLimits::default());
        let (mut chat, mut bursts) = (ChatPace::new(ChatRates::default()), Bursts::new(ChatRates::default()));
        for number in 1..=2 {
            let tie = Tie::Session(SessionId::from_bytes([number; 16]));
            audience.join(Person::User(person(number)), tie, now).expect("room");
        }
        audience.begin(now);
        audience.leave(Tie::Session(SessionId::from_bytes([1; 16])), now + Duration::from_secs(10));
        audience.advance(now + Duration::from_secs(20));
        chat.written(person(1));
        chat.written(person(1));
        bursts.tap(person(2), ReactionKind::Wow, now).expect("the first");
        let upload = UploadTotals::default();
        let parts = Parts {
            audience: &audience,
            chat: &chat,
            bursts: &bursts,
            upload: &upload,
            interruptions: 1,
            duration_ms: 20_000,
        };
        let report = report(parts);
        assert_eq!(report.viewers, ReportViewers { peak: 2, average: 1.5, unique: 2 });
        assert_eq!((report.joins, report.leaves, report.interruptions), (2, 1, 1));
        assert_eq!(report.chat, ReportChat { messages: 2, people: 1 });
        assert_eq!(report.reactions, [(ReactionKind::Wow, 1)].into());
        assert_eq!(report.retention, [(0, 2), (10_000, 2), (20_000, 1)]);
    }
}
