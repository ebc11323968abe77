//! A real PostgreSQL server for the tests of one process: started at first use, a fresh database for whoever asks, and
//! gone with the process, however that ends.
//!
//! A shell watches over the server and holds the reading end of a pipe: when this process is gone, killed or not, the
//! pipe closes, and the shell stops the server and removes its folder.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Whether a commit waits for the disk: for what measures or outlives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// As in production.
    Disk,
    /// Nothing is synced: the server is never killed, and its folder never read again.
    Nothing,
}

/// The address of a new, empty database.
pub fn database(syncs: Syncs) -> String {
    static SYNCED: LazyLock<Server> = LazyLock::new(|| Server::start(Syncs::Disk));
    static QUICK: LazyLock<Server> = LazyLock::new(|| Server::start(Syncs::Nothing));
    match syncs {
        Syncs::Disk => SYNCED.database(),
        Syncs::Nothing => QUICK.database(),
    }
}

/// A server of its own, for a test that stops it.
pub struct Server {
    port: u16,
    folder: PathBuf,
    /// The watching shell; its standard input is the pipe.
    watcher: Child,
    databases: AtomicUsize,
}

/// Time for a server to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stops the server `$1` serves with its arguments when the pipe closes; a fast stop, then nothing is left of it.
const WATCH: &str = r#"folder=$1; shift; "$@" >"$folder.log" 2>&1 </dev/null & server=$!
cat >/dev/null; kill -INT $server 2>/dev/null; wait $server; rm -rf "$folder" "$folder.log""#;

impl Server {
    /// Makes a cluster in a temporary folder and serves it on a free port of 127.0.0.1.
    pub fn start(syncs: Syncs) -> Self {
        let folder = new_folder();
        let made = as_server(&binary("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                // The machine may name a locale that was never generated.
                "--locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
                "-D",
            ])
            .arg(&folder)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let fsync = if syncs == Syncs::Disk { "fsync=on" } else { "fsync=off" };
        let watcher = as_server(Path::new("sh"))
            .args(["-c", WATCH, "watch"])
            .arg(&folder)
            .arg(binary("postgres"))
            .arg("-D")
            .arg(&folder)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "max_connections=300", "-c", "shared_buffers=128MB", "-c", fsync])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let server = Self { port, folder, watcher, databases: AtomicUsize::new(0) };
        server.wait_until_it_answers();
        server
    }

    /// The address of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("case{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.client("createdb").arg(&name).output().expect("createdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs statements on a database of this server; what they answer, unaligned and without headings.
    pub fn run(&self, address: &str, sql: &str) -> String {
        let output = Command::new(binary("psql")).args([address, "-XAtqc", sql]).output().expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(binary(name));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()]);
        command
    }

    fn wait_until_it_answers(&self) {
        let begun = Instant::now();
        while !self.client("pg_isready").arg("-q").status().is_ok_and(|status| status.success()) {
            let log = || std::fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// A folder that the server's user owns.
fn new_folder() -> PathBuf {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("communiconnect-pg-{}-{number}", std::process::id()));
    let made = as_server(Path::new("mkdir")).args(["-m", "700"]).arg(&folder).status();
    assert!(made.is_ok_and(|status| status.success()), "no folder {}", folder.display());
    folder
}

/// PostgreSQL refuses to run as root: then it runs as the user of Debian's package.
fn as_server(program: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir(std::env::temp_dir());
    command
}

/// Debian keeps the server's programs out of the path, in a folder per version.
fn binary(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    found.unwrap_or_else(|| PathBuf::from(name))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
