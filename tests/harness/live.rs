//! Lives as encoders and players see them: offers that real clients made, WHIP and WHEP by HTTP, and a thin real client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use loadtest::media::{picture, rtp, sizes::Model};
use loadtest::rtc::{
    Answer, Connection, Credentials, Identity, Offer, PAYLOAD_AUDIO, PAYLOAD_VIDEO, Received, Role, RtcError,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{Client, Encoding, Http, HttpReply, Server, op, text, within};

/// Offers to send, by who made them.
pub const PUBLISHERS: [(&str, &str); 7] = [
    ("aiortc", include_str!("../../src/live/rtc/sdp/fixtures/aiortc-publish.offer.sdp")),
    ("chromium", CHROMIUM_PUBLISH),
    (
        "chromium with simulcast",
        include_str!("../../src/live/rtc/sdp/fixtures/chromium-publish-simulcast.offer.sdp"),
    ),
    ("ffmpeg", FFMPEG_PUBLISH),
    (
        "firefox with simulcast",
        include_str!("../../src/live/rtc/sdp/fixtures/firefox-publish-simulcast.offer.sdp"),
    ),
    ("gstreamer", include_str!("../../src/live/rtc/sdp/fixtures/gstreamer-publish.offer.sdp")),
    ("libdatachannel", include_str!("../../src/live/rtc/sdp/fixtures/libdatachannel-publish.offer.sdp")),
];

/// Offers to watch, by who made them.
pub const PLAYERS: [(&str, &str); 5] = [
    ("aiortc", include_str!("../../src/live/rtc/sdp/fixtures/aiortc-watch.offer.sdp")),
    ("chromium", CHROMIUM_WATCH),
    ("firefox", include_str!("../../src/live/rtc/sdp/fixtures/firefox-watch.offer.sdp")),
    ("gstreamer", include_str!("../../src/live/rtc/sdp/fixtures/gstreamer-watch.offer.sdp")),
    ("libdatachannel", include_str!("../../src/live/rtc/sdp/fixtures/libdatachannel-watch-data.offer.sdp")),
];

pub const CHROMIUM_PUBLISH: &str = include_str!("../../src/live/rtc/sdp/fixtures/chromium-publish.offer.sdp");
pub const CHROMIUM_WATCH: &str = include_str!("../../src/live/rtc/sdp/fixtures/chromium-watch.offer.sdp");
pub const FFMPEG_PUBLISH: &str = include_str!("../../src/live/rtc/sdp/fixtures/ffmpeg-publish.offer.sdp");

/// A fragment with one candidate, as a browser trickles it.
pub const TRICKLE: &str = "a=candidate:1 1 udp 2122260223 192.0.2.9 61764 typ host\r\n";

/// A server with somebody who has started a live.
pub struct Stage {
    pub server: Server,
    pub http: Http,
    pub owner: Client,
    pub community: String,
    pub live: String,
    pub key: String,
}

impl Stage {
    /// A public live of the person `owner`, to which nobody sends yet.
    pub async fn begin(settings: &[&str]) -> Self {
        let server = Server::with(settings).await;
        let mut owner = server.client("owner", Encoding::Json).await;
        let community = owner.makes_community("Stage").await;
        let (live, key) = owner.starts_live(&community, "public").await;
        Self { http: server.http(), server, owner, community, live, key }
    }

    /// Where encoders send.
    pub fn whip(&self) -> String {
        format!("/v1/live/{}/whip", self.live)
    }

    /// Where players ask.
    pub fn whep(&self) -> String {
        format!("/v1/live/{}/whep", self.live)
    }

    /// Sends an offer with the live's key.
    pub async fn publish(&self, sdp: &str) -> HttpReply {
        self.http.offer(&self.whip(), Some(&self.key), sdp).await
    }

    /// Sends an offer to watch as a guest.
    pub async fn watch(&self, sdp: &str) -> HttpReply {
        self.http.offer(&self.whep(), None, sdp).await
    }

    /// An accepted session of an encoder that never connects; its path.
    pub async fn session(&self) -> Session {
        Session::of(&self.publish(FFMPEG_PUBLISH).await)
    }

    /// A broadcaster whose media arrives: returns once the live can be watched.
    pub async fn goes_live(&self) -> Broadcast {
        let broadcast = Broadcast::start(self).await;
        self.becomes("live").await;
        broadcast
    }

    /// The live as everybody sees it.
    pub async fn seen(&self) -> Value {
        let live = json!({"live_id": self.live});
        self.http.command(Encoding::Json, "live.get", None, &live).await.ok()["live"].clone()
    }

    /// Waits until the live is in a state; the live then.
    pub async fn becomes(&self, state: &str) -> Value {
        within("the live's next state", async {
            loop {
                let live = self.seen().await;
                if live["state"] == state {
                    return live;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }
}

impl Client {
    /// Starts a live; its id and its key.
    pub async fn starts_live(&mut self, community: &str, visibility: &str) -> (String, String) {
        let body =
            json!({"op": op(), "title": "A live", "community_id": community, "visibility": visibility});
        let started = self.ok("live.start", body).await;
        (text(&started["live"]["id"]), text(&started["stream_key"]))
    }
}

impl Http {
    /// `POST` of an offer.
    pub async fn offer(&self, path: &str, token: Option<&str>, sdp: &str) -> HttpReply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/sdp")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        self.request(Method::POST, path, &headers, sdp.as_bytes().to_vec()).await
    }

    /// `PATCH` of a fragment.
    pub async fn fragment(&self, path: &str, headers: &[(&str, &str)], fragment: &str) -> HttpReply {
        let mut all = vec![("content-type", "application/trickle-ice-sdpfrag")];
        all.extend_from_slice(headers);
        self.request(Method::PATCH, path, &all, fragment.as_bytes().to_vec()).await
    }
}

/// What a 201 says.
#[derive(Clone, Debug)]
pub struct Session {
    pub path: String,
    pub etag: String,
    pub answer: String,
}

impl Session {
    /// Of an accepted offer.
    pub fn of(reply: &HttpReply) -> Self {
        assert_eq!(reply.status, 201, "{}", reply.text());
        let header = |name| reply.header(name).unwrap_or_else(|| panic!("201 has {name}")).to_owned();
        Self { path: header("location"), etag: header("etag"), answer: reply.text() }
    }
}

/// A broadcaster that sends a picture and sound until it is dropped.
pub struct Broadcast {
    pub session: Session,
    camera: Arc<AtomicBool>,
    moves: mpsc::UnboundedSender<Move>,
    sending: JoinHandle<Result<(), RtcError>>,
}

impl Broadcast {
    /// Connects and begins to send.
    pub async fn start(stage: &Stage) -> Self {
        let broadcast = Self::with_sound_alone(stage).await;
        broadcast.turn_camera_on();
        broadcast
    }

    /// Connects and begins to send sound, though it has offered a picture too.
    pub async fn with_sound_alone(stage: &Stage) -> Self {
        let identity = Identity::generate().expect("randomness");
        let ssrcs: [u32; 3] = rand::random();
        let offer = Offer::new(Role::Publish { ssrcs }, identity.fingerprint());
        let session = Session::of(&stage.publish(&offer.text).await);
        let answer = Answer::parse(&session.answer).expect("an answer");
        let connection =
            Connection::open(&identity, &offer, &answer).await.expect("the broadcaster connects");
        let camera = Arc::new(AtomicBool::new(false));
        let (moves, moving) = mpsc::unbounded_channel();
        let sending = tokio::spawn(send(connection, ssrcs, camera.clone(), moving));
        Self { session, camera, moves, sending }
    }

    /// Goes on under the ICE credentials of these fragments, its own and the server's, and from another port; whether the
    /// server still agrees to the former ones then.
    pub async fn restarts(&self, own: &str, servers: &str) -> bool {
        let (told, done) = oneshot::channel();
        let [own, new] = [own, servers].map(|text| Credentials::parse(text).expect("credentials"));
        assert!(self.moves.send(Move { own, new, told }).is_ok(), "it sends");
        within("the restart", done).await.expect("it restarted")
    }

    /// Sends its picture as well from now on.
    pub fn turn_camera_on(&self) {
        self.camera.store(true, Ordering::Relaxed);
    }

    /// Waits until the server says goodbye; how long that took.
    pub async fn hears_goodbye(self) -> Duration {
        let began = Instant::now();
        let ending = within("the server's goodbye", self.sending).await.expect("no panic");
        assert!(matches!(ending, Err(RtcError::Closed)), "{ending:?}");
        began.elapsed()
    }

    /// Goes without a word.
    pub fn vanish(self) {
        self.sending.abort();
    }
}

/// A broadcaster is to move.
struct Move {
    own: Credentials,
    new: Credentials,
    told: oneshot::Sender<bool>,
}

async fn send(
    mut connection: Connection,
    ssrcs: [u32; 3],
    camera: Arc<AtomicBool>,
    mut moves: mpsc::UnboundedReceiver<Move>,
) -> Result<(), RtcError> {
    let mut picture = picture::Picture::new(picture::Settings {
        bitrate: 300_000,
        frames_per_second: 30,
        key_interval: Duration::from_secs(1),
        sizes: Model::Chromium,
        seed: 1,
    });
    let mut ticks = tokio::time::interval(Duration::from_millis(33));
    let (began, mut sequence, mut sounds) = (Instant::now(), [1_u16, 1], 0_u32);
    let mut packet = |connection: &mut Connection, kind: usize, header: rtp::Header, payload: &[u8]| {
        let header = rtp::Header { sequence: sequence[kind], ssrc: ssrcs[kind], ..header };
        sequence[kind] = sequence[kind].wrapping_add(1);
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        bytes.extend_from_slice(payload);
        connection.send_rtp(&bytes)
    };
    let header = |payload_type, timestamp, marker| rtp::Header {
        marker,
        payload_type,
        sequence: 0,
        timestamp,
        ssrc: 0,
    };
    loop {
        ticks.tick().await;
        while connection.receive()?.is_some() {}
        if let Ok(Move { own, new, told }) = moves.try_recv() {
            let former = connection.check();
            connection.restart(own, &new).await?;
            told.send(connection.agrees_to(former).await?).expect("it is waited for");
        }
        if camera.load(Ordering::Relaxed) {
            let timestamp = picture.timestamp();
            let mut frame = picture.next_frame();
            while let Some((payload, is_last)) = frame.next_packet(began.elapsed()) {
                packet(&mut connection, 1, header(PAYLOAD_VIDEO, timestamp, is_last), &payload)?;
            }
        }
        sounds += 1;
        packet(&mut connection, 0, header(PAYLOAD_AUDIO, sounds.wrapping_mul(1_584), false), &[0x78; 80])?;
    }
}

/// A player whose media arrives.
pub struct Player {
    pub session: Session,
    pub links: Vec<String>,
    pub connection: Connection,
}

impl Player {
    /// Watches as a guest, or as the person of a token.
    pub async fn start(stage: &Stage, token: Option<&str>) -> Self {
        let identity = Identity::generate().expect("randomness");
        let offer = Offer::new(Role::Watch, identity.fingerprint());
        let reply = stage.http.offer(&stage.whep(), token, &offer.text).await;
        let session = Session::of(&reply);
        let links = reply.all("link");
        let answer = Answer::parse(&session.answer).expect("an answer");
        let connection = Connection::open(&identity, &offer, &answer).await.expect("the player connects");
        Self { session, links, connection }
    }

    /// Goes on under the ICE credentials of these fragments, its own and the server's, and from another port; whether the
    /// server still agrees to the former ones then.
    pub async fn restarts(&mut self, own: &str, servers: &str) -> bool {
        let [own, new] = [own, servers].map(|text| Credentials::parse(text).expect("credentials"));
        let former = self.connection.check();
        self.connection.restart(own, &new).await.expect("the new credentials lead to it");
        self.connection.agrees_to(former).await.expect("a socket")
    }

    /// Waits for that many packets of media.
    pub async fn sees(&mut self, packets: usize) {
        self.gets(packets, |_| true).await;
    }

    /// Waits for that many packets of its picture.
    pub async fn sees_pictures(&mut self, packets: usize) {
        self.gets(packets, |payload_type| payload_type == PAYLOAD_VIDEO).await;
    }

    async fn gets(&mut self, mut packets: usize, counts: impl Fn(u8) -> bool) {
        within("media", async {
            while packets > 0 {
                match self.connection.receive().expect("the connection holds") {
                    Some(Received::Rtp(packet, ..)) => packets -= usize::from(counts(packet[1] & 0x7f)),
                    Some(Received::Rtcp(_)) => {}
                    None => self.connection.readable().await.expect("the socket holds"),
                }
            }
        })
        .await;
    }

    /// Waits until the server says goodbye; how long that took.
    pub async fn hears_goodbye(self) -> Duration {
        let began = Instant::now();
        goodbye(self.connection).await;
        began.elapsed()
    }
}

/// Waits until the server closes a connection.
pub async fn goodbye(mut connection: Connection) {
    within("the server's goodbye", async {
        loop {
            match connection.receive() {
                Ok(Some(_)) => {}
                Ok(None) => connection.readable().await.expect("the socket holds"),
                Err(RtcError::Closed) => return,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
}

impl Client {
    /// Tries the way of media with a peer of its own; it is connected.
    pub async fn probes(&mut self) -> Connection {
        let identity = Identity::generate().expect("randomness");
        let offer = Offer::new(Role::Watch, identity.fingerprint());
        let probed = self.ok("rtc.probe", json!({"sdp": offer.text})).await;
        let answer = Answer::parse(&text(&probed["sdp"])).expect("an answer");
        Connection::open(&identity, &offer, &answer).await.expect("the way is open")
    }
}

/// The `m=` sections of a description, each with its lines.
pub fn sections(sdp: &str) -> Vec<Vec<&str>> {
    let mut sections = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    sections
}

/// The events of a stream as they come: their names, and their one line of data as JSON.
pub struct Events {
    response: reqwest::Response,
    buffer: String,
}

impl Events {
    /// Opens a stream.
    pub async fn open(http: &Http, path: &str) -> Self {
        let response = http.stream(path).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next event, none after the end.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        within("an event", async {
            loop {
                if let Some(end) = self.buffer.find("\n\n") {
                    let block: String = self.buffer.drain(..end + 2).collect();
                    let lines: Vec<_> = block.lines().filter(|line| !line.starts_with(':')).collect();
                    match lines[..] {
                        [] | [""] => continue,
                        _ => return Some(read_event(&lines)),
                    }
                }
                let chunk = self.response.chunk().await.expect("the stream holds")?;
                self.buffer.push_str(std::str::from_utf8(&chunk).expect("text"));
            }
        })
        .await
    }

    /// The next event of this name; its data.
    pub async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await.unwrap_or_else(|| panic!("{name} before the end"));
            if found == name {
                return data;
            }
        }
    }
}

fn read_event(lines: &[&str]) -> (String, Value) {
    let of = |field: &str| lines.iter().filter_map(|line| line.strip_prefix(field)).collect::<Vec<_>>();
    let (names, data) = (of("event: "), of("data: "));
    assert_eq!((names.len(), data.len()), (1, 1), "one name and one line of data: {lines:?}");
    (names[0].to_owned(), serde_json::from_str(data[0]).expect("JSON"))
}
