//! One channel, 1,000 real loopback sockets, 128-byte messages at saturation: CPU of the server per delivery, against a
//! bare epoll writer that sends the same frames with as many frames to a write. `cargo bench --bench fanout`.
//!
//! Three processes: the server, the bare writer, and this one, whose threads only read. Both figures come from one run,
//! so their ratio holds on a busy machine too. Goal: 2 at most.

mod support;

use loadtest::bare::{Arrivals, Writer};
use mio::{Events, Interest, Poll, Token};
use std::{
    io::{BufRead, Read},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};
use support::{Part, client, cpu_ns, is_bench, raise_open_files, role};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is sent.
struct Size {
    sockets: usize,
    publications: u64,
    batch: u64,
}

fn main() {
    match role().as_deref() {
        Some("server") => return support::server::run(),
        Some("bare") => return bare_writer(),
        _ => {}
    }
    raise_open_files();
    if is_bench() {
        // From a busy channel to one at saturation: the more frames share a write, the less the kernel hides what is ours.
        for batch in [4, 16, 64] {
            measure(&Size { sockets: 1_000, publications: 4_096, batch });
        }
    } else {
        measure(&Size { sockets: 20, publications: 128, batch: 16 });
    }
}

/// Prints what a delivery costs the server and the bare writer, and their ratio.
fn measure(size: &Size) {
    let deliveries = size.publications as f64 * size.sockets as f64;

    let mut server = Part::start("server");
    let streams = (0..size.sockets).map(|number| client(server.address, number, &["test:a"])).collect();
    let readers = Readers::start(streams);
    // Warm: allocations, congestion windows, branch predictors. Offsets of the second run would be known already.
    let [cpu, frames, writes] =
        server.ask(&format!("publish {} {} {}", size.publications, size.batch, size.sockets))[..]
    else {
        panic!("three numbers")
    };
    assert_eq!(frames, deliveries, "every publication went to every socket, and nothing else did");
    readers.wait_for(deliveries as u64 * FRAME_AT_LEAST);
    let read = readers.stop();
    drop(server);
    let per_write = frames / writes;
    let frame_bytes = (read as f64 / deliveries).round();
    let ours = cpu / deliveries / 1_000.0;

    let mut writer = Part::start("bare");
    let streams = (0..size.sockets).map(|_| TcpStream::connect(writer.address).expect("connects")).collect();
    let readers = Readers::start(streams);
    let rounds = (size.publications as f64 / per_write).round();
    let frames_per_write = per_write.round();
    let [cpu] =
        writer.ask(&format!("write {rounds} {} {}", frame_bytes * frames_per_write, size.sockets))[..]
    else {
        panic!("one number")
    };
    readers.stop();
    let bare = cpu / (rounds * frames_per_write * size.sockets as f64) / 1_000.0;

    println!(
        "fan-out to {} sockets, frames of {frame_bytes} bytes, {per_write:.1} frames a write",
        size.sockets
    );
    println!("  server {ours:.3} us CPU a delivery (one encoding, outboxes, frames, TCP)");
    println!("  bare   {bare:.3} us CPU a delivery (epoll, write)");
    println!("  ratio  {:.2}, goal 2 at most", ours / bare);
}

/// A publication of 128 bytes is never shorter on the wire.
const FRAME_AT_LEAST: u64 = 128;

/// Reads everything from many sockets on one thread, and counts it.
struct Readers {
    bytes: Arc<AtomicU64>,
    is_done: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Readers {
    fn start(streams: Vec<TcpStream>) -> Self {
        let (bytes, is_done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, told) = (Arc::clone(&bytes), Arc::clone(&is_done));
        let thread = thread::spawn(move || read_all(streams, &counted, &told));
        Self { bytes, is_done, thread }
    }

    fn wait_for(&self, bytes: u64) {
        while self.bytes.load(Ordering::Relaxed) < bytes {
            thread::yield_now();
        }
    }

    /// Reads what is still on its way; answers the bytes of all.
    fn stop(self) -> u64 {
        self.is_done.store(true, Ordering::Relaxed);
        self.thread.join().expect("reads to the end");
        self.bytes.load(Ordering::Relaxed)
    }
}

fn read_all(streams: Vec<TcpStream>, bytes: &AtomicU64, is_done: &AtomicBool) {
    let mut poll = Poll::new().expect("epoll");
    let mut streams: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            stream.set_nonblocking(true).expect("an option");
            mio::net::TcpStream::from_std(stream)
        })
        .collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        poll.registry().register(stream, Token(number), Interest::READABLE).expect("registers");
    }
    let mut events = Events::with_capacity(1_024);
    let mut scratch = vec![0; 256 << 10];
    loop {
        let pause = std::time::Duration::from_millis(200);
        poll.poll(&mut events, Some(pause)).expect("epoll");
        if events.is_empty() && is_done.load(Ordering::Relaxed) {
            return;
        }
        for event in &events {
            let stream = &mut streams[event.token().0];
            while let Ok(count @ 1..) = stream.read(&mut scratch) {
                bytes.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    }
}

/// The least that can be done: `write ROUNDS BYTES SOCKETS` writes that many bytes to every socket, so many times, and
/// answers its CPU nanoseconds.
fn bare_writer() {
    raise_open_files();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let arrivals = Arrivals::of(listener);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let numbers: Vec<usize> =
            line.split_whitespace().skip(1).map(|word| word.parse().expect("a number")).collect();
        let [rounds, bytes, sockets] = numbers[..] else { panic!("three numbers") };
        let mut writer = Writer::new(arrivals.take(sockets)).expect("epoll");
        let cpu = cpu_ns();
        writer.write(rounds, &vec![b'x'; bytes]).expect("everybody reads");
        println!("{}", cpu_ns() - cpu);
    }
}
