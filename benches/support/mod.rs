//! What the benches of sockets share: a hub's server in a process of its own, clients by hand, and what the kernel counts.
//!
//! The server is the bench itself, started once more, so that its CPU time and memory are measured apart from the clients.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod server;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// The environment variable that tells a process which part it plays.
const ROLE: &str = "COMMUNICONNECT_BENCH_ROLE";

/// Which part this process plays; none for the bench itself.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Whether `cargo bench` runs this, and not `cargo test`: only then full sizes make sense.
pub(crate) fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// This program, started once more to play a part; it is asked line by line.
pub(crate) struct Part {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Part {
    /// Starts it and waits until it listens.
    pub(crate) fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts again");
        let input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let address = line.trim().parse().expect("an address");
        Self { child, input, output, address }
    }

    /// Asks, and reads the numbers of the answer.
    pub(crate) fn ask(&mut self, question: &str) -> Vec<f64> {
        self.tell(question).split_whitespace().map(|word| word.parse().expect("a number")).collect()
    }

    /// Asks, and reads the line of the answer.
    pub(crate) fn tell(&mut self, question: &str) -> String {
        writeln!(self.input, "{question}").expect("still there");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        line
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens a WebSocket, connects as a guest and subscribes, by hand: a client library would be measured too. `number`
/// spreads clients over loopback addresses, since one has too few ports for many.
pub(crate) fn client(server: SocketAddr, number: usize, channels: &[&str]) -> TcpStream {
    let host = u8::try_from(number / 5_000 + 1).expect("few clients");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let source = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0);
    socket.bind(&SocketAddr::from(source).into()).expect("a port");
    socket.connect(&server.into()).expect("connects");
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
    let request = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sends");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    ask(&mut stream, r#"[1,"connect",{}]"#);
    for channel in channels {
        ask(&mut stream, &format!(r#"[2,"subscribe",{{"channel":"{channel}"}}]"#));
    }
    stream
}

/// Sends a short command and reads its reply.
fn ask(stream: &mut TcpStream, message: &str) {
    let length = u8::try_from(message.len()).expect("short");
    assert!(length < 126, "a length of one byte");
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(message.as_bytes());
    stream.write_all(&frame).expect("sends");
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a reply");
    let length = match head[1] {
        126 => {
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes).expect("a length");
            usize::from(u16::from_be_bytes(bytes))
        }
        short => usize::from(short),
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("\"ok\""), "{message} was answered {text}");
}

/// CPU time of this process so far, in nanoseconds, as the scheduler counts it (`/proc/self/task/*/schedstat`).
pub(crate) fn cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// Resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("procfs");
    let line = text.lines().find(|line| line.starts_with("Rss:")).expect("a line");
    1_024 * line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).expect("a number")
}

/// As many open files as the system lets a process have.
pub(crate) fn raise_open_files() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("up to the hard limit");
}
