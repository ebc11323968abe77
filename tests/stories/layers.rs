//! The import direction of `src/`, leaf to root, and the few names that only one place may say.
//!
//! Read from the sources as text: comments and string literals are blanked, then every path that starts at the crate
//! is placed in a layer. It knows nothing of Rust beyond that, which is why it has tests of its own below.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Layers from leaf to root; modules of one layer are separated by spaces and may not import each other, but for those
/// of the first entry of [`FRIENDS`]. A longer path wins over a shorter one (`hub::outbox` over `hub`).
const LAYERS: &[&str] = &[
    "blank clock config fault_proxy metrics ports shutdown tasks",
    "publication live::media",
    "hub::delivery hub::rate",
    "store broker hub::session hub::outbox live::forward live::machine live::audience",
    "auth",
    "hub analytics media",
    "social",
    "live",
    "handlers",
    "http web",
    "server cli main",
];

/// Modules of one layer that may import each other all the same: small things under the rest of their layer.
const FRIENDS: &[&str] =
    &["blank clock config fault_proxy metrics ports shutdown tasks", "server cli main", "http web"];

/// `(text, where it may stand, why)`: names that only one place may say.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("redis::", &["broker/"], "Redis is one broker of several"),
    ("rusqlite", &["store/"], "SQL is the store's alone"),
    ("tokio_postgres", &["store/"], "SQL is the store's alone"),
    ("refinery", &["store/"], "migrations are the store's alone"),
    ("hyper::server", &["http/"], "connections are accepted in one place"),
    ("hyper_util::server", &["http/"], "connections are accepted in one place"),
    ("tungstenite", &["http/"], "the WebSocket library can be changed in one place"),
    ("hyper::client", &["auth/jwks.rs"], "the one HTTP client fetches keys"),
    ("hyper_util::client", &["auth/jwks.rs"], "the one HTTP client fetches keys"),
    ("reqwest", &[], "the one HTTP client fetches keys"),
    ("rtc_rtp", &["live/rtc/", "live/forward/"], "packets are parsed in one place"),
    ("rtc_rtcp", &["live/rtc/", "live/forward/"], "packets are parsed in one place"),
    ("rtc_dtls", &["live/rtc/", "live/plane/tests"], "the transport's library can be changed in one place"),
    ("rtc_srtp", &["live/rtc/", "live/plane/tests"], "the transport's library can be changed in one place"),
    ("rtc_sdp", &["live/rtc/"], "the transport's library can be changed in one place"),
    ("webrtc::", &["live/selftest"], "the product is its own stack; another is there to test it"),
    ("webrtc_core", &["live/selftest"], "the product is its own stack; another is there to test it"),
    ("axum", &["http/"], "handlers are used by socket and HTTP alike"),
];

/// Past this a file is split.
const MOST_LINES: usize = 800;

/// A source file: its path below `src/` and its text.
struct Source {
    path: String,
    text: String,
}

/// Every broken rule, each as a line that says what to do.
fn broken_rules(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            broken.push(format!("{}: {lines} lines, {MOST_LINES} at most: split it", source.path));
        }
        let code = without_comments_and_text(&source.text);
        for (name, places, why) in CONFINED {
            let allowed = places.iter().any(|place| source.path.starts_with(place));
            if !allowed && says(&code, name) {
                broken.push(format!("{} names {name}, which {places:?} alone may: {why}", source.path));
            }
        }
        let module = module_of(&source.path);
        let Some(own) = layer_of(&module) else {
            if module != "lib" {
                broken.push(format!("{}: {module} has no layer: give it one in layers.rs", source.path));
            }
            continue;
        };
        for import in imports(&code, &module) {
            let Some(other) = layer_of(&import) else { continue };
            let same_module = own.1 == other.1;
            let friends = FRIENDS.iter().any(|friends| has(friends, own.1) && has(friends, other.1));
            if other.0 > own.0 || (other.0 == own.0 && !same_module && !friends) {
                broken.push(format!(
                    "{} ({}) imports {import} ({}): not downwards",
                    source.path, own.1, other.1
                ));
            }
        }
    }
    broken
}

fn has(layer: &str, module: &str) -> bool {
    layer.split(' ').any(|known| known == module)
}

/// The layer's number and the module's name in it, by the longest name that `path` starts with.
fn layer_of(path: &str) -> Option<(usize, &'static str)> {
    let mut found: Option<(usize, &'static str)> = None;
    for (number, layer) in LAYERS.iter().enumerate() {
        for module in layer.split(' ') {
            let inside =
                path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"));
            if inside && found.is_none_or(|(_, best)| module.len() > best.len()) {
                found = Some((number, module));
            }
        }
    }
    found
}

/// `hub/outbox.rs` and `hub/outbox/mod.rs` are `hub::outbox`.
fn module_of(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.replace('/', "::")
}

/// Paths below the crate that `code` (of `module`) names, as far as two segments.
fn imports(code: &str, module: &str) -> Vec<String> {
    let squeezed = squeezed(code);
    let mut found = Vec::new();
    for root in ["crate::", "communiconnect::"] {
        for (at, _) in squeezed.match_indices(root) {
            let before = squeezed[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                continue;
            }
            expand(&squeezed[at + root.len()..], "", &mut found);
        }
    }
    // `super` climbs from the module itself, so it can leave a layer too.
    for (at, _) in squeezed.match_indices("super::") {
        let before = squeezed[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
            || squeezed[..at].ends_with("super::")
        {
            continue;
        }
        let mut rest = &squeezed[at..];
        let inline = inline_modules(&squeezed[..at]);
        let mut base: Vec<&str> = module.split("::").chain(std::iter::repeat_n("inline", inline)).collect();
        while let Some(further) = rest.strip_prefix("super::") {
            base.pop();
            rest = further;
        }
        let prefix = if base.is_empty() { String::new() } else { format!("{}::", base.join("::")) };
        expand(rest, &prefix, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// How many `mod name {` are still open at the end of this code.
fn inline_modules(code: &str) -> usize {
    let mut open: Vec<bool> = Vec::new();
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => {
                let mut words = code[..at].rsplit([' ', ';', '}', '{', ']']);
                let (_name, keyword) = (words.next(), words.next());
                open.push(keyword == Some("mod"));
            }
            '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

/// Follows `a::{b, c::d}` from where it starts, to two segments below `prefix`'s root.
fn expand(rest: &str, prefix: &str, found: &mut Vec<String>) {
    if let Some(group) = rest.strip_prefix('{') {
        let mut depth = 0_usize;
        let mut start = 0;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    expand(&group[start..at], prefix, found);
                    return;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&group[start..at], prefix, found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let name: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    if name.is_empty() || name == "self" {
        found.push(prefix.trim_end_matches("::").to_string());
        return;
    }
    let path = format!("{prefix}{name}");
    match rest[name.len()..].strip_prefix("::") {
        Some(further) if path.matches("::").count() < 1 => expand(further, &format!("{path}::"), found),
        _ => found.push(path),
    }
}

/// Without spaces around path separators, braces and commas, so that a `use` over many lines reads as one path.
fn squeezed(code: &str) -> String {
    let mut text = String::with_capacity(code.len());
    for word in code.split_whitespace() {
        let joins = text.ends_with(['{', '}', ',', ':']) || word.starts_with(['{', '}', ',', ':']);
        if !text.is_empty() && !joins {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// Whether `name` stands in `code` as a path's beginning, not inside a longer word.
fn says(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let joined = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric());
        !joined(before) && (name.ends_with("::") || !joined(after))
    })
}

/// Blanks comments, strings and characters; line ends stay.
fn without_comments_and_text(source: &str) -> String {
    let bytes: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => comment_length(rest),
            ['"', ..] => string_length(rest),
            ['r', '"' | '#', ..]
                if !code.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') =>
            {
                raw_string_length(rest)
            }
            ['\'', '\\', ..] => 3 + rest[3..].iter().position(|letter| *letter == '\'').unwrap_or(0),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            code.push(bytes[at]);
            at += 1;
        } else {
            for letter in &rest[..length.min(rest.len())] {
                code.push(if *letter == '\n' { '\n' } else { ' ' });
            }
            at += length;
        }
    }
    code
}

fn comment_length(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn string_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|letter| **letter == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = 2 + hashes;
    let found = rest[body..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |at| body + at + end.len())
}

fn sources_of(folder: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    while let Some(inside) = folders.pop() {
        for entry in std::fs::read_dir(&inside).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(folder).expect("inside").to_string_lossy().replace('\\', "/");
                sources.push(Source { path: below, text: std::fs::read_to_string(&path).expect("UTF-8") });
            }
        }
    }
    sources.sort_by(|one, two| one.path.cmp(&two.path));
    sources
}

#[test]
fn imports_go_from_root_to_leaf_alone() {
    let sources = sources_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 3, "the sources were found");
    let broken = broken_rules(&sources);
    let mut said = String::new();
    for line in &broken {
        let _ = write!(said, "\n  {line}");
    }
    assert!(broken.is_empty(), "src/ARCHITECTURE.md says which way imports go:{said}");
}

#[test]
fn made_up_sources_that_break_the_rules_are_found_out() {
    let upward = [
        ("store/mod.rs", "use crate::broker::Broker;"),
        ("store/sql/log.rs", "use crate::{clock::Clock, hub::Hub};"),
        ("hub/mod.rs", "use crate::social::Social;"),
        ("hub/outbox.rs", "use super::Hub;"),
        ("hub/session/mod.rs", "fn f() -> crate::auth::Identity { todo() }"),
        ("broker/memory.rs", "use crate :: {\n    publication::Publication,\n    http::ws,\n};"),
        ("auth/mod.rs", "use super::handlers::run;"),
        ("social/posts.rs", "use crate::handlers;"),
        ("http/ws.rs", "pub use communiconnect::server::Server;"),
        ("analytics/mod.rs", "use crate::media::Media;"),
        ("novel/mod.rs", ""),
        ("social/feed.rs", "use rusqlite::Connection;"),
        ("hub/fanout.rs", "fn f(x: redis::Client) {}"),
        ("handlers/mod.rs", "use axum::Json;"),
        ("auth/tokens.rs", "use hyper_util::client::legacy::Client;"),
        ("hub/hub.rs", "use tokio_tungstenite::WebSocketStream;"),
    ];
    for (path, text) in upward {
        let source = Source { path: path.into(), text: text.into() };
        assert_eq!(broken_rules(&[source]).len(), 1, "{path}: {text}");
    }
    let long = Source { path: "clock.rs".into(), text: "\n".repeat(MOST_LINES + 1) };
    assert_eq!(broken_rules(&[long]).len(), 1);
}

#[test]
fn made_up_sources_that_keep_the_rules_are_left_alone() {
    let downward = [
        ("lib.rs", "pub mod server;\npub mod clock;"),
        (
            "store/sql/sqlite/mod.rs",
            "use rusqlite::Connection;\nuse super::Store;\nuse crate::publication::Publication;",
        ),
        (
            "hub/hub.rs",
            "use super::outbox::Outbox;\nuse crate::{auth::Identity, store, hub::session::Session};",
        ),
        ("hub/session.rs", "#[cfg(test)]\nmod tests { use super::*; }"),
        ("social/mod.rs", "// crate::handlers would be upward\nconst WHY: &str = \"crate::http\";"),
        (
            "social/text.rs",
            "/* crate::server /* nested */ crate::http */ const A: char = '\"'; const B: char = '\\'';",
        ),
        ("social/raw.rs", "const A: &str = r#\"crate::server \"quoted\" \"#; use crate::hub::Hub;"),
        ("handlers/posts.rs", "use crate::social::{self, posts::{Post, Rules}};"),
        ("http/mod.rs", "use axum::Router;\nuse crate::handlers;\nuse tokio_tungstenite::tungstenite;"),
        ("auth/jwks.rs", "use hyper_util::client::legacy::Client;"),
        ("main.rs", "use communiconnect::server;"),
        ("auth/words.rs", "fn predis() {} use crate::store::accounts;"),
    ];
    for (path, text) in downward {
        let source = Source { path: path.into(), text: text.into() };
        assert_eq!(broken_rules(&[source]), [] as [String; 0], "{path}: {text}");
    }
}
