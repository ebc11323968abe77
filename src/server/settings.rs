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
    path::Path,
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
        flush_ms: limits.flush_ms,
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
            replies_depth: config.social.replies_depth.into(),
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
        public_url: config.http.public_url.as_ref().map(|url| url.as_str().to_owned()),
        node_url: config.node.url.as_ref().map(|url| url.as_str().to_owned()),
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
        // Later than the picture is waited for, sound would never begin alone.
        sound_alone: Duration::from_millis(live.sound_alone_ms.min(live.connecting_ms / 2)),
        ring_bytes: live.ring_bytes,
        egress_bitrate: match live.egress_mbit {
            0 => line_mbit(),
            mbit => mbit,
        } * 1_000_000,
        ..PlaneSettings::at(live.udp)
    })
}

/// Mbit/s of the machine's line, as `live.egress_mbit` 0 has it.
fn line_mbit() -> u64 {
    let mbit = fastest_mbit(Path::new("/sys/class/net"));
    tracing::info!(mbit, "live video counts on a line of this rate; live.egress_mbit sets another");
    mbit
}

/// Mbit/s of the fastest interface of a device; 10 Gbit/s where one does not know its speed, as those of virtual machines
/// often do not. What has no device, like a VPN's, says nothing of the line.
fn fastest_mbit(interfaces: &Path) -> u64 {
    const UNKNOWN: u64 = 10_000;
    let interfaces = std::fs::read_dir(interfaces).into_iter().flatten().flatten();
    let of_devices = interfaces.map(|interface| interface.path()).filter(|path| path.join("device").exists());
    let speeds = of_devices.map(|path| {
        // An error where the interface is down, -1 where the driver does not know.
        let speed = std::fs::read_to_string(path.join("speed")).ok();
        speed.and_then(|text| text.trim().parse().ok()).filter(|speed| *speed > 0)
    });
    let speeds: Option<Vec<u64>> = speeds.collect();
    speeds.and_then(|speeds| speeds.into_iter().max()).unwrap_or(UNKNOWN)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(interfaces: &[(&str, bool, Option<&str>)]) -> u64 {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, has_device, speed) in interfaces {
            let path = folder.path().join(name);
            std::fs::create_dir_all(if *has_device { path.join("device") } else { path.clone() })
                .expect("made");
            if let Some(speed) = speed {
                std::fs::write(path.join("speed"), format!("{speed}\n")).expect("written");
            }
        }
        fastest_mbit(folder.path())
    }

    #[test]
    fn what_the_hub_takes_for_defaults_is_what_nobody_sets() {
        let [set, unset] = [hub(&Config::default(), "local".into()), HubSettings::default()];
        assert_eq!(format!("{set:#?}"), format!("{unset:#?}"));
    }

    #[test]
    fn the_line_is_that_of_the_fastest_device() {
        let of_cards = [("eth0", true, Some("1000")), ("eth1", true, Some("2500")), ("lo", false, None)];
        assert_eq!(line(&of_cards), 2_500);
        assert_eq!(line(&[("tun0", false, Some("10")), ("eth0", true, Some("1000"))]), 1_000);
        assert_eq!(line(&[("tun0", false, Some("10")), ("eth0", true, Some("-1"))]), 10_000, "virtio");
        assert_eq!(
            line(&[("eth1", true, Some("100")), ("eth0", true, None)]),
            10_000,
            "one of two is unknown"
        );
        assert_eq!(line(&[("veth0", false, Some("10000000"))]), 10_000);
        assert_eq!(line(&[]), 10_000);
    }

    #[test]
    fn sound_alone_begins_before_the_picture_is_given_up() {
        let of = |sound: &str, connecting: &str| {
            let settings = [("live.sound_alone_ms", sound), ("live.connecting_ms", connecting)];
            plane(&Config::with(settings).expect("good settings")).expect("good addresses").sound_alone
        };
        assert_eq!(of("3000", "10000"), Duration::from_secs(3));
        assert_eq!(of("60000", "10000"), Duration::from_secs(5));
    }
}
