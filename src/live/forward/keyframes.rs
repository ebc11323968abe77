//! Asking a publisher for key frames: as many wishes as there are viewers, as few requests as serve them all.
//!
//! A key frame costs as much as many other pictures, so requests are rationed by their number and by the bytes they bring.
//! Notices as well whether the publisher answers at all.

use std::time::{Duration, Instant};

use super::source::AnswersKeyFrames;

/// Key-frame requests for one encoding.
#[derive(Debug)]
pub struct KeyFrameRequests {
    wanted: bool,
    not_before: Instant,
    /// The last two requests, older first.
    sent: [Option<Instant>; 2],
    /// The first request that no key frame has followed.
    asked: Option<Instant>,
    answers: AnswersKeyFrames,
    /// Questions in a row with and without an answer.
    row: Row,
    /// Bytes that key frames on request may still cost.
    credit: i64,
    /// Bytes of a key frame, as the last one was.
    cost: i64,
    /// The key frame that is coming was asked for.
    is_charged: bool,
    current: i64,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Answered(u32),
    Unanswered(u32),
}

impl KeyFrameRequests {
    /// For an encoding whose first packet just came.
    pub fn new(now: Instant) -> Self {
        Self {
            wanted: false,
            not_before: now,
            sent: [None; 2],
            asked: None,
            answers: AnswersKeyFrames::Unknown,
            row: Row::Answered(0),
            credit: 0,
            cost: 0,
            is_charged: false,
            current: 0,
            count: 0,
        }
    }

    /// Somebody wishes for a key frame.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// Somebody will wish for a key frame unless one comes by then.
    pub fn want_from(&mut self, from: Instant) {
        if !self.wanted {
            self.wanted = true;
            self.not_before = from;
        }
    }

    /// Whether a wish is unanswered.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Payload bytes came: a share of them may be spent on key frames.
    pub fn on_bytes(&mut self, bytes: usize) {
        self.credit = (self.credit + (bytes / SHARE) as i64).min(self.cost * MOST_SAVED);
    }

    /// A key frame begins: it serves every wish, asked for or not.
    pub fn on_key_frame(&mut self, now: Instant) {
        self.wanted = false;
        self.not_before = now;
        self.current = 0;
        let asked = self.asked.take().and(self.sent[1]);
        self.is_charged = asked.is_some_and(|asked| now.saturating_duration_since(asked) <= ANSWER);
        if self.is_charged {
            self.judge(Row::Answered(1));
        }
    }

    /// Bytes of the key frame that is coming.
    pub fn on_key_frame_bytes(&mut self, bytes: usize) {
        self.current += bytes as i64;
        self.cost = self.cost.max(self.current);
        if self.is_charged {
            self.credit -= bytes as i64;
        }
    }

    /// When a request may be due; nothing while none is wanted. What is held back for want of bytes is due with bytes, so this
    /// looks again in a while.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let due = self.due()?;
        Some(if due <= now && !self.is_affordable() { now + LOOK_AGAIN } else { due })
    }

    /// Whether a request is to be sent now.
    pub fn poll(&mut self, now: Instant) -> bool {
        if let Some(asked) = self.asked
            && now.saturating_duration_since(asked) > NO_ANSWER
        {
            self.asked = None;
            self.judge(Row::Unanswered(1));
        }
        if self.due().is_none_or(|due| due > now) || !self.is_affordable() {
            return false;
        }
        self.asked.get_or_insert(now);
        self.sent = [self.sent[1], Some(now)];
        self.count += 1;
        true
    }

    fn due(&self) -> Option<Instant> {
        if !self.wanted {
            return None;
        }
        let spacing = if self.answers == AnswersKeyFrames::No { DEAF_INTERVAL } else { INTERVAL };
        let after = |sent: Option<Instant>, wait: Duration| sent.map_or(self.not_before, |sent| sent + wait);
        Some(self.not_before.max(after(self.sent[1], spacing)).max(after(self.sent[0], WINDOW)))
    }

    /// The first request is free, and one that was not answered has cost nothing yet.
    fn is_affordable(&self) -> bool {
        self.count == 0 || self.asked.is_some() || self.credit >= self.cost
    }

    fn judge(&mut self, latest: Row) {
        self.row = match (self.row, latest) {
            (Row::Answered(before), Row::Answered(more)) => Row::Answered(before.saturating_add(more)),
            (Row::Unanswered(before), Row::Unanswered(more)) => Row::Unanswered(before.saturating_add(more)),
            (_, latest) => latest,
        };
        self.answers = match (self.row, self.answers) {
            (Row::Answered(1), AnswersKeyFrames::Unknown) | (Row::Answered(3..), _) => AnswersKeyFrames::Yes,
            (Row::Unanswered(2..), _) => AnswersKeyFrames::No,
            (_, known) => known,
        };
    }

    /// Whether the publisher sends key frames when asked.
    pub fn answers(&self) -> AnswersKeyFrames {
        self.answers
    }

    /// Requests sent.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// At most two requests within this.
const WINDOW: Duration = Duration::from_secs(1);
/// A request or its answer may be lost, so it is repeated.
const INTERVAL: Duration = Duration::from_millis(500);
/// Who never answers is asked seldom.
const DEAF_INTERVAL: Duration = Duration::from_secs(3);
/// A key frame within this after a request counts as the answer. One of a regular interval may be taken for it, but hardly three
/// times in a row.
const ANSWER: Duration = Duration::from_millis(700);
/// Without a key frame within this after the first request there was no answer: time for a repeat to be answered as well.
const NO_ANSWER: Duration = Duration::from_millis(1_200);
/// A fifth of what comes may go into key frames on request.
const SHARE: usize = 5;
/// Key frames that may be saved up for.
const MOST_SAVED: i64 = 2;
/// Credit grows with what comes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_FRAME: usize = 60_000;
    const PICTURE: usize = 3_000;

    /// A camera of 30 pictures a second; what each of `pictures` did: asked, and whether a key frame came.
    fn run(
        requests: &mut KeyFrameRequests,
        pictures: u64,
        answers: impl Fn(u64, bool) -> bool,
    ) -> Vec<(Duration, bool, bool)> {
        let start = Instant::now();
        let mut asked_before = false;
        (0..pictures)
            .map(|picture| {
                let now = start + Duration::from_millis(picture * 33);
                let is_key = answers(picture, asked_before);
                if is_key {
                    requests.on_key_frame(now);
                    requests.on_key_frame_bytes(KEY_FRAME);
                }
                requests.on_bytes(if is_key { KEY_FRAME } else { PICTURE });
                requests.want();
                asked_before = requests.poll(now);
                (now - start, asked_before, is_key)
            })
            .collect()
    }

    #[test]
    fn a_crowd_that_always_wishes_gets_a_fifth_of_the_bitrate_in_key_frames() {
        let mut requests = KeyFrameRequests::new(Instant::now());
        let run = run(&mut requests, 1_800, |picture, asked| picture == 0 || asked);
        let on_request = run[1..].iter().filter(|(_, _, is_key)| *is_key).count();
        let all = run.iter().map(|(_, _, is_key)| if *is_key { KEY_FRAME } else { PICTURE }).sum::<usize>();
        assert!(on_request > 10, "they do come: {on_request}");
        assert!((on_request - 1) * KEY_FRAME <= all / 5, "{on_request} of {all} bytes, the first being free");
        assert_eq!(requests.answers(), AnswersKeyFrames::Yes);
    }

    #[test]
    fn at_most_two_requests_leave_in_any_second() {
        let mut requests = KeyFrameRequests::new(Instant::now());
        // Key frames as small as any picture: bytes do not limit.
        let start = Instant::now();
        let mut sent = Vec::new();
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            requests.want();
            if requests.poll(now) {
                sent.push(now);
                requests.on_key_frame(now + Duration::from_millis(1));
            }
        }
        assert!(sent.len() >= 18, "{}", sent.len());
        assert!(sent.windows(3).all(|three| three[2] - three[0] >= WINDOW));
    }

    #[test]
    fn a_request_that_was_lost_is_repeated_but_one_on_its_way_is_not() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(start);
        requests.want();
        assert!(requests.poll(start));
        requests.want();
        assert!(!requests.poll(start + Duration::from_millis(400)));
        assert_eq!(requests.poll_timeout(start), Some(start + INTERVAL));
        assert!(requests.poll(start + INTERVAL));
        requests.on_key_frame(start + Duration::from_millis(600));
        assert_eq!(requests.poll_timeout(start), None, "it serves all wishes");
    }

    #[test]
    fn a_publisher_that_never_answers_is_found_out_and_asked_seldom() {
        let mut requests = KeyFrameRequests::new(Instant::now());
        // A key frame each ten seconds, whatever is asked.
        let run = run(&mut requests, 1_800, |picture, _| picture % 300 == 0);
        assert_eq!(requests.answers(), AnswersKeyFrames::No);
        let late = run.iter().filter(|(at, asked, _)| *asked && *at > Duration::from_secs(30)).count();
        assert!(late <= 11, "{late} requests in the second half minute");
    }

    #[test]
    fn a_wish_from_later_on_is_dropped_if_a_key_frame_comes_first() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new(start);
        requests.want_from(start + Duration::from_millis(100));
        assert!(!requests.poll(start + Duration::from_millis(99)));
        requests.on_key_frame(start + Duration::from_millis(99));
        assert!(!requests.poll(start + Duration::from_secs(1)));
    }
}
