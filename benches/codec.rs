//! What the wire costs: a typical publication and a typical command, both encodings, against plain `rmp-serde` and
//! `serde_json` of the same data as typed structs, without guard, envelope checks or stored event bodies.
//!
//! `cargo bench --bench codec` prints criterion's figures and then the ratios, each measured side by side in one run.

use communiconnect_protocol::{
    Channel, Command, CommunityId, Data, Format, Post, PostCounts, PostCreate, PostEvent, PostId, PostKind,
    PublicationPush, Role, User, UserId, Visibility, decode_command, decode_message, encode_command,
    encode_push, event, kind,
};
use criterion::Criterion;
use serde::{Deserialize, Serialize};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// The publication as somebody would write it down without a log to keep it in.
#[derive(Serialize, Deserialize)]
struct PlainPublication {
    channel: String,
    offset: u64,
    event: String,
    data: PostEvent,
    at: i64,
}

/// One thing measured in two ways.
struct Pair<'a> {
    name: &'static str,
    ours: Box<dyn Fn() + 'a>,
    plain: Box<dyn Fn() + 'a>,
}

fn pair<'a, A, B>(name: &'static str, ours: impl Fn() -> A + 'a, plain: impl Fn() -> B + 'a) -> Pair<'a> {
    Pair {
        name,
        ours: Box::new(move || drop(black_box(ours()))),
        plain: Box::new(move || drop(black_box(plain()))),
    }
}

fn main() {
    let event = post_event();
    let channel = Channel::Feed(CommunityId::new(AT));
    let push = PublicationPush {
        channel: channel.clone(),
        offset: 42,
        event: event::POST_CREATED.into(),
        data: Data::of(&event),
        at: AT,
    };
    let plain = PlainPublication {
        channel: channel.to_string(),
        offset: 42,
        event: event::POST_CREATED.into(),
        data: event,
        at: AT,
    };
    let create = post_create();
    let command = Command::PostCreate(create.clone());

    let pushed = Format::ALL.map(|format| encode_push(format, kind::PUBLICATION, &push));
    let sent = Format::ALL.map(|format| encode_command(format, 7, command.name(), &command));
    let [pushed_msgpack, pushed_json] = &pushed;
    let [sent_msgpack, sent_json] = &sent;
    println!(
        "a publication is {} bytes of MessagePack, {} of JSON; a command {} and {}",
        pushed_msgpack.len(),
        pushed_json.len(),
        sent_msgpack.len(),
        sent_json.len(),
    );

    type PlainMessage<T> = (u64, String, T);
    let read_push = |format, bytes: &[u8]| {
        let (_, _, body) = decode_message(format, bytes).expect("a push");
        let push: PublicationPush = body.read().expect("a publication");
        push.data.read::<PostEvent>().expect("a post")
    };
    let pairs = [
        pair(
            "publication_encode_msgpack",
            || encode_push(Format::Msgpack, kind::PUBLICATION, &push),
            || rmp_serde::to_vec_named(&(0, kind::PUBLICATION, &plain)).expect("it encodes"),
        ),
        pair(
            "publication_encode_json",
            || encode_push(Format::Json, kind::PUBLICATION, &push),
            || serde_json::to_vec(&(0, kind::PUBLICATION, &plain)).expect("it encodes"),
        ),
        pair(
            "publication_decode_msgpack",
            || read_push(Format::Msgpack, pushed_msgpack),
            || rmp_serde::from_slice::<PlainMessage<PlainPublication>>(pushed_msgpack).expect("it decodes"),
        ),
        pair(
            "publication_decode_json",
            || read_push(Format::Json, pushed_json),
            || serde_json::from_slice::<PlainMessage<PlainPublication>>(pushed_json).expect("it decodes"),
        ),
        pair(
            "command_encode_msgpack",
            || encode_command(Format::Msgpack, 7, command.name(), &command),
            || rmp_serde::to_vec_named(&(7, "post.create", &create)).expect("it encodes"),
        ),
        pair(
            "command_encode_json",
            || encode_command(Format::Json, 7, command.name(), &command),
            || serde_json::to_vec(&(7, "post.create", &create)).expect("it encodes"),
        ),
        pair(
            "command_decode_msgpack",
            || decode_command(Format::Msgpack, sent_msgpack).expect("it decodes"),
            || rmp_serde::from_slice::<PlainMessage<PostCreate>>(sent_msgpack).expect("it decodes"),
        ),
        pair(
            "command_decode_json",
            || decode_command(Format::Json, sent_json).expect("it decodes"),
            || serde_json::from_slice::<PlainMessage<PostCreate>>(sent_json).expect("it decodes"),
        ),
    ];

    let mut criterion = Criterion::default().configure_from_args();
    for Pair { name, ours, plain } in &pairs {
        let mut group = criterion.benchmark_group(*name);
        group.bench_function("ours", |bencher| bencher.iter(ours));
        group.bench_function("plain", |bencher| bencher.iter(plain));
        group.finish();
    }
    criterion.final_summary();
    if std::env::args().any(|arg| arg == "--bench") {
        pairs.iter().for_each(print_ratio);
    }
}

/// Both ways turn by turn, so that whatever else the machine does falls on both; the medians are compared.
fn print_ratio(Pair { name, ours, plain }: &Pair<'_>) {
    const ROUNDS: usize = 101;
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in 0..ROUNDS {
        times[0].push(thousand(ours));
        times[1].push(thousand(plain));
    }
    let [ours, plain] = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e6
    });
    println!("{name:28} ours {ours:7.0} ns  plain {plain:7.0} ns  ratio {:.2}", ours / plain);
}

/// How long a thousand runs take: in milliseconds the time of one in microseconds.
fn thousand(run: &dyn Fn()) -> Duration {
    let start = Instant::now();
    for _ in 0..1000 {
        run();
    }
    start.elapsed()
}

const AT: i64 = 1_760_000_000_000;

/// About 300 characters, as people write them.
const CONTENT: &str = "L'eau est revenue dans le nord de la ville depuis ce matin, mais la pression reste faible \
    au-dessus du deuxième étage. Merci de garder quelques réserves et de signaler les fuites ici avec une adresse : \
    l'équipe passe chaque soir. \"Petit à petit\", disait ma grand-mère. \u{1f64f} On se tient au courant demain vers midi.";

fn post_event() -> PostEvent {
    let author = User {
        id: UserId::new(AT),
        username: "awa.ndiaye".into(),
        name: "Awa Ndiaye".into(),
        photo: None,
        bio: "Au quartier depuis vingt ans".into(),
        role: Role::User,
        my: None,
    };
    let post = Post {
        id: PostId::new(AT),
        community_id: CommunityId::new(AT),
        kind: PostKind::Info,
        title: Some("Eau : retour progressif".into()),
        content: CONTENT.into(),
        visibility: Visibility::Public,
        anonymous: false,
        author: Some(author),
        media: vec![],
        live_id: None,
        counts: PostCounts::default(),
        version: 1,
        created_at: AT,
        edited_at: None,
        my: None,
    };
    PostEvent { post, op: Some("6f0b7a51-2f0e-4a3e-9d63-0d8f6d1c2a77".into()) }
}

fn post_create() -> PostCreate {
    PostCreate {
        op: "6f0b7a51-2f0e-4a3e-9d63-0d8f6d1c2a77".into(),
        community_id: CommunityId::new(AT),
        kind: PostKind::Info,
        title: Some("Eau : retour progressif".into()),
        content: CONTENT.into(),
        media_ids: vec![],
        visibility: Visibility::Public,
        anonymous: false,
    }
}
