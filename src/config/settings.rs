//! Every setting, declared once: from a line here come the field, its default, its documentation and its name.

use super::values::{self, WrongValue};
use super::{
    Algorithm, BackendUrl, ClientHeader, Layers, LogFormat, Problem, Secret, Setting, Shown, Value,
    WebAddress,
};
use ipnet::IpNet;
use std::{net::SocketAddr, path::PathBuf};

/// `name: type = default as text, range if a number has one`
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])*
                $name:ident: $type:ty = $default:literal $(, $range:expr)?;
            )*
        }
    )*) => {
        /// The settings of one process, read and checked.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(#[doc = $section_doc])* pub $section: $Section,)*
        }

        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section {
                $($(#[doc = $doc])* pub $name: $type,)*
            }
        )*

        /// Every setting, in the order of their declaration.
        pub const SETTINGS: &[Setting] = &[$($(Setting {
            name: concat!(stringify!($section), ".", stringify!($name)),
            takes: <$type as Value>::TAKES,
            default: $default,
            meaning: concat!($($doc),*).trim_ascii_start(),
        },)*)*];

        impl Config {
            /// Reads each setting from its highest layer; tells what is wrong in any of them.
            pub(super) fn take(layers: &Layers, problems: &mut Vec<Problem>) -> Self {
                Self {
                    $($section: $Section {
                        $($name: read_one::<$type>(
                            layers,
                            problems,
                            (concat!(stringify!($section), ".", stringify!($name)), $default),
                            |value| settings!(@check value $(, $range)?),
                        ),)*
                    },)*
                }
            }

            /// Every setting with its value and origin.
            pub fn shown(&self, layers: &Layers) -> Vec<Shown> {
                let values = [$($((self.$section.$name.show(), <$type as Value>::BARE),)*)*];
                let of = |(setting, (value, bare)): (&Setting, (String, bool))| Shown {
                    setting: *setting, value, bare, origin: layers.origin(setting.name),
                };
                SETTINGS.iter().zip(values).map(of).collect()
            }
        }
    };
    (@check $value:ident) => { Ok($value) };
    (@check $value:ident, $range:expr) => { values::within($value, &$range) };
}

fn read_one<T: Value>(
    layers: &Layers,
    problems: &mut Vec<Problem>,
    (name, default): (&str, &str),
    check: impl Fn(T) -> Result<T, WrongValue>,
) -> T {
    let mut chosen = None;
    for given in layers.get(name) {
        match T::read(&given.text).and_then(&check) {
            Ok(value) => chosen = Some(value),
            Err(WrongValue { reason, nearest }) => problems.push(Problem::Wrong {
                name: name.to_owned(),
                value: if T::SECRET { "***".to_owned() } else { given.text.clone() },
                origin: given.origin.clone(),
                reason,
                nearest,
            }),
        }
    }
    chosen.unwrap_or_else(|| {
        T::read(default).and_then(check).unwrap_or_else(|wrong| panic!("default of {name}: {}", wrong.reason))
    })
}

settings! {
    /// The public listener.
    http: Http {
        /// Address of the public listener: socket, commands, accounts, health and the page.
        listen: SocketAddr = "127.0.0.1:8080";
        /// Where this server is reached from outside, such as `https://example.org`; told to encoders, which need whole addresses. Without it they get paths.
        public_url: Option<WebAddress> = "off";
        /// Web origins that may call from a browser; `*` is any, which is safe since no cookie is ever used.
        origins: Vec<String> = "*";
        /// Host names this server answers to (without port); an empty list takes any. Set it behind a public name, so that no page can reach the server under a name of its own (DNS rebinding).
        hosts: Vec<String> = "";
        /// Networks of reverse proxies in front of this server, such as `10.0.0.0/8`: what they say in a header of where a request comes from is believed, and counted by. An address that is not theirs speaks for itself.
        trusted_proxies: Vec<IpNet> = "";
        /// The header in which trusted proxies say where a request comes from, read from its right end: `x-forwarded-for` or `forwarded` (RFC 7239). The other one is ignored, since a proxy that writes one hands on the other as the client sent it.
        client_header: ClientHeader = "x-forwarded-for";
        /// Time for a new connection to send its first byte: idle probes hold a slot no longer.
        first_byte_timeout_ms: u64 = "10000", 10..=600_000;
        /// Time to send a whole request head, from its first byte on, and to send the next request on a kept connection: slow heads hold a slot no longer.
        header_timeout_ms: u64 = "10000", 10..=600_000;
        /// Time to send a whole request body, so that slow bodies hold a handler no longer.
        body_timeout_ms: u64 = "30000", 10..=3_600_000;
        /// Connections of the listener at once, each a few KiB; further ones are answered 503 and closed.
        connections: usize = "100000", 1..=10_000_000;
        /// Bytes of a request's line and headers together; beyond it 431.
        head_bytes: usize = "16384", 8_192..=1_048_576;
        /// Bytes of a request body; beyond it 413. Those of commands are bounded like messages of a socket.
        body_bytes: usize = "131072", 1_024..=16_777_216;
    }
    /// WebSocket connections.
    ws: Ws {
        /// Silence after which a connection is pinged, and the pace of the push `ping`; jittered, below the time-outs of common proxies (30 s and more).
        ping_ms: u64 = "25000", 100..=3_600_000;
        /// Time for a pinged connection to show any traffic; then close 4002.
        pong_ms: u64 = "10000", 100..=600_000;
        /// Time for `connect` to come as the first command; then close 4502.
        connect_ms: u64 = "10000", 100..=600_000;
        /// Time a socket may accept no byte of what waits for it; then close 4003.
        write_timeout_ms: u64 = "10000", 100..=600_000;
    }
    /// Bounds.
    limits: Limits {
        /// Rate limits, and only those: off for load tests.
        rates: bool = "on";
        /// Bytes of one message or command body; beyond it close 4505 or 413. Sixteen times the longest post.
        message_bytes: usize = "65536", 1_024..=16_777_216;
        /// Commands per second of one session, with as many at once: a person's client needs a tenth of it.
        commands_per_second: u32 = "200", 1..=1_000_000;
        /// Commands per second of one person over all sessions, and as many over HTTP at each node.
        commands_per_second_user: u32 = "400", 1..=1_000_000;
        /// Requests per second that make, change or end media sessions (WHIP, WHEP) from one address (of IPv6: one /64): a classroom behind one address that begins to watch.
        signalling_per_second_address: u32 = "50", 1..=1_000_000;
        /// Requests for media files per second of one person, or of guests from one address (of IPv6: one /64): a classroom behind one address that opens a page full of pictures.
        media_per_second: u32 = "1000", 1..=1_000_000;
        /// Time for one command; then `unavailable`, outcome unknown.
        command_ms: u64 = "5000", 10..=600_000;
        /// Connections from one address at once; 0 is off, since whole schools share an address.
        connections_per_address: usize = "0";
        /// Sessions of one person at once; 0 is off, further ones are closed with 4504.
        connections_per_user: usize = "0";
        /// Subscriptions of one session.
        subscriptions: usize = "512", 1..=100_000;
        /// Bytes that wait for one slow reader, before publications are cut to gaps.
        outbox_bytes: usize = "1048576", 4_096..=1_073_741_824;
        /// Messages that wait for one slow reader.
        outbox_count: usize = "4096", 16..=1_000_000;
        /// Bytes of live pushes held for a session that pages through what it missed; then `gap` slow.
        hold_bytes: usize = "1048576", 1_024..=1_073_741_824;
        /// Longest wait, in milliseconds, of what a channel says to many readers for what it says next, so that both share their wakes and writes: 0.02 for each reader of this node, so that channels of up to 50 never wait; 0 is off.
        flush_ms: u64 = "20", 0..=1_000;
        /// Registrations per hour from one address: a classroom, no more.
        register_per_hour_address: u32 = "1000", 1..=1_000_000;
        /// Attempts to log in per minute for one account from one address, against guessing; ten times as many from one address in all, and for one account from everywhere.
        login_per_minute: u32 = "30", 1..=1_000_000;
        /// Posts of one person per minute.
        posts_per_minute: u32 = "50", 1..=1_000_000;
        /// Comments of one person per minute.
        comments_per_minute: u32 = "300", 1..=1_000_000;
        /// Reactions of one person per minute.
        reactions_per_minute: u32 = "1000", 1..=1_000_000;
        /// Shares and reposts of one person per minute, taking them back included.
        shares_per_minute: u32 = "100", 1..=1_000_000;
        /// Uploads of one person per minute: four posts of five pictures.
        uploads_per_minute: u32 = "20", 1..=1_000_000;
        /// Follows, blocks, joins, leaves and edits of the profile of one person per minute.
        follows_per_minute: u32 = "300", 1..=1_000_000;
        /// Acts remembered over all people in order to count these, 24 bytes each; beyond it, acts go uncounted.
        remembered_acts: usize = "1000000", 1_000..=100_000_000;
        /// Communities created by one person per hour.
        communities_per_hour: u32 = "100", 1..=1_000_000;
    }
    /// Who is who.
    auth: Auth {
        /// Whether people without a token may read what is public.
        guests: bool = "on";
        /// Embedded accounts: registration and login by password.
        embedded: bool = "on";
        /// Seconds that a token is taken beyond its expiry, for issuers whose clock is behind.
        leeway_s: u64 = "0", 0..=600;
        /// Seconds that an access token of an embedded account lasts.
        access_ttl_s: u64 = "3600", 1..=31_536_000;
        /// Seconds that a refresh token lasts; each use gives a new one. Thirty days.
        refresh_ttl_s: u64 = "2592000", 1..=315_360_000;
        /// Secret with which another site signs HS256 tokens, 32 bytes at least. Our own tokens have a secret of their own, made at first start and kept in the store.
        hs256_secret: Option<Secret> = "off";
        /// Issuer that tokens from outside must name as `iss`; without it any or none.
        issuer: Option<String> = "off";
        /// Audience that tokens from outside must name as `aud`; without it only tokens that name none are taken.
        audience: Option<String> = "off";
        /// URL of a JWKS (RFC 7517) with the public keys of an issuer.
        jwks_url: Option<String> = "off";
        /// File with a JWKS, instead of a URL.
        jwks_file: Option<PathBuf> = "off";
        /// File with one public key of an issuer as PEM, or else with its secret for HS256.
        key_file: Option<PathBuf> = "off";
        /// Seconds that fetched keys are kept; an unknown key id fetches anew, at most once in ten seconds.
        jwks_cache_s: u64 = "600", 1..=86_400;
        /// Algorithms taken from outside; `none` never is. This server's own tokens are HS256.
        algorithms: Vec<Algorithm> = "HS256,RS256,ES256,EdDSA";
        /// Claim that identifies the person; a number is read as text.
        claim_sub: String = "sub";
        /// Claim with the name to show.
        claim_name: String = "name";
        /// Claim with the role: user, moderator or admin.
        claim_role: String = "role";
        /// Threads that hash passwords: argon2id takes 19 MiB and tens of milliseconds each.
        hash_threads: usize = "2", 1..=64;
        /// Password hashes that may wait for a thread; beyond it `unavailable`.
        hash_queue: usize = "256", 1..=100_000;
    }
    /// Rules of posts, comments and communities.
    social: Social {
        /// Time in which an author may edit a post.
        edit_window_ms: i64 = "1800000", 0..=315_360_000_000;
        /// Time in which further views of a post by one person do not count.
        view_window_ms: i64 = "1800000", 0..=315_360_000_000;
        /// Levels of nested communities; each level costs a post one more log entry.
        community_depth: u32 = "8", 1..=16;
        /// Levels of replies below a comment.
        replies_depth: u32 = "3", 1..=16;
        /// Characters of a post's title.
        title_chars: usize = "200", 1..=10_000;
        /// Characters of a post.
        post_chars: usize = "5000", 1..=100_000;
        /// Characters of a comment.
        comment_chars: usize = "2000", 1..=100_000;
        /// Characters of what a person says to a post that they share.
        share_chars: usize = "500", 1..=100_000;
        /// Characters of the name to show of a person who edits it.
        name_chars: usize = "80", 1..=1_000;
        /// Characters of what a person says of themselves.
        bio_chars: usize = "500", 1..=10_000;
        /// Characters of a community's name.
        community_name_chars: usize = "80", 1..=1_000;
    }
    /// The store.
    store: Store {
        /// Folder of the embedded database, the lock and the node's id; made if missing. One process at a time.
        data: PathBuf = "./data";
        /// Which store: `sqlite` in the data folder, or `postgres://user:password@host:5432/database`, which several nodes may use.
        url: BackendUrl = "sqlite";
        /// Writing operations that may wait, and as many queries: a crowd that comes back asks several for each socket. Beyond it `unavailable`.
        queue: usize = "8192", 1..=1_000_000;
        /// Operations of one group commit: more make one sync cheaper for each and the first wait longer.
        batch: usize = "500", 1..=100_000;
        /// Threads that read beside the writer, each with a connection of its own.
        readers: usize = "2", 1..=64;
    }
    /// Delivery between nodes.
    broker: Broker {
        /// Which broker: `memory` for a single node, `redis://USER:PASSWORD@HOST:PORT` for several (`rediss://` over TLS), `redis-sentinel://HOST,HOST/SERVICE` where Sentinels watch it, `redis-cluster://HOST,HOST` for a cluster.
        url: BackendUrl = "memory";
    }
    /// The channel logs, and the lines that the server writes about itself.
    log: Log {
        /// Publications kept of one channel.
        keep_count: u64 = "10000", 1..=100_000_000;
        /// Time that a publication is kept. Seven days.
        keep_ms: i64 = "604800000", 1..=315_360_000_000;
        /// How log lines are written to stderr.
        format: LogFormat = "text";
        /// What is logged: error, warn, info, debug, trace, or filters by module such as `info,communiconnect::hub=debug`.
        level: String = "info";
    }
    /// This node.
    node: Node {
        /// Name of the node, told to clients; without it one is made at first start and kept in the data folder.
        id: Option<String> = "off";
        /// Where this very node is reached from outside, such as `https://node-2.example.org` or, where a proxy takes the path away, `https://example.org/node-2`: other nodes send encoders and players there that ask them, by WHIP or WHEP, for a live that this node carries (307), and their pages show the way to it. Without it encoders and players are answered 503, and pages can only name the node.
        url: Option<WebAddress> = "off";
        /// Time to send clients away and finish what runs, at SIGTERM or Ctrl-C.
        drain_ms: u64 = "10000", 0..=600_000;
    }
    /// Live streaming.
    live: Live {
        /// Address of the UDP socket that carries media.
        udp: SocketAddr = "0.0.0.0:8189";
        /// Whether old clients of WHIP and WHEP may change a session without saying which ICE session they mean (RFC 9725 demands it), or say so by a request header `ETag`.
        lenient_etag: bool = "off";
        /// Addresses told to media clients, where they differ from the machine's own (behind NAT).
        announce: Vec<String> = "";
        /// Threads that carry media; 0 is one per core.
        shards: usize = "0", 0..=256;
        /// Whether each start publishes and watches a test stream on this machine, so that `/readyz` tells whether live works before a broadcaster finds out. It takes a second and hardly any work.
        selftest: bool = "on";
        /// Lives at once on this node; the packets that are kept of each take some megabytes.
        lives: usize = "100", 1..=100_000;
        /// Viewers of one live on this node.
        viewers: usize = "2000", 1..=1_000_000;
        /// Peers of all lives at once, publishers and viewers; some 32 KiB each.
        peers: usize = "20000", 2..=10_000_000;
        /// Peers of one address (of IPv6: one /64) that were answered and have not connected, so that answering costs nobody else: enough for a lecture hall behind one address. Loopback is exempt.
        half_open: usize = "256", 1..=1_000_000;
        /// Mbit/s of media that a publisher may send; over it for five seconds it is told, and then closed. 1080p at 60 frames needs 8 to 9.
        publisher_mbit: u64 = "12", 1..=10_000;
        /// Mbit/s that the machine's line carries outward; a quarter of it may go to pictures of the past seconds for those who join late, first come, first served. 0 asks the machine's network devices, and takes 10,000 where one of them does not know.
        egress_mbit: u64 = "0", 0..=10_000_000;
        /// Bytes of packets kept of all lives together, for those who join late or missed something; over it the lives that the fewest watch keep less. One GiB.
        ring_bytes: usize = "1073741824", 1_048_576..=1_099_511_627_776;
        /// Time for a lost broadcaster to come back before the live ends.
        grace_ms: u64 = "30000", 1_000..=3_600_000;
        /// Time without any media after which a live that was started ends.
        first_media_ms: u64 = "600000", 1_000..=86_400_000;
        /// Time from a publisher's arrival to media that can be shown.
        connecting_ms: u64 = "10000", 1_000..=600_000;
        /// Time that a broadcaster's sound flows without any picture, though one was announced, before the live begins with its sound; a picture that comes later is shown. At most half of the time that a publisher has for media that can be shown.
        sound_alone_ms: u64 = "3000", 0..=60_000;
        /// The longest live. Twelve hours.
        longest_ms: u64 = "43200000", 1_000..=604_800_000;
        /// STUN and TURN servers that clients are told of, such as `stun:stun.example.org`.
        ice_servers: Vec<String> = "";
        /// Secret that is shared with the TURN servers (coturn's `static-auth-secret`), for credentials that run out.
        turn_secret: Option<Secret> = "off";
        /// Characters of a chat message.
        chat_chars: usize = "500", 1..=10_000;
        /// Chat messages of one person per second, while rate limits are on.
        chat_per_second: usize = "5", 1..=10_000;
        /// Reactions of one person per second to a live, while rate limits are on.
        reactions_per_second: usize = "10", 1..=10_000;
    }
    /// The operator's listener.
    admin: Admin {
        /// Address of the operator's listener, or `off`. It asks for no token: keep it on loopback or behind your own gate.
        listen: Option<SocketAddr> = "127.0.0.1:8081";
        /// Host names that the operator's listener answers to, without port, besides addresses and `localhost`: such as the name of its service. A page can give its own name any address (DNS rebinding), and must not speak for operators.
        hosts: Vec<String> = "";
        /// Whether anyone may subscribe to channels named `test:`, for load tests.
        test_channels: bool = "off";
    }
    /// Media files.
    media: Media {
        /// Where files are kept: `data` is the folder `media` in the data folder, `file:///folder` another one, which several nodes must share.
        url: BackendUrl = "data";
        /// Bytes of an uploaded picture; beyond it 413. Photos of phones have 2 to 8 million.
        image_bytes: u64 = "10485760", 1_024..=1_073_741_824;
        /// Bytes of an uploaded video; beyond it 413. A minute of a phone's video, made smaller for the web.
        video_bytes: u64 = "52428800", 1_024..=10_737_418_240;
        /// Longest uploaded video.
        video_ms: u64 = "60000", 1_000..=86_400_000;
        /// Bytes of an uploaded profile photo, which is shown small.
        photo_bytes: u64 = "5242880", 1_024..=1_073_741_824;
        /// Bytes that a picture's pixels may take once it is unpacked, judged by its header: a small file may claim any size. Enough for 33 million pixels of a photo; each worker needs about three times as much.
        decoded_bytes: u64 = "100663296", 1_048_576..=8_589_934_592;
        /// Pictures unpacked and made smaller at once, each on a thread of its own.
        workers: usize = "2", 1..=64;
        /// Uploads on their way at once, which bounds the disk that unfinished ones take; beyond it 503.
        uploads: usize = "64", 1..=100_000;
        /// Longest time of one upload, as slow lines need it.
        upload_ms: u64 = "600000", 1_000..=86_400_000;
        /// Time that an upload that is in no post is kept. One day.
        unused_ms: u64 = "86400000", 1_000..=31_536_000_000;
        /// Characters of what a picture shows, in words.
        alt_chars: usize = "1000", 1..=10_000;
        /// Seconds that caches may hand on what everybody may read, also after it was deleted. One day.
        cache_s: u64 = "86400", 0..=31_536_000;
    }
}
