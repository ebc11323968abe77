//! A real Redis as a child process: on a free port with a folder of its own, killed, frozen, started again.
//!
//! Stands on the standard library and tokio alone, since the library's own tests include it by path.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
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
    child: Option<Child>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further arguments, such as `["--maxmemory", "10mb"]`.
    pub async fn with(arguments: &[&str]) -> Self {
        let port = free_port().to_string();
        let mut all = vec!["--port", &port, "--bind", "127.0.0.1", "--save", ""];
        all.extend(arguments);
        Self::launch(folder(), port.parse().expect("a port"), &all).await
    }

    /// Starts a server in a folder, with all its arguments, and waits until it answers on the port.
    pub async fn launch(home: TempDir, port: u16, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut redis = Self { port, arguments, home, child: None };
        redis.restart().await;
        redis
    }

    /// Starts it on the same port, after [`Redis::kill`].
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"))
            .expect("a log file");
        let child = Command::new("redis-server")
            .args(&self.arguments)
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("redis-server is installed (`cargo xtask test machine` does it)");
        self.child = Some(child);
        let answers = async {
            while self.try_command(&["PING"]).await.is_none_or(|answer| answer.starts_with("-LOADING")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, answers).await.is_err() {
            let log = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            panic!("Redis does not answer; its log:\n{log}");
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running Redis");
        child.kill().expect("the process is ours");
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
        let child = self.child.as_ref().expect("a running Redis");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("not zero");
        kill_process(pid, signal).expect("the process is ours");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// A folder of its own for a server.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("redis-").tempdir().expect("a temp folder")
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
