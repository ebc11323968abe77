//! A real Redis as a child process: on a free port with a folder of its own, killed, frozen, started again.
//!
//! Stands on its neighbours, the standard library and tokio alone, since the library's own tests include it by path.

use super::{leash::on_leash, ports::free_port};
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// How long a server may take to answer; it bounds a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis that keeps nothing on disk.
pub struct Redis {
    port: u16,
    arguments: Vec<String>,
    home: TempDir,
    running: Option<(Child, ChildStdin)>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further arguments, such as `["--maxmemory", "10mb"]`.
    pub async fn with(arguments: &[&str]) -> Self {
        loop {
            let port = free_port();
            let number = port.to_string();
            let mut all = vec!["--port", &number, "--bind", "127.0.0.1", "--save", ""];
            all.extend(arguments);
            let mut redis = Self::prepared(folder(), port, &all);
            if redis.serves().await {
                return redis;
            }
            assert!(
                redis.log().contains("Address already in use"),
                "Redis has ended; its log:\n{}",
                redis.log()
            );
        }
    }

    /// Starts a server in a folder, with all its arguments, and waits until it answers on the port.
    pub async fn launch(home: TempDir, port: u16, arguments: &[&str]) -> Self {
        let mut redis = Self::prepared(home, port, arguments);
        redis.restart().await;
        redis
    }

    fn prepared(home: TempDir, port: u16, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { port, arguments, home, running: None }
    }

    /// Starts it on the same port, after [`Redis::kill`].
    pub async fn restart(&mut self) {
        assert!(self.serves().await, "Redis has ended; its log:\n{}", self.log());
    }

    /// Starts it and waits until it answers; false where it has ended instead.
    async fn serves(&mut self) -> bool {
        assert!(self.running.is_none(), "it runs already");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"))
            .expect("a log file");
        let mut child = on_leash("redis-server")
            .args(&self.arguments)
            .current_dir(self.home.path())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("redis-server is installed (`cargo xtask test machine` does it)");
        let leash = child.stdin.take().expect("piped");
        // Whoever answers on the port may be another's.
        let own = format!("process_id:{}\r", child.id());
        let answers = async {
            while child.try_wait().expect("its state").is_none() {
                if self.try_command(&["INFO", "server"]).await.is_some_and(|answer| answer.contains(&own)) {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            false
        };
        let Ok(serves) = tokio::time::timeout(PATIENCE, answers).await else {
            panic!("Redis does not answer; its log:\n{}", self.log());
        };
        if serves {
            self.running = Some((child, leash));
        }
        serves
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let (mut child, leash) = self.running.take().expect("a running Redis");
        // The watcher kills it, which has to end as well.
        drop(leash);
        child.wait().expect("its exit status");
    }

    /// Stops it in its tracks: connections stay open, nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `redis://…`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Runs a command over a connection of its own; answers the first line and, of a bulk string, the text.
    pub async fn command(&self, arguments: &[&str]) -> String {
        let answer = tokio::time::timeout(PATIENCE, self.try_command(arguments)).await;
        answer.ok().flatten().unwrap_or_else(|| panic!("Redis does not answer {arguments:?}"))
    }

    async fn try_command(&self, arguments: &[&str]) -> Option<String> {
        let mut stream = BufReader::new(TcpStream::connect(self.address()).await.ok()?);
        let mut request = format!("*{}\r\n", arguments.len());
        for argument in arguments {
            request.push_str(&format!("${}\r\n{argument}\r\n", argument.len()));
        }
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end();
        match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut text = vec![0; length];
                stream.read_exact(&mut text).await.ok()?;
                String::from_utf8(text).ok()
            }
            None => (!line.is_empty()).then(|| line.to_owned()),
        }
    }

    fn signal(&self, signal: Signal) {
        let (child, _) = self.running.as_ref().expect("a running Redis");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("not zero");
        kill_process(pid, signal).expect("the process is ours");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}

/// A folder of its own for a server.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("redis-").tempdir().expect("a temp folder")
}
