//! A real PostgreSQL server for the tests of one process: started at first use, a fresh database for whoever asks, and
//! gone with the process, however that ends.
//!
//! A shell watches over the server and holds the reading end of a pipe: when this process is gone, killed or not, the
//! pipe closes, and the shell stops the server and removes its folder.

use super::ports::free_port;
use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
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

/// Where the server of a database listens, whose address is one of [`database`].
pub fn server_of(database: &str) -> SocketAddr {
    let named = database.split_once('@').and_then(|(_, rest)| rest.split_once('/'));
    named.and_then(|(server, _)| server.parse().ok()).expect("an address and a port")
}

/// A server of its own, for a test that stops it.
pub struct Server {
    port: u16,
    folder: PathBuf,
    syncs: Syncs,
    /// The watching shell; its standard input is the pipe. None while the server is killed.
    watcher: Option<Child>,
    databases: AtomicUsize,
}

/// Time for a server to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves the folder `$1` by the other arguments until the pipe closes: a fast stop, then nothing is left of it. A word in the
/// pipe is another signal, after which the folder stays.
const WATCH: &str = r#"folder=$1; shift; "$@" >>"$folder.log" 2>&1 </dev/null & server=$!
word=; read word; kill -${word:-INT} $server 2>/dev/null; wait $server
[ -n "$word" ] || rm -rf "$folder" "$folder.log""#;

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
        let mut server =
            Self { port: free_port(), folder, syncs, watcher: None, databases: AtomicUsize::new(0) };
        while !server.serves() {
            assert!(server.log().contains("could not bind"), "PostgreSQL has ended: {}", server.log());
            server.port = free_port();
        }
        server
    }

    /// From now on it takes connections over TLS alone, with a certificate for `localhost` that it signed itself and a password
    /// for `postgres`; the file with the certificate.
    pub fn secure(&self, password: &str) -> PathBuf {
        let made = as_server(Path::new("openssl"))
            .current_dir(&self.folder)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-keyout", "server.key", "-out", "server.crt", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let address = format!("postgres://postgres@{}/postgres", self.address());
        self.run(&address, &format!("ALTER USER postgres PASSWORD '{password}'"));
        self.run(&address, "ALTER SYSTEM SET ssl = on");
        std::fs::write(self.folder.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n")
            .expect("its settings");
        self.run(&address, "SELECT pg_reload_conf()");
        self.folder.join("server.crt")
    }

    /// `kill -9` of the server; its own processes notice and end.
    pub fn kill(&mut self) {
        let mut watcher = self.watcher.take().expect("a running server");
        watcher.stdin.take().expect("piped").write_all(b"KILL\n").expect("the watcher listens");
        watcher.wait().expect("its exit status");
    }

    /// Starts it on the same folder and port, after [`Server::kill`].
    pub fn restart(&mut self) {
        // Processes of the former one may be about to end.
        while !self.serves() {
            assert!(self.log().contains("still in use"), "PostgreSQL has ended: {}", self.log());
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Starts it and waits until it serves; false where it has ended instead.
    fn serves(&mut self) -> bool {
        let folder = &self.folder;
        let (stale, told) = (lock(folder), self.log().len());
        let fsync = if self.syncs == Syncs::Disk { "fsync=on" } else { "fsync=off" };
        let mut watcher = as_server(Path::new("sh"))
            .args(["-c", WATCH, "watch"])
            .arg(folder)
            .arg(binary("postgres"))
            .arg("-D")
            .arg(folder)
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "max_connections=300", "-c", "shared_buffers=128MB", "-c", fsync])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let begun = Instant::now();
        // The lock file of the server in this folder: whoever answers on the port may be another's.
        let is_ready = || {
            let lock = lock(folder);
            lock.lines().next() != stale.lines().next()
                && lock.lines().nth(7).is_some_and(|state| state.trim_end() == "ready")
        };
        let refused = || {
            let log = std::fs::read_to_string(folder.with_extension("log")).unwrap_or_default();
            let new = log.get(told..).unwrap_or_default();
            new.contains("database system is shut down") || new.contains("still in use")
        };
        while !is_ready() {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not answer: {}", self.log());
            if refused() {
                watcher.stdin.take().expect("piped").write_all(b"INT\n").expect("the watcher listens");
                let _ = watcher.wait();
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.watcher = Some(watcher);
        true
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default()
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
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(watcher) = &mut self.watcher {
            drop(watcher.stdin.take());
            let _ = watcher.wait();
        }
    }
}

/// What a server says of itself in its folder, as long as it runs or was killed.
fn lock(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("postmaster.pid")).unwrap_or_default()
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
