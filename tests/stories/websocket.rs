//! RFC 6455, frame by frame, against the echo example: the same accept loop and the same socket settings as the hub's.
//!
//! A frame is written here byte for byte, so that what no client library would send can be sent.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::harness::within;

const FINAL: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_LARGE: u16 = 1009;

/// The example, built with the profile of this test: cargo builds examples beside tests only in some of its modes.
async fn example() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || {
        let tests = std::env::current_exe().expect("a running test has a path");
        let profile = tests.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "build",
            "--quiet",
            "--locked",
            "--example",
            "echo",
        ]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().await.expect("cargo").success(), "cargo build --example echo");
        profile.join("examples/echo")
    };
    BUILT.get_or_init(build).await
}

/// The example as a child process.
struct Echo {
    address: SocketAddr,
    _child: Child,
}

impl Echo {
    async fn start() -> Self {
        let mut child = Command::new(example().await)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = within("the ready line", lines.next_line()).await.expect("text").expect("a line");
        let address = ready.strip_prefix("ready http=").expect("the address").parse().expect("an address");
        Self { address, _child: child }
    }

    async fn open(&self) -> Raw {
        let (socket, head) = self.handshake("/any/path?at=all", "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(!head.contains("sec-websocket-protocol"), "{head}");
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        socket
    }

    async fn handshake(&self, path: &str, more: &str) -> (Raw, String) {
        let mut tcp = TcpStream::connect(self.address).await.expect("the example listens");
        tcp.set_nodelay(true).expect("a socket option");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
            self.address
        );
        tcp.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("the answer", tcp.read_u8()).await.expect("a byte"));
        }
        (Raw { tcp }, String::from_utf8(head).expect("ASCII").to_ascii_lowercase().replace("http/", "HTTP/"))
    }
}

/// A connection on which anything can be sent.
struct Raw {
    tcp: TcpStream,
}

impl Raw {
    async fn send(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).await.expect("the server still reads");
    }

    /// The next frame: first byte and payload. Frames of a server are not masked.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        within("a frame", async {
            let first = self.tcp.read_u8().await.expect("a frame");
            let length = match self.tcp.read_u8().await.expect("a length") {
                126 => u64::from(self.tcp.read_u16().await.expect("a length")),
                127 => self.tcp.read_u64().await.expect("a length"),
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).expect("a length that fits")];
            self.tcp.read_exact(&mut payload).await.expect("the payload");
            (first, payload)
        })
        .await
    }

    async fn expect(&mut self, opcode: u8, payload: &[u8], what: &str) {
        let (first, came) = self.frame().await;
        assert_eq!(first, FINAL | opcode, "{what}: {came:x?}");
        assert!(came == payload, "{what}: {} bytes came back of {}", came.len(), payload.len());
    }

    /// A close frame with this code, then the end of the stream, in order and without a reset.
    async fn expect_close(&mut self, code: u16, what: &str) {
        let (first, payload) = self.frame().await;
        assert_eq!(first, FINAL | CLOSE, "{what}: {payload:x?}");
        assert_eq!(payload.get(..2), Some(&code.to_be_bytes()[..]), "{what}: {payload:x?}");
        self.expect_end(what).await;
    }

    async fn expect_end(&mut self, what: &str) {
        let mut rest = Vec::new();
        let ended = within("the end of the stream", self.tcp.read_to_end(&mut rest)).await;
        ended.unwrap_or_else(|error| panic!("{what}: the server closes first and in order: {error}"));
        assert!(rest.is_empty(), "{what}: nothing follows the close frame: {rest:x?}");
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).expect("short")),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(middle).expect("middle").to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FINAL | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[tokio::test]
async fn messages_of_every_size_come_back_as_they_were() {
    let echo = Echo::start().await;
    let mut socket = echo.open().await;
    for size in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 1 << 20] {
        for (opcode, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            let payload = vec![byte; size];
            socket.send(&frame(FINAL | opcode, &payload)).await;
            socket.expect(opcode, &payload, &format!("{size} bytes")).await;
        }
    }
    let most = vec![0xfe; 16 << 20];
    let (bytes, mut reader) = (frame(FINAL | BINARY, &most), socket);
    reader.send(&bytes).await;
    reader.expect(BINARY, &most, "16 MiB").await;
    reader.send(&[FINAL | BINARY, 0x80 | 127, 0, 0, 0, 0, 1, 0, 0, 1]).await;
    reader.expect_close(TOO_LARGE, "one byte more, told by its head alone").await;
}

#[tokio::test]
async fn how_bytes_are_cut_does_not_matter() {
    let echo = Echo::start().await;
    let mut socket = echo.open().await;
    let text = "Größe — κόσμε 😀".as_bytes();
    for byte in frame(FINAL | TEXT, text) {
        socket.send(&[byte]).await;
    }
    socket.expect(TEXT, text, "byte by byte").await;
    let many: Vec<u8> = (0..100u8).flat_map(|number| frame(FINAL | BINARY, &[number])).collect();
    socket.send(&many).await;
    for number in 0..100u8 {
        socket.expect(BINARY, &[number], "many in one segment").await;
    }
    // Frames that come in one segment with the request itself.
    let mut tcp = TcpStream::connect(echo.address).await.expect("the example listens");
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        echo.address
    );
    tcp.write_all(&[request.as_bytes(), &frame(FINAL | TEXT, b"early")].concat()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the answer", tcp.read_u8()).await.expect("a byte"));
    }
    Raw { tcp }.expect(TEXT, b"early", "behind the request").await;
}

#[tokio::test]
async fn fragments_are_joined_and_control_frames_come_between() {
    let echo = Echo::start().await;
    let mut socket = echo.open().await;
    socket.send(&frame(TEXT, b"frag")).await;
    socket.send(&frame(FINAL | PING, b"between")).await;
    socket.expect(PONG, b"between", "a ping between fragments is answered at once").await;
    socket.send(&frame(CONTINUATION, b"")).await;
    socket.send(&frame(FINAL | CONTINUATION, b"ment")).await;
    socket.expect(TEXT, b"fragment", "joined").await;
    // A character cut in two by a fragment's end.
    let smile = "😀".as_bytes();
    socket.send(&frame(TEXT, &smile[..2])).await;
    socket.send(&frame(FINAL | CONTINUATION, &smile[2..])).await;
    socket.expect(TEXT, smile, "a character over two fragments").await;
    for size in [0, 125] {
        let payload = vec![0xff; size];
        socket.send(&frame(FINAL | PING, &payload)).await;
        socket.expect(PONG, &payload, "a ping's payload comes back").await;
    }
    let pings: Vec<u8> = (0..10u8).flat_map(|number| frame(FINAL | PING, &[number])).collect();
    socket.send(&pings).await;
    for number in 0..10u8 {
        socket.expect(PONG, &[number], "each ping has its pong, in order").await;
    }
    socket.send(&frame(FINAL | PONG, b"unasked")).await;
    socket.send(&frame(FINAL | TEXT, b"on")).await;
    socket.expect(TEXT, b"on", "an unasked pong is ignored").await;
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_1002() {
    let echo = Echo::start().await;
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("a reserved bit".into(), frame(FINAL | 0x40 | TEXT, b"x")),
        ("all reserved bits".into(), frame(FINAL | 0x70 | BINARY, b"x")),
        ("a reserved bit on a ping".into(), frame(FINAL | 0x20 | PING, b"x")),
        ("not masked".into(), vec![FINAL | TEXT, 1, b'x']),
        ("a ping of 126 bytes".into(), frame(FINAL | PING, &[0; 126])),
        ("a close frame of 126 bytes".into(), close(1000, &[b'x'; 124])),
        ("a fragmented ping".into(), frame(PING, b"x")),
        ("a continuation of nothing".into(), frame(FINAL | CONTINUATION, b"x")),
        ("an open continuation of nothing".into(), frame(CONTINUATION, b"x")),
        ("a new message between fragments".into(), [frame(TEXT, b"a"), frame(FINAL | TEXT, b"b")].concat()),
        (
            "a length in too many bytes".into(),
            vec![FINAL | BINARY, 0x80 | 126, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5],
        ),
        ("a close frame of one byte".into(), frame(FINAL | CLOSE, &[3])),
    ];
    cases.extend(
        [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]
            .map(|opcode| (format!("the reserved opcode {opcode}"), frame(FINAL | opcode, b"x"))),
    );
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push((format!("close code {code}"), close(code, b"")));
    }
    for (what, bytes) in cases {
        let mut socket = echo.open().await;
        socket.send(&frame(FINAL | TEXT, b"before")).await;
        // What follows the offence in the same segment is never looked at, and does not reset the connection.
        socket.send(&[bytes, frame(FINAL | PING, b"after")].concat()).await;
        socket.expect(TEXT, b"before", &what).await;
        socket.expect_close(PROTOCOL_ERROR, &what).await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_is_closed_with_1007_at_the_byte_that_breaks_it() {
    let echo = Echo::start().await;
    for broken in [
        &b"\x80"[..],
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"cut off \xf0\x9f\x98",
    ] {
        let mut socket = echo.open().await;
        socket.send(&frame(FINAL | TEXT, broken)).await;
        socket.expect_close(NOT_UTF8, &format!("{broken:x?}")).await;
    }
    for good in ["\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}", "\0\u{7f}\u{80}\u{fffd}\u{fffe}\u{fdd0}"] {
        let mut socket = echo.open().await;
        socket.send(&frame(FINAL | TEXT, good.as_bytes())).await;
        socket.expect(TEXT, good.as_bytes(), "the edges of UTF-8").await;
    }
    // The frame is never finished, nor is the message: the server speaks as soon as it can know.
    let mut socket = echo.open().await;
    let whole = frame(FINAL | TEXT, b"fine so far \xf4\x90 and the rest never comes");
    socket.send(&whole[..6 + 14]).await;
    socket.expect_close(NOT_UTF8, "within a frame").await;
    let mut socket = echo.open().await;
    socket.send(&frame(TEXT, b"fine \xed")).await;
    socket.send(&frame(CONTINUATION, b"\xa0")).await;
    socket.expect_close(NOT_UTF8, "over two fragments").await;
    let mut socket = echo.open().await;
    socket.send(&close(1000, b"why \xff")).await;
    socket.expect_close(NOT_UTF8, "in a close reason").await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_own_code_and_the_server_ends_first() {
    let echo = Echo::start().await;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let mut socket = echo.open().await;
        let reason = "warum nicht ☂".as_bytes();
        socket.send(&close(code, reason)).await;
        socket.expect_close(code, &format!("close code {code}")).await;
    }
    let mut socket = echo.open().await;
    socket.send(&frame(FINAL | CLOSE, b"")).await;
    socket.expect(CLOSE, b"", "a close without a code").await;
    socket.expect_end("a close without a code").await;
    let mut socket = echo.open().await;
    socket.send(&close(1000, &[b'x'; 123])).await;
    socket.expect_close(1000, "the longest reason").await;
    // After the close nothing is answered any more, and nothing resets the connection.
    let mut socket = echo.open().await;
    let after =
        [frame(FINAL | TEXT, &vec![b'x'; 100_000]), frame(FINAL | PING, b"x"), vec![0xff; 50]].concat();
    socket.send(&[close(1000, b"bye"), after].concat()).await;
    socket.expect_close(1000, "talk after the close").await;
    let mut socket = echo.open().await;
    socket.send(&frame(TEXT, b"unfinished")).await;
    socket.send(&close(1000, b"")).await;
    socket.expect_close(1000, "a close within a fragmented message").await;
}

#[tokio::test]
async fn any_path_and_any_subprotocol_will_do() {
    let echo = Echo::start().await;
    let (mut socket, head) = echo.handshake("/chat", "Sec-WebSocket-Protocol: wamp, mqtt\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("sec-websocket-protocol: wamp\r\n"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
    socket.send(&frame(FINAL | TEXT, b"hello")).await;
    socket.expect(TEXT, b"hello", "after a chosen subprotocol").await;
    // Extensions are not offered back, so none is used.
    let (_, head) = echo.handshake("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
    // A client that just goes away takes nothing with it.
    drop(socket);
    let mut other = echo.open().await;
    other.send(&frame(FINAL | TEXT, b"still there")).await;
    other.expect(TEXT, b"still there", "after another has gone").await;
}
