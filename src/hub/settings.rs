//! What the hub may use, as plain numbers: the server fills them from the configuration.

use super::session::Paces;
use communiconnect_protocol::Limits;

/// Bounds and paces of sessions and channels. Durations in milliseconds, sizes in bytes.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// `node.id`: told at `connect`.
    pub node: String,
    /// `ws.ping_ms`: pace of signs of life.
    pub ping_ms: u64,
    /// `ws.pong_ms`: how long a silent peer has to answer a Ping.
    pub pong_ms: u64,
    /// `ws.connect_ms`: how long a new socket may take to say `connect`.
    pub connect_ms: u64,
    /// `ws.write_timeout_ms`: how long a socket may accept nothing while something waits.
    pub write_timeout_ms: u64,
    /// `limits.command_ms`: when a command is answered `unavailable`.
    pub command_ms: u64,
    /// `limits.commands_per_second` of one session; 0 is off.
    pub commands_per_second: u32,
    /// `limits.commands_per_second_user`, over all sessions of a person; 0 is off.
    pub commands_per_second_user: u32,
    /// `limits.connections_per_user`; 0 is off.
    pub connections_per_user: usize,
    /// `limits.subscriptions` of one session.
    pub subscriptions: usize,
    /// `limits.outbox_bytes` that wait for one reader.
    pub outbox_bytes: usize,
    /// `limits.outbox_count` of frames that wait for one reader.
    pub outbox_count: usize,
    /// `limits.hold_bytes` of pushes held while a reader pages through what it missed.
    pub hold_bytes: usize,
    /// `limits.flush_ms`: how long what a busy channel says to many readers may wait for more; 0 is off.
    pub flush_ms: u64,
    /// `admin.test_channels`: whether anyone may subscribe to `test:` channels.
    pub test_channels: bool,
    /// What `connect` tells about limits; its figures are those of the settings.
    pub told: Limits,
}

impl HubSettings {
    /// The paces of one session.
    pub fn paces(&self) -> Paces {
        Paces {
            ping_ms: self.ping_ms,
            pong_ms: self.pong_ms,
            connect_ms: self.connect_ms,
            write_timeout_ms: self.write_timeout_ms,
            command_ms: self.command_ms,
            commands_per_second: self.commands_per_second,
        }
    }
}

impl Default for HubSettings {
    /// What the settings named above are where nobody sets them.
    fn default() -> Self {
        Self {
            node: "local".into(),
            ping_ms: 25_000,
            pong_ms: 10_000,
            connect_ms: 10_000,
            write_timeout_ms: 10_000,
            command_ms: 5_000,
            commands_per_second: 200,
            commands_per_second_user: 400,
            connections_per_user: 0,
            subscriptions: 512,
            outbox_bytes: 1 << 20,
            outbox_count: 4_096,
            hold_bytes: 1 << 20,
            flush_ms: 20,
            test_channels: false,
            told: Limits {
                message_bytes: 64 << 10,
                subscriptions: 512,
                commands_per_second: 200,
                page_publications: 256,
                page_items: 100,
                post_title: 200,
                post_content: 5_000,
                comment_content: 2_000,
                community_name: 80,
                replies_depth: 3,
            },
        }
    }
}
