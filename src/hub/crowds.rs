//! Who is in channels on other nodes, as these answered a moment ago.
//!
//! A question makes every other node answer, and of a large crowd with hundreds of kilobytes: whoever asks meanwhile, or a
//! moment later, has the same answer. Asks nobody by itself, and keeps no failure.

use super::presence::Present;
use communiconnect_protocol::{Channel, ErrorBody, UserId};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::Instant};

/// How long an answer is good, from when it was asked for: as long as a large crowd of this node is.
const KEPT: Duration = Duration::from_millis(250);
/// Answers of each sort that are kept; beyond them everybody asks for themselves.
const ANSWERS: usize = 256;

/// What every other node answered.
pub(super) type Told = Arc<[Present]>;

/// Answers by what was asked. Whole crowds and mere pages are kept apart, so that cursors which somebody makes up do not take
/// the room of the crowds.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    /// With everybody's id, and the first page.
    pub(super) whole: Answers<Channel>,
    /// A page behind somebody, without ids.
    pub(super) pages: Answers<(Channel, UserId)>,
}

/// Answers of one sort.
#[derive(Debug)]
pub(super) struct Answers<Q>(Mutex<HashMap<Q, Answer>>);

#[derive(Debug)]
struct Answer {
    asked_at: Instant,
    told: Arc<OnceCell<Told>>,
}

impl<Q> Default for Answers<Q> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Q: Eq + std::hash::Hash> Answers<Q> {
    /// The answer to a question, by `ask` or by somebody else who asked the same a moment ago.
    ///
    /// # Errors
    /// Those of `ask`; whoever waited for the same asks again.
    pub(super) async fn get<F>(&self, question: Q, ask: impl FnOnce() -> F) -> Result<Told, ErrorBody>
    where
        F: Future<Output = Result<Vec<Present>, ErrorBody>>,
    {
        let told = self.place(question);
        told.get_or_try_init(|| async { ask().await.map(Told::from) }).await.cloned()
    }

    fn place(&self, question: Q) -> Arc<OnceCell<Told>> {
        let mut answers = self.0.lock();
        if let Some(answer) = answers.get(&question).filter(|answer| answer.is_good()) {
            return Arc::clone(&answer.told);
        }
        answers.retain(|_, answer| answer.is_good());
        let told = Arc::default();
        if answers.len() < ANSWERS {
            answers.insert(question, Answer { asked_at: Instant::now(), told: Arc::clone(&told) });
        }
        told
    }
}

impl Answer {
    fn is_good(&self) -> bool {
        self.asked_at.elapsed() < KEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use communiconnect_protocol::Code;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_within_a_moment_make_one_question() {
        let (answers, asked) = (Answers::default(), AtomicU64::new(0));
        let ask = async || {
            let answer = answers.get(7, || async {
                asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(Vec::new())
            });
            answer.await.expect("told").len()
        };
        tokio::join!(ask(), ask(), ask());
        ask().await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(KEPT).await;
        ask().await;
        assert_eq!(asked.load(Ordering::SeqCst), 2, "it is good for a moment alone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_kept_and_neither_is_too_much() {
        let answers = Answers::default();
        let failure = || async { Err(ErrorBody::new(Code::Unavailable, "away")) };
        answers.get(0, failure).await.expect_err("away");
        for question in 0..2 * ANSWERS {
            answers.get(question, || async { Ok(Vec::new()) }).await.expect("told");
        }
        assert_eq!(answers.0.lock().len(), ANSWERS);
    }
}
