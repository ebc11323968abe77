//! 10,000 idle sockets, each subscribed to two channels: resident memory of the server for each.
//! `cargo bench --bench idle`. Goal: 12 KB at most.
//!
//! The server is a process of its own, for its memory and because a process may have few more open files than that.

mod support;

use std::net::TcpStream;
use support::{Part, client, is_bench, raise_open_files, role};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if role().is_some() {
        return support::server::run();
    }
    raise_open_files();
    // What the first sockets make the runtime and the allocator set up is not theirs.
    let (warm, count) = if is_bench() { (100, 10_000) } else { (10, 50) };
    let mut server = Part::start("server");
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut grow = |server: &mut Part, upto: usize| {
        let more = clients.len()..upto;
        clients.extend(more.map(|number| client(server.address, number, &["test:a", "test:b"])));
        let [bytes, sessions] = server.ask("memory")[..] else { panic!("two numbers") };
        assert_eq!(sessions, upto as f64, "everybody is still connected");
        bytes
    };
    let before = grow(&mut server, warm);
    let after = grow(&mut server, warm + count);
    let each = (after - before) / count as f64 / 1_024.0;
    println!(
        "{count} idle sockets of two subscriptions: {each:.2} KiB resident each, goal 11.7 (12 KB) at most"
    );
}
