//! Reads of the log that many ask for at once, such as everybody who comes back after a restart: one of them reads for all.
//!
//! A reader must see what was published before it asked, so nobody joins a read that has begun: whoever asks meanwhile waits
//! for the next, which the first of them does for the others.

use crate::store::log::{LogPage, PageSize, Range};
use communiconnect_protocol::{Channel, ErrorBody};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::oneshot;

/// The same answer for everybody who asked for the same.
pub(super) type Read = Result<Arc<LogPage>, ErrorBody>;

/// Reads on their way, by what is asked for; an entry lives as long as somebody reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads(Arc<Mutex<HashMap<Question, Vec<oneshot::Sender<News>>>>>);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) channel: Channel,
    pub(super) range: Range,
    pub(super) size: PageSize,
}

/// What somebody who waits is told.
#[derive(Debug)]
enum News {
    /// This was read.
    Read(Read),
    /// It is your turn to read, for others as well.
    YourTurn(Turn),
}

impl Reads {
    /// The answer to a question, by `read` or by somebody else's that began after this call.
    pub(super) async fn ask<F>(&self, question: Question, read: impl FnOnce() -> F) -> Read
    where
        F: Future<Output = Read>,
    {
        let waiting = {
            let mut reads = self.0.lock();
            match reads.get_mut(&question) {
                Some(next) => {
                    let (sender, waiting) = oneshot::channel();
                    next.push(sender);
                    Some(waiting)
                }
                None => {
                    reads.insert(question.clone(), Vec::new());
                    None
                }
            }
        };
        let mut turn = match waiting {
            None => Turn { reads: self.clone(), question, others: Vec::new(), is_over: false },
            Some(waiting) => match waiting.await {
                Ok(News::Read(answer)) => return answer,
                Ok(News::YourTurn(turn)) => turn,
                // A turn is never dropped without passing on; if it were, nobody should wait for it.
                Err(_) => return read().await,
            },
        };
        let answer = read().await;
        for other in std::mem::take(&mut turn.others) {
            let _ = other.send(News::Read(answer.clone()));
        }
        answer
    }
}

/// Somebody's turn to read. Dropped before it is done, one of those that wait takes it over; dropped when it is done, one of
/// those that asked meanwhile begins.
#[derive(Debug)]
struct Turn {
    reads: Reads,
    question: Question,
    /// For whom it reads as well.
    others: Vec<oneshot::Sender<News>>,
    /// It was passed on already.
    is_over: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = std::mem::take(&mut self.others);
        while !self.is_over {
            {
                let mut reads = self.reads.0.lock();
                waiting.append(reads.entry(self.question.clone()).or_default());
                if waiting.is_empty() {
                    reads.remove(&self.question);
                    self.is_over = true;
                }
            }
            self.pass_on(&mut waiting);
        }
    }
}

impl Turn {
    /// Gives the turn to the first that still waits.
    fn pass_on(&mut self, waiting: &mut Vec<oneshot::Sender<News>>) {
        while let Some(next) = waiting.pop() {
            let turn = Self {
                reads: self.reads.clone(),
                question: self.question.clone(),
                others: std::mem::take(waiting),
                is_over: false,
            };
            match next.send(News::YourTurn(turn)) {
                Ok(()) => {
                    self.is_over = true;
                    return;
                }
                Err(News::YourTurn(mut turn)) => {
                    *waiting = std::mem::take(&mut turn.others);
                    turn.is_over = true;
                }
                Err(News::Read(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::join_all};
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Semaphore;

    fn question(after: u64) -> Question {
        let channel = "test:a".parse().expect("a channel");
        Question { channel, range: Range::After(after), size: PageSize { items: 1, bytes: 1 } }
    }

    /// A log whose reads are counted and end when they are let.
    struct SlowLog {
        begun: AtomicU64,
        permits: Semaphore,
    }

    impl SlowLog {
        fn new(permits: usize) -> Self {
            Self { begun: AtomicU64::new(0), permits: Semaphore::new(permits) }
        }

        /// The head is the number of the read.
        async fn read(&self) -> Read {
            let head = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            self.permits.acquire().await.expect("open").forget();
            Ok(Arc::new(LogPage { epoch: "e".into(), head, first: 1, publications: Vec::new(), more: false }))
        }

        fn begun(&self) -> u64 {
            self.begun.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn many_who_ask_the_same_share_a_read_that_began_after_they_asked() {
        let (reads, log) = (Reads::default(), SlowLog::new(0));
        let mut first = Box::pin(reads.ask(question(1), || log.read()));
        assert!(first.as_mut().now_or_never().is_none());
        let mut others = Box::pin(join_all((0..100).map(|_| reads.ask(question(1), || log.read()))));
        assert!(others.as_mut().now_or_never().is_none());
        assert_eq!(log.begun(), 1, "nobody joins or doubles the one that has begun");
        log.permits.add_permits(2);
        assert_eq!(first.await.expect("read").head, 1);
        let heads: Vec<u64> = others.await.into_iter().map(|read| read.expect("read").head).collect();
        assert_eq!((heads, log.begun()), (vec![2; 100], 2));
        assert!(reads.0.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_the_turn_to_the_next() {
        let (reads, log) = (Reads::default(), SlowLog::new(0));
        let ask = || Box::pin(reads.ask(question(1), || log.read()));
        let (mut first, mut second, mut third) = (ask(), ask(), ask());
        for asked in [&mut first, &mut second, &mut third] {
            assert!(asked.as_mut().now_or_never().is_none());
        }
        drop(second);
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(log.begun(), 2, "the third reads now");
        log.permits.add_permits(1);
        assert_eq!(third.await.expect("read").head, 2);
        assert!(reads.0.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn other_questions_do_not_wait() {
        let (reads, log) = (Reads::default(), SlowLog::new(2));
        let answers = [1, 2].map(|after| reads.ask(question(after), || log.read()));
        join_all(answers).await;
        assert_eq!(log.begun(), 2);
    }
}
