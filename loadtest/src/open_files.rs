//! Open files of this process: each socket is one.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;

/// Files that may yet be opened beside the sockets: those of runtimes and pipes, and what is read of processes.
const BESIDE: u64 = 50;

/// Raises the limit of open files to the hard one.
///
/// # Errors
/// Where that is too little for so many sockets beside what is open by now; says how to get more.
pub fn allow(sockets: usize) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let open = fs::read_dir("/proc/self/fd").context("what is open, of proc(5)")?.count();
    let needed = (open + sockets) as u64 + BESIDE;
    ensure!(
        needed <= hard,
        "{sockets} more sockets need {needed} open files, and this process may have {hard}. Raise the hard limit of the shell, as \
         root: `prlimit --pid $$ --nofile={needed}:{needed}` (for a service: LimitNOFILE=; for a container: --ulimit nofile=)"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_says_what_to_do() {
        allow(10).expect("everybody may open a few files");
        let refused = allow(2_000_000_000).expect_err("more than a kernel has");
        assert!(refused.to_string().contains("prlimit"), "{refused}");
    }
}
