//! 1,000 viewers of one 700 kbit/s stream on one shard, sockets included: CPU of the media plane for each packet forwarded,
//! against a bare sender of datagrams of the same sizes to the same sockets, joined to as few runs as can be; and memory
//! for each viewer. `cargo bench --bench relay`.
//!
//! Three processes: the plane, the bare sender, and this one, which publishes and reads. Both figures come from one run.
//! Goals: twice the bare sender at most, 64 KB for each viewer at most.

#[path = "../src/live/plane/tests/client.rs"]
mod client;
mod support;

use client::{Client, Manner, Offering, Purpose, SSRC, VP8};
use communiconnect::live::plane::{MediaEvent, MediaPlane, PlaneSettings};
use mio::{Events, Interest, Poll, Token};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use std::{
    io::BufRead,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use support::{Part, cpu_ns, is_bench, raise_open_files, resident_bytes, role};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pictures in a second.
const RATE: u32 = 30;

/// How much is sent.
struct Size {
    viewers: usize,
    seconds: u32,
}

fn main() {
    match role().as_deref() {
        Some("plane") => return plane(),
        Some("bare") => return bare_sender(),
        _ => {}
    }
    raise_open_files();
    if is_bench() {
        measure(&Size { viewers: 1_000, seconds: 10 });
    } else {
        measure(&Size { viewers: 10, seconds: 1 });
    }
}

fn measure(size: &Size) {
    let mut plane = Part::start("plane");
    let mut publisher = join(&mut plane, Purpose::Publish);
    let mut camera = Camera::new();
    camera.film(&mut publisher, RATE / 2);

    let [before] = plane.ask("memory")[..] else { panic!("one number") };
    let sockets = (0..size.viewers).map(|_| join(&mut plane, Purpose::Watch).into_socket()).collect();
    let [connected] = plane.ask("memory")[..] else { panic!("one number") };
    let readers = Readers::start(sockets);
    // Warm, and past the replays of those who have just come.
    camera.film(&mut publisher, RATE);
    readers.settle();
    readers.packets.store(0, Ordering::Relaxed);
    readers.sizes.lock().expect("not poisoned").clear();

    let [cpu] = plane.ask("cpu")[..] else { panic!("one number") };
    camera.film(&mut publisher, RATE * size.seconds);
    readers.settle();
    let [cpu_after] = plane.ask("cpu")[..] else { panic!("one number") };
    let [after] = plane.ask("memory")[..] else { panic!("one number") };
    let packets = readers.packets.load(Ordering::Relaxed);
    let sizes = std::mem::take(&mut *readers.sizes.lock().expect("not poisoned"));
    drop(plane);
    let ours = (cpu_after - cpu) / packets as f64 / 1_000.0;

    let mut sender = Part::start("bare");
    let targets: Vec<_> = readers.addresses.iter().map(SocketAddr::to_string).collect();
    sender.ask(&format!("to {}", targets.join(" ")));
    let frames: Vec<_> =
        sizes.iter().map(|frame| frame.iter().map(usize::to_string).collect::<Vec<_>>().join(",")).collect();
    let [cpu, sent] = sender.ask(&format!("send {}", frames.join(" ")))[..] else { panic!("two numbers") };
    let bare = cpu / sent / 1_000.0;
    let of_frame = sizes.iter().map(Vec::len).sum::<usize>() as f64 / sizes.len() as f64;
    readers.stop();

    let for_each = |bytes: f64| bytes / size.viewers as f64 / 1_024.0;
    println!("{} viewers of one stream, {packets} packets, {of_frame:.2} to a picture", size.viewers);
    println!("  plane  {ours:.3} us CPU a packet (receive, open, store, pull, seal, send)");
    println!("  bare   {bare:.3} us CPU a packet (send, in as few runs as can be)");
    println!("  ratio  {:.2}, goal 2 at most", ours / bare);
    println!(
        "  memory {:.1} KiB a viewer connected, {:.1} KiB after {} s of media (the one ring included), goal 64 at most",
        for_each(connected - before),
        for_each(after - before),
        size.seconds + 1,
    );
}

/// Has an offer answered by the plane and connects.
fn join(plane: &mut Part, purpose: Purpose) -> Client {
    let offering = Offering::new(purpose, &Manner::default());
    let command = if purpose == Purpose::Publish { "publish" } else { "watch" };
    let answer = plane.tell(&format!("{command} {}", offering.offer.replace("\r\n", "\t")));
    let mut client = offering.answered(&answer.replace('\t', "\r\n"));
    assert!(client.connect(), "connects");
    client
}

/// A picture source of 700 kbit/s whose packets are cut as libwebrtc cuts them: as many as needed, none a byte longer
/// than another but for the last ones.
struct Camera {
    sequence: u16,
    picture: u32,
    random: u32,
}

/// The longest payload of a packet.
const PAYLOAD: usize = 1_150;

impl Camera {
    fn new() -> Self {
        Self { sequence: 100, picture: 0, random: 7 }
    }

    /// Sends pictures at their times.
    fn film(&mut self, publisher: &mut Client, pictures: u32) {
        let start = Instant::now();
        for number in 0..pictures {
            for packet in self.picture() {
                publisher.send(&packet);
            }
            let due = start + Duration::from_secs(1) * (number + 1) / RATE;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn picture(&mut self) -> Vec<Vec<u8>> {
        // Sizes differ by chance, and by the same one in every run.
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let bytes = 1_500 + (self.random >> 16) as usize % 2_800;
        let is_key = self.picture == 0;
        let packets = bytes.div_ceil(PAYLOAD);
        let longer = bytes % packets;
        let picture = (0..packets)
            .map(|at| {
                let body = bytes / packets + usize::from(at >= packets - longer);
                let is_last = at + 1 == packets;
                let mut packet = vec![0x80, if is_last { 0x80 | VP8 } else { VP8 }];
                packet.extend(self.sequence.to_be_bytes());
                packet.extend((self.picture * (90_000 / RATE)).to_be_bytes());
                packet.extend(SSRC.to_be_bytes());
                let start = if at == 0 { 0x10 } else { 0 };
                packet.extend([0x80 | start, 0x80]);
                packet.extend((0x8000 | self.picture as u16 & 0x7fff).to_be_bytes());
                if at == 0 {
                    let frame: &[u8] =
                        if is_key { &[0x10, 0, 0, 0x9d, 1, 0x2a, 128, 2, 104, 1] } else { &[0x11, 0, 0] };
                    packet.extend(frame);
                }
                packet.resize(12 + 4 + body, 0x5a);
                self.sequence = self.sequence.wrapping_add(1);
                packet
            })
            .collect();
        self.picture += 1;
        picture
    }
}

/// Reads everything from many sockets on one thread and counts media; of the first socket it notes the sizes of each picture.
struct Readers {
    addresses: Vec<SocketAddr>,
    packets: Arc<AtomicU64>,
    sizes: Arc<Mutex<Vec<Vec<usize>>>>,
    is_done: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Readers {
    fn start(sockets: Vec<UdpSocket>) -> Self {
        let addresses = sockets.iter().map(|socket| socket.local_addr().expect("bound")).collect();
        let packets = Arc::new(AtomicU64::new(0));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let is_done = Arc::new(AtomicBool::new(false));
        let (counted, noted, told) = (packets.clone(), sizes.clone(), is_done.clone());
        let thread = thread::spawn(move || read_all(sockets, &counted, &noted, &told));
        Self { addresses, packets, sizes, is_done, thread }
    }

    /// Waits until nothing comes any more.
    fn settle(&self) {
        loop {
            let before = self.packets.load(Ordering::Relaxed);
            thread::sleep(Duration::from_millis(200));
            if self.packets.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    fn stop(self) {
        self.is_done.store(true, Ordering::Relaxed);
        self.thread.join().expect("reads to the end");
    }
}

fn read_all(
    sockets: Vec<UdpSocket>,
    packets: &AtomicU64,
    sizes: &Mutex<Vec<Vec<usize>>>,
    is_done: &AtomicBool,
) {
    let mut poll = Poll::new().expect("epoll");
    let mut sockets: Vec<_> = sockets
        .into_iter()
        .map(|socket| {
            socket.set_nonblocking(true).expect("an option");
            mio::net::UdpSocket::from_std(socket)
        })
        .collect();
    for (number, socket) in sockets.iter_mut().enumerate() {
        poll.registry().register(socket, Token(number), Interest::READABLE).expect("registers");
    }
    let mut events = Events::with_capacity(1_024);
    let mut buffer = [0; 2048];
    let mut picture = Vec::new();
    while !is_done.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(100))).expect("epoll");
        for event in &events {
            let number = event.token().0;
            while let Ok(len) = sockets[number].recv(&mut buffer) {
                if buffer[0] >> 6 != 2 || (192..=223).contains(&buffer[1]) {
                    continue;
                }
                packets.fetch_add(1, Ordering::Relaxed);
                if number == 0 {
                    picture.push(len);
                    if buffer[1] & 0x80 != 0 {
                        sizes.lock().expect("not poisoned").push(std::mem::take(&mut picture));
                    }
                }
            }
        }
    }
}

/// A media plane that answers offers on its input.
fn plane() {
    raise_open_files();
    let mut settings = PlaneSettings::at("127.0.0.1:0".parse().expect("an address"));
    settings.shards = 1;
    let (plane, mut events) = MediaPlane::open(settings).expect("opens");
    let relay = plane.new_source();
    println!("127.0.0.1:{}", plane.port());
    thread::spawn(move || {
        while let Some(event) = events.blocking_recv() {
            if let MediaEvent::Closed { peer, reason } = event {
                eprintln!("{peer} ended: {reason:?}");
            }
        }
    });
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (command, offer) = line.split_once(' ').unwrap_or((&line, ""));
        let offer = offer.replace('\t', "\r\n");
        match command {
            "publish" | "watch" => {
                let prepared = match command {
                    "publish" => plane.publish(&relay, &offer, here),
                    _ => plane.watch(&relay, &offer, here),
                };
                println!("{}", prepared.expect("answered").answer.replace("\r\n", "\t"));
            }
            "memory" => println!("{}", resident_bytes()),
            "cpu" => println!("{}", cpu_ns()),
            other => panic!("{other} is no question"),
        }
    }
}

/// The least that can be done: `to ADDRESS ...` says to whom, `send SIZE,SIZE SIZE ...` sends each of them datagrams of
/// these sizes, picture by picture at their times, and answers its CPU nanoseconds and how many it sent.
fn bare_sender() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("options");
    let _ = state.max_gso_segments();
    println!("{}", socket.local_addr().expect("an address"));
    let mut targets: Vec<SocketAddr> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (command, rest) = line.split_once(' ').expect("a command");
        if command == "to" {
            targets = rest.split(' ').map(|address| address.parse().expect("an address")).collect();
            println!("0");
            continue;
        }
        let pictures: Vec<Vec<usize>> = rest
            .split(' ')
            .map(|picture| picture.split(',').map(|size| size.parse().expect("a size")).collect())
            .collect();
        let cpu = cpu_ns();
        let sent = send_all(&socket, &state, &targets, &pictures);
        println!("{} {sent}", cpu_ns() - cpu);
    }
}

/// The fewest runs of one size, of which the last packet may be shorter.
fn runs_of(picture: &[usize]) -> Vec<&[usize]> {
    let (mut runs, mut rest) = (Vec::new(), picture);
    while let Some(&size) = rest.first() {
        let equal = rest.iter().take_while(|&&next| next == size).count();
        let length = equal + usize::from(rest.get(equal).is_some_and(|&next| next < size));
        let (run, others) = rest.split_at(length);
        runs.push(run);
        rest = others;
    }
    runs
}

fn send_all(
    socket: &UdpSocket,
    state: &UdpSocketState,
    targets: &[SocketAddr],
    pictures: &[Vec<usize>],
) -> u64 {
    let start = Instant::now();
    let bytes = [0x5a; 65_536];
    let mut sent = 0;
    for (number, picture) in pictures.iter().enumerate() {
        let runs = runs_of(picture);
        for &destination in targets {
            for run in &runs {
                let transmit = Transmit {
                    destination,
                    ecn: None,
                    contents: &bytes[..run.iter().sum()],
                    segment_size: (run.len() > 1).then_some(run[0]),
                    src_ip: None,
                };
                let _ = state.try_send(UdpSockRef::from(socket), &transmit);
                sent += run.len() as u64;
            }
        }
        let due = start + Duration::from_secs(1) * (number as u32 + 1) / RATE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sent
}
