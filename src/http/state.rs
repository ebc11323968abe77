//! What routes need; built by the composition.

use super::{drain::Wishes, health::Readiness, live::Manners, pace::Pace, slots::Slots, ws::Door};
use crate::{
    auth::AccountService,
    broker::SharedBroker,
    config::Config,
    live::{selftest, service::LiveService},
    social::MediaService,
    store::log::Log,
};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Everything that routes reach.
pub struct HttpState {
    /// Hub, tokens and commands: the same as the sockets'.
    pub door: Arc<Door>,
    /// Embedded accounts.
    pub accounts: Arc<AccountService>,
    /// For what operators publish.
    pub log: Arc<dyn Log>,
    /// For what operators publish without logging it.
    pub broker: SharedBroker,
    /// Lives, for encoders and players without a socket.
    pub live: LiveService,
    /// Uploads, for whom HTTP is the only way.
    pub media: Arc<MediaService>,
    /// How often media may be asked for.
    pub media_pace: Pace,
    /// How often commands may come without a socket.
    pub pace: Pace,
    /// How often media sessions may be made, changed and ended over HTTP.
    pub signalling_pace: Pace,
    /// How many sockets come through proxies from one address.
    pub behind_proxies: Slots,
    /// Whether this node should be given work.
    pub readiness: Arc<Readiness>,
    /// What operators wish of that.
    pub wishes: Wishes,
    /// Whether a stream went through this node's media plane.
    pub selftest: watch::Receiver<selftest::Status>,
    /// What has been counted.
    pub metrics: PrometheusHandle,
    /// Bounds and names.
    pub settings: HttpSettings,
}

/// The part of the settings that routes need.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where this server is reached from outside, without a slash at its end; the address that it listens on where nobody said.
    pub public_address: Arc<str>,
    /// Web origins that may call; `*` is any.
    pub origins: Arc<[String]>,
    /// Our host names, in lower case; empty is any.
    pub hosts: Arc<[String]>,
    /// Host names of the operator's listener besides addresses and `localhost`, in lower case.
    pub admin_hosts: Arc<[String]>,
    /// Bytes of a request head.
    pub head_bytes: usize,
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Time for a request body.
    pub body_time: Duration,
    /// Time for an upload.
    pub upload_time: Duration,
    /// Seconds that caches may hand on what everybody may read.
    pub media_cache_s: u64,
    /// Bytes of a command's body.
    pub message_bytes: usize,
    /// Time for one command.
    pub command_time: Duration,
    /// Over which time clients are sent away.
    pub drain: Duration,
    /// What clients get that change a media session without saying which ICE session they mean.
    pub etag_manners: Manners,
}

impl HttpSettings {
    /// Those of the configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            public_address: config.public_address().into(),
            origins: config.http.origins.clone().into(),
            hosts: config.http.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            admin_hosts: config.admin.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            head_bytes: config.http.head_bytes,
            body_bytes: config.http.body_bytes,
            body_time: Duration::from_millis(config.http.body_timeout_ms),
            upload_time: Duration::from_millis(config.media.upload_ms),
            media_cache_s: config.media.cache_s,
            message_bytes: config.limits.message_bytes,
            command_time: Duration::from_millis(config.limits.command_ms),
            drain: Duration::from_millis(config.node.drain_ms),
            etag_manners: if config.live.lenient_etag { Manners::Lenient } else { Manners::Strict },
        }
    }
}
