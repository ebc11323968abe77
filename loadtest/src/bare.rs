//! The baseline: the least that can be done to give the same bytes to as many sockets, one epoll loop and `write`.
//!
//! It runs as a process of its own, as the server does, and is told what to do line by line. It listens, takes whoever comes,
//! and has no protocol.

use crate::{clock, crowd};
use anyhow::{Context, Result, anyhow, bail, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, Read, Write},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

/// The subcommand of the load tester that is this writer.
pub const SUBCOMMAND: &str = "bare";

/// Writes the same bytes to many sockets.
#[derive(Debug)]
pub struct Writer {
    streams: Vec<TcpStream>,
    poll: Poll,
    events: Events,
}

impl Writer {
    /// To these, which do not block.
    ///
    /// # Errors
    /// Where the kernel gives no epoll, or takes a socket not into it.
    pub fn new(mut streams: Vec<TcpStream>) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        for (number, stream) in streams.iter_mut().enumerate() {
            poll.registry().register(stream, Token(number), Interest::WRITABLE)?;
        }
        Ok(Self { streams, poll, events: Events::with_capacity(1_024) })
    }

    /// Writes `batch` to every socket, so many times, one write a batch and socket where its buffer has room.
    ///
    /// # Errors
    /// Where a socket is gone.
    pub fn write(&mut self, rounds: usize, batch: &[u8]) -> std::io::Result<()> {
        // What each socket has still to be given, in all rounds together.
        let mut left = vec![rounds * batch.len(); self.streams.len()];
        let mut ready: Vec<usize> = (0..left.len()).filter(|&number| left[number] > 0).collect();
        let mut open = ready.len();
        let mut failed = Ok(());
        while open > 0 && failed.is_ok() {
            ready.retain(|&number| {
                let start = batch.len() - 1 - (left[number] - 1) % batch.len();
                match self.streams[number].write(&batch[start..]) {
                    Ok(count) => left[number] -= count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                    Err(error) => {
                        failed = Err(error);
                        return false;
                    }
                }
                open -= usize::from(left[number] == 0);
                left[number] > 0
            });
            if ready.is_empty() && open > 0 && failed.is_ok() {
                self.poll.poll(&mut self.events, None)?;
                ready.extend(
                    self.events.iter().map(|event| event.token().0).filter(|&number| left[number] > 0),
                );
            }
        }
        failed
    }
}

/// Takes everybody who comes to a listener, at once: the kernel's queue of the standard library's listeners is shorter than
/// a storm.
#[derive(Debug)]
pub struct Arrivals(mpsc::Receiver<TcpStream>);

impl Arrivals {
    /// Accepts in a thread, for as long as the process lives.
    pub fn of(listener: TcpListener) -> Self {
        let (accepted, arrivals) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(stream) = accept(&listener) {
                if accepted.send(stream).is_err() {
                    return;
                }
            }
        });
        Self(arrivals)
    }

    /// The next ones, once so many have come.
    pub fn take(&self, count: usize) -> Vec<TcpStream> {
        self.0.iter().take(count).collect()
    }
}

fn accept(listener: &TcpListener) -> std::io::Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

/// What the writer is asked to publish.
#[derive(Clone, Debug)]
pub struct Task {
    /// The channel's name, for the same bytes.
    pub channel: String,
    /// How many sockets will have come.
    pub sockets: usize,
    /// Publications a second.
    pub rate: f64,
    /// How many.
    pub count: u32,
    /// Bytes of the data of each.
    pub size: usize,
}

/// Plays the writer: tells its address, then publishes as each line of `input` says, answering with its CPU time in
/// nanoseconds, until the input ends.
///
/// # Errors
/// Where a line is no task, or a socket fails.
pub fn run(input: impl Read, mut output: impl Write) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(output, "{}", listener.local_addr()?)?;
    let arrivals = Arrivals::of(listener);
    for line in BufReader::new(input).lines() {
        let task = Task::read(&line?)?;
        let mut writer = Writer::new(arrivals.take(task.sockets))?;
        let cpu = clock::thread_cpu();
        publish(&mut writer, &task)?;
        writeln!(output, "{}", (clock::thread_cpu() - cpu).as_nanos())?;
        output.flush()?;
    }
    Ok(())
}

fn publish(writer: &mut Writer, task: &Task) -> std::io::Result<()> {
    let start = clock::now_us() + 10_000;
    for n in 0..task.count {
        let due = start + (f64::from(n) * 1e6 / task.rate) as u64;
        if let Some(early) = due.checked_sub(clock::now_us()) {
            thread::sleep(Duration::from_micros(early));
        }
        writer.write(1, &task.frame(n, due))?;
    }
    Ok(())
}

impl Task {
    /// The bytes that the server writes for such a publication.
    fn frame(&self, n: u32, due: u64) -> Vec<u8> {
        let Self { channel, size, .. } = self;
        let data = crowd::make(channel, n, due, *size);
        let offset = n + 1;
        let message = format!(
            r#"[0,"publication",{{"channel":"{channel}","offset":{offset},"event":"load","data":{data},"at":1760000000000}}]"#
        );
        crowd::server_text(message.as_bytes())
    }

    fn line(&self) -> String {
        let Self { channel, sockets, rate, count, size } = self;
        format!("{channel} {sockets} {rate} {count} {size}")
    }

    fn read(line: &str) -> Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let &[channel, sockets, rate, count, size] = words.as_slice() else { bail!("{line} is no task") };
        Ok(Self {
            channel: channel.into(),
            sockets: sockets.parse()?,
            rate: rate.parse()?,
            count: count.parse()?,
            size: size.parse()?,
        })
    }
}

/// Where the writer runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In a process of its own: this program, started once more.
    #[default]
    Process,
    /// In a thread, for programs that are not the load tester.
    Thread,
}

/// A writer that runs, and how it is asked.
#[derive(Debug)]
pub struct Part {
    input: Option<PipeWriter>,
    output: BufReader<PipeReader>,
    runs: Runs,
    /// Where it listens.
    pub address: SocketAddr,
}

#[derive(Debug)]
enum Runs {
    Process(Child),
    Thread(Option<JoinHandle<Result<()>>>),
}

impl Part {
    /// Starts one.
    ///
    /// # Errors
    /// Where it cannot start.
    pub fn start(place: Place) -> Result<Self> {
        let (own_input, input) = std::io::pipe()?;
        let (output, own_output) = std::io::pipe()?;
        let runs = match place {
            Place::Process => {
                let mut command = Command::new(std::env::current_exe()?);
                let command =
                    command.arg(SUBCOMMAND).stdin(Stdio::from(own_input)).stdout(Stdio::from(own_output));
                Runs::Process(command.spawn().context("starting the bare writer")?)
            }
            Place::Thread => Runs::Thread(Some(thread::spawn(move || run(own_input, own_output)))),
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim().parse().context("the bare writer told no address")?;
        Ok(Self { input: Some(input), output, runs, address })
    }

    /// Has it publish; waits until it has, and answers its CPU time.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn publish(&mut self, task: &Task) -> Result<Duration> {
        let input = self.input.as_mut().ok_or_else(|| anyhow!("the bare writer has ended"))?;
        writeln!(input, "{}", task.line())?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the bare writer has failed");
        Ok(Duration::from_nanos(line.trim().parse()?))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Without input it ends.
        self.input = None;
        match &mut self.runs {
            Runs::Process(child) => drop(child.wait()),
            Runs::Thread(thread) => drop(thread.take().map(JoinHandle::join)),
        }
    }
}
