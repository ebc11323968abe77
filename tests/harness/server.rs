//! The real binary as a child process: started on free ports with a folder of its own, stopped, killed, started again.
//!
//! Its log goes to a file that is printed when a story fails. Nothing here knows what the server does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{
    Arc, Weak,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::{Claims, Client, Encoding, Http, Redis, SECRET, leash::on_leash, postgres, within};

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_communiconnect");

/// Set, a server of a story is two nodes on PostgreSQL and Redis where the story does not say otherwise, as
/// `cargo xtask test two-nodes` has them. One story alone: `COMMUNICONNECT_TWO_NODES=1 cargo test --test main -- f6_1_`.
const TWO_NODES: &str = "COMMUNICONNECT_TWO_NODES";

/// A running server and the folder that it lives in.
pub struct Server {
    running: Option<Running>,
    home: TempDir,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    beside: Option<Beside>,
}

/// Another node on the same store, and what both stand on.
struct Beside {
    node: Box<Server>,
    /// Whose turn it is to take a client.
    turn: AtomicUsize,
    _redis: Arc<Redis>,
}

/// The Redis of all servers that are two nodes now. Nodes of different stores never hear each other there.
static REDIS: Mutex<Weak<Redis>> = Mutex::const_new(Weak::new());

struct Running {
    child: Child,
    // Held open: a server whose standard output is gone would fail at its next line.
    _stdout: Lines<BufReader<ChildStdout>>,
    // Held apart from the child, whose waiting would let it go.
    _leash: ChildStdin,
    http: SocketAddr,
    admin: SocketAddr,
    pid: u32,
}

impl Server {
    /// Starts a server with the harness's settings alone: free ports, rate limits off, a known signing secret.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further `section.name=value` settings; a later one wins over the harness's own.
    pub async fn with(settings: &[&str]) -> Self {
        let mut server = Self::prepared(settings);
        if std::env::var_os(TWO_NODES).is_some() && !names_its_own_parts(settings) {
            server.share_the_work().await;
        }
        server.restart().await;
        server
    }

    /// From its start on it is two nodes on PostgreSQL and Redis: clients go to one and the other in turn.
    async fn share_the_work(&mut self) {
        let redis = {
            let mut shared = REDIS.lock().await;
            match shared.upgrade() {
                Some(redis) => redis,
                None => {
                    let redis = Arc::new(Redis::start().await);
                    *shared = Arc::downgrade(&redis);
                    redis
                }
            }
        };
        let store = tokio::task::spawn_blocking(|| postgres::database(postgres::Syncs::Nothing));
        let store = store.await.expect("a database");
        self.set(&format!("store.url={store}"));
        self.set(&format!("broker.url={}", redis.url()));
        self.set(&format!("media.url=file://{}", self.home.path().join("shared-media").display()));
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let node = Box::new(Self::prepared(&settings));
        self.beside = Some(Beside { node, turn: AtomicUsize::new(0), _redis: redis });
    }

    /// The node whose turn it is.
    fn next(&self) -> &Self {
        match &self.beside {
            Some(beside) if beside.turn.fetch_add(1, Ordering::Relaxed) % 2 == 1 => &beside.node,
            _ => self,
        }
    }

    /// A folder and settings without a running process: for stories about starting itself.
    pub fn prepared(settings: &[&str]) -> Self {
        Self {
            running: None,
            home: tempfile::Builder::new().prefix("communiconnect-").tempdir().expect("a temp folder"),
            settings: settings.iter().map(ToString::to_string).collect(),
            environment: Vec::new(),
            beside: None,
        }
    }

    /// Changes what the next start is given.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_string());
    }

    /// Puts a variable into the environment of the next start.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the process on the same folder and waits for its ready line.
    pub async fn restart(&mut self) {
        if let Some(beside) = &mut self.beside {
            Box::pin(beside.node.restart()).await;
        }
        assert!(self.running.is_none(), "the last process is still running");
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.log_file()).expect("log file");
        let mut child = self
            .of(on_leash(BINARY).into(), &["serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let leash = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = within("the ready line", async {
            loop {
                match lines.next_line().await.expect("stdout is text") {
                    Some(line) if line.starts_with("ready ") => return Some(line),
                    Some(_) => continue,
                    None => return None,
                }
            }
        })
        .await;
        let Some(ready) = ready else {
            panic!("the server ended before it was ready; its log:\n{}", self.log());
        };
        self.running = Some(Running {
            http: address(&ready, "http"),
            admin: address(&ready, "admin"),
            pid: value(&ready, "pid").parse().expect("pid is a number"),
            child,
            _stdout: lines,
            _leash: leash,
        });
        let running = self.running.as_ref().expect("just set");
        assert_eq!(Some(running.pid), running.child.id(), "the ready line tells the process's own id");
        assert_ne!(address(&ready, "udp").port(), 0, "the ready line tells the port, not the wish: {ready}");
    }

    /// A command of the binary with this server's settings, for `serve` and the other subcommands.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.of(Command::new(BINARY), arguments)
    }

    fn of(&self, mut command: Command, arguments: &[&str]) -> Command {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CC_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.home.path());
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        let secret = format!("auth.hs256_secret={SECRET}");
        for setting in ["live.udp=127.0.0.1:0", "admin.listen=127.0.0.1:0", "limits.rates=off", &secret] {
            command.args(["--set", setting]);
        }
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        // Last, so that a story can set what the harness has set.
        command.args(arguments);
        command
    }

    /// `kill -9`: nothing of the process runs after this returns.
    pub async fn kill(&mut self) {
        if let Some(beside) = &mut self.beside {
            Box::pin(beside.node.kill()).await;
        }
        let mut running = self.running.take().expect("a running server");
        running.child.kill().await.expect("kill -9");
    }

    /// Sends SIGTERM and returns at once.
    pub fn terminate(&self) {
        if let Some(beside) = &self.beside {
            beside.node.terminate();
        }
        let pid = Pid::from_raw(self.running().pid.cast_signed()).expect("not zero");
        kill_process(pid, Signal::TERM).expect("the process is ours");
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        if let Some(beside) = &mut self.beside {
            let status = Box::pin(beside.node.ended()).await;
            assert!(status.success(), "the other node: {status}");
        }
        let mut running = self.running.take().expect("a running server");
        within("the end of the process", running.child.wait()).await.expect("its exit status")
    }

    /// `kill -9` and a new start on the same folder.
    pub async fn kill_and_restart(&mut self) {
        self.kill().await;
        self.restart().await;
    }

    /// Every node: this one, and the one beside it where there are two.
    pub fn nodes(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.beside.iter().map(|beside| &*beside.node)).collect()
    }

    /// Where HTTP and WebSocket clients connect.
    pub fn http_address(&self) -> SocketAddr {
        self.running().http
    }

    /// Where operators come.
    pub fn admin_address(&self) -> SocketAddr {
        self.running().admin
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.running().pid
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The folder around the data folder, the process's working directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Everything that the process has logged.
    pub fn log(&self) -> String {
        std::fs::read(self.log_file())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// A connected client of the person `name` (a token of an outside issuer; no password is hashed).
    pub async fn client(&self, name: &str, encoding: Encoding) -> Client {
        let mut client = Client::open(self.next().http_address(), encoding, name).await;
        client.connect(&Claims::of(name).sign()).await;
        client
    }

    /// A connected client without a token.
    pub async fn guest(&self, encoding: Encoding) -> Client {
        let mut client = Client::open(self.next().http_address(), encoding, "guest").await;
        client.ok("connect", serde_json::json!({})).await;
        client
    }

    /// Memory that the process holds (`VmRSS`, proc(5)).
    pub fn resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.running().pid)).expect("a Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a running process");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1_024
    }

    /// HTTP on the public listener.
    pub fn http(&self) -> Http {
        Http::new(self.running().http)
    }

    /// HTTP on the operator's listener.
    pub fn admin(&self) -> Http {
        Http::new(self.running().admin)
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a running server")
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // Reaped before its folder is removed, or it would write into a folder that is going away.
            let _ = running.child.start_kill();
            for _ in 0..1_000 {
                if !matches!(running.child.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(80).collect();
            eprintln!("--- the server's log, last {} lines ---", tail.len());
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}

/// Whether a story says itself what its server stands on.
fn names_its_own_parts(settings: &[&str]) -> bool {
    settings.iter().any(|setting| setting.starts_with("store.") || setting.starts_with("broker."))
}

fn value<'a>(ready: &'a str, name: &str) -> &'a str {
    ready
        .split_whitespace()
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {name}= in the ready line {ready:?}"))
}

fn address(ready: &str, name: &str) -> SocketAddr {
    value(ready, name).parse().unwrap_or_else(|_| panic!("{name} is no address in {ready:?}"))
}
