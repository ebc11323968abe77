//! Ports for servers that cannot choose one themselves.

use std::net::{Ipv4Addr, TcpListener};

/// A port that nobody listens on now, below those that the system gives to whoever connects: otherwise a connection of any
/// process could take it before its server does. Another test may still draw the same: who starts a server looks whether it
/// is theirs that answers.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_240..32_768);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
