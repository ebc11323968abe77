//! Passwords: argon2id on a few threads of its own, so that no async thread ever stands still for one.

use super::error::{AccountError, SetupError};
use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString, rand_core::OsRng},
};
use std::thread;
use tokio::sync::oneshot;

/// A hash that no password has, of the same cost as every other: unknown names take as long as wrong passwords.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Job = Box<dyn FnOnce(&Argon2<'_>) + Send>;

/// Threads that hash, and the bounded queue before them. They end when the pool is dropped.
pub(super) struct HashPool {
    jobs: crossbeam_channel::Sender<Job>,
}

impl HashPool {
    pub(super) fn start(threads: usize, queue: usize) -> Result<Self, SetupError> {
        let (jobs, waiting) = crossbeam_channel::bounded::<Job>(queue.max(1));
        for number in 0..threads.max(1) {
            let waiting = waiting.clone();
            let run = move || {
                // 19 MiB, two passes, one lane: what OWASP's password storage cheat sheet asks of argon2id.
                let argon = Argon2::default();
                for job in waiting {
                    job(&argon);
                }
            };
            thread::Builder::new()
                .name(format!("auth-hash-{number}"))
                .spawn(run)
                .map_err(SetupError::Thread)?;
        }
        Ok(Self { jobs })
    }

    /// The PHC string of a password with a fresh salt.
    pub(super) async fn hash(&self, password: String) -> Result<String, AccountError> {
        self.run(move |argon| {
            let salt = SaltString::generate(&mut OsRng);
            argon.hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string()).ok()
        })
        .await?
        .ok_or(AccountError::Busy)
    }

    /// Whether a password is that of the hash; no hash takes as long as a wrong password.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, AccountError> {
        self.run(move |argon| {
            let text = hash.as_deref().unwrap_or(NOBODYS_HASH);
            let Ok(parsed) = PasswordHash::new(text) else {
                tracing::error!("a stored password hash does not read");
                return false;
            };
            argon.verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, AccountError>
    where
        T: Send + 'static,
        F: FnOnce(&Argon2<'_>) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |argon| {
            // Whoever has gone away must not hold up those who wait.
            if !answer.is_closed() {
                let _ = answer.send(work(argon));
            }
        });
        self.jobs.try_send(job).map_err(|_| AccountError::Busy)?;
        answered.await.map_err(|_| AccountError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let pool = HashPool::start(1, 4).unwrap();
        let hash = pool.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(pool.verify("correct horse".into(), Some(hash.clone())).await, Ok(true));
        assert_eq!(pool.verify("correct house".into(), Some(hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn nobodys_hash_costs_as_much_and_is_nobodys() {
        let hash = PasswordHash::new(NOBODYS_HASH).unwrap();
        let cost = argon2::Params::try_from(&hash).unwrap();
        let usual = argon2::Params::default();
        assert_eq!(
            (cost.m_cost(), cost.t_cost(), cost.p_cost()),
            (usual.m_cost(), usual.t_cost(), usual.p_cost())
        );
        assert_eq!(hash.hash.unwrap().len(), 32);
        let pool = HashPool::start(1, 4).unwrap();
        assert_eq!(pool.verify(String::new(), None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_instead_of_waiting() {
        let pool = HashPool::start(1, 1).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let hold = pool.run(move |_| {
            let _ = started.send(());
            let _ = held.recv();
        });
        let mut hold = Box::pin(hold);
        assert!(futures_util::poll!(&mut hold).is_pending());
        running.await.unwrap();
        let mut waiting = Box::pin(pool.run(|_| 7));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(pool.run(|_| 8).await, Err(AccountError::Busy));
        release.send(()).unwrap();
        assert_eq!(waiting.await, Ok(7));
        hold.await.unwrap();
    }
}
