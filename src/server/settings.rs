//! From the configuration to what each part takes: parts below do not know the configuration's sections.

use crate::live::{
    audience::AudienceLimits, chat::ChatRates, ice_servers::IceServers, machine::Patience,
    plane::PlaneSettings, settings::LiveSettings,
};
use crate::{
    auth::{AuthSettings, ClaimNames, OutsideSettings},
    config::{self, Config},
    hub::HubSettings,
    store::sql::SqlSettings,
};
use communiconnect_protocol::Limits;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Items of one list page, as the contract has it.
const PAGE_ITEMS: u64 = 100;

/// Publications of one page, as the contract has it.
const PAGE_PUBLICATIONS: u64 = 256;

pub(super) fn store(config: &Config) -> SqlSettings {
    SqlSettings {
        queue: config.store.queue,
        batch: config.store.batch,
        readers: config.store.readers,
        keep_count: config.log.keep_count,
        keep_ms: config.log.keep_ms,
        ..SqlSettings::default()
    }
}

pub(super) fn hub(config: &Config, node: String) -> HubSettings {
    let limits = &config.limits;
    let rate = |per_second| if limits.rates { per_second } else { 0 };
    HubSettings {
        node,
        ping_ms: config.ws.ping_ms,
        pong_ms: config.ws.pong_ms,
        connect_ms: config.ws.connect_ms,
        write_timeout_ms: config.ws.write_timeout_ms,
        command_ms: limits.command_ms,
        commands_per_second: rate(limits.commands_per_second),
        commands_per_second_user: rate(limits.commands_per_second_user),
        connections_per_user: limits.connections_per_user,
        subscriptions: limits.subscriptions,
        outbox_bytes: limits.outbox_bytes,
        outbox_count: limits.outbox_count,
        hold_bytes: limits.hold_bytes,
        test_channels: config.admin.test_channels,
        told: Limits {
            message_bytes: limits.message_bytes as u64,
            subscriptions: limits.subscriptions as u64,
            commands_per_second: u64::from(limits.commands_per_second),
            page_publications: PAGE_PUBLICATIONS,
            page_items: PAGE_ITEMS,
            post_title: config.social.title_chars as u64,
            post_content: config.social.post_chars as u64,
            comment_content: config.social.comment_chars as u64,
            community_name: config.social.community_name_chars as u64,
        },
    }
}

pub(super) fn live(config: &Config, node: String) -> LiveSettings {
    let live = &config.live;
    let rate = |per_second| if config.limits.rates { per_second } else { 0 };
    LiveSettings {
        node,
        lives: live.lives,
        patience: Patience {
            first_media: Duration::from_millis(live.first_media_ms),
            connecting: Duration::from_millis(live.connecting_ms),
            grace: Duration::from_millis(live.grace_ms),
            longest: Duration::from_millis(live.longest_ms),
            ..Patience::default()
        },
        audience: AudienceLimits { people: live.viewers, ..AudienceLimits::default() },
        rates: ChatRates { messages: rate(live.chat_per_second), reactions: rate(live.reactions_per_second) },
        title_chars: config.social.title_chars,
        description_chars: config.social.post_chars,
        chat_chars: live.chat_chars,
        public_url: config.http.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        ice_servers: IceServers {
            urls: live.ice_servers.clone(),
            turn_secret: live.turn_secret.as_ref().map(|secret| secret.expose().to_owned()),
        },
    }
}

/// An address to announce that is none.
#[derive(Debug, thiserror::Error)]
#[error("live.announce `{0}` is no address: write it as 203.0.113.7, or with a port as 203.0.113.7:8189")]
pub(super) struct WrongAnnounce(String);

/// # Errors
/// [`WrongAnnounce`] for the first that is no address.
pub(super) fn plane(config: &Config) -> Result<PlaneSettings, WrongAnnounce> {
    let live = &config.live;
    let address = |text: &String| {
        let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
        bare.or_else(|_| text.parse()).map_err(|_| WrongAnnounce(text.clone()))
    };
    Ok(PlaneSettings {
        announce: live.announce.iter().map(address).collect::<Result<_, _>>()?,
        offers_loopback: config.http.listen.ip().is_loopback() || live.udp.ip().is_loopback(),
        shards: live.shards,
        peers: live.peers,
        half_open: live.half_open,
        publisher_bitrate: live.publisher_mbit * 1_000_000,
        sound_alone: Duration::from_millis(live.sound_alone_ms),
        ring_bytes: live.ring_bytes,
        egress_bitrate: match live.egress_mbit {
            0 => line_mbit(),
            mbit => mbit,
        } * 1_000_000,
        ..PlaneSettings::at(live.udp)
    })
}

/// Mbit/s of the fastest network interface; virtual ones often do not say.
fn line_mbit() -> u64 {
    const UNKNOWN: u64 = 10_000;
    let interfaces = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let speeds = interfaces.filter_map(|interface| {
        // -1 where the driver does not know.
        std::fs::read_to_string(interface.path().join("speed")).ok()?.trim().parse().ok()
    });
    speeds.max().filter(|speed| *speed > 0).unwrap_or(UNKNOWN)
}

pub(super) fn auth(config: &Config) -> AuthSettings {
    let auth = &config.auth;
    let rate = |count| config.limits.rates.then_some(count);
    AuthSettings {
        guests: auth.guests,
        embedded: auth.embedded,
        leeway: Duration::from_secs(auth.leeway_s),
        access_ttl: Duration::from_secs(auth.access_ttl_s),
        refresh_ttl: Duration::from_secs(auth.refresh_ttl_s),
        outside: OutsideSettings {
            hs256_secret: auth.hs256_secret.as_ref().map(|secret| secret.expose().to_owned()),
            key_file: auth.key_file.clone(),
            jwks_file: auth.jwks_file.clone(),
            jwks_url: auth.jwks_url.clone(),
            jwks_cache: Duration::from_secs(auth.jwks_cache_s),
            algorithms: auth.algorithms.iter().copied().map(algorithm).collect(),
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            claims: ClaimNames {
                sub: auth.claim_sub.clone(),
                name: auth.claim_name.clone(),
                role: auth.claim_role.clone(),
            },
        },
        hash_threads: auth.hash_threads,
        hash_queue: auth.hash_queue,
        register_per_hour_address: rate(config.limits.register_per_hour_address),
        login_per_minute: rate(config.limits.login_per_minute),
    }
}

const fn algorithm(wished: config::Algorithm) -> jsonwebtoken::Algorithm {
    match wished {
        config::Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        config::Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        config::Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        config::Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}
