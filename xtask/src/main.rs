//! Project chores. `cargo xtask test` checks everything that can be checked on one machine, a fresh one included.

mod conflicts;
mod machine;
mod steps;
mod two_nodes;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask test [STEP...]

Runs every step, or those named, in this order, and says at the end what it ran:
  machine    installs what the tests need: chromium, firefox-esr, nodejs, npm, GStreamer, PostgreSQL, Redis, openssl (apt),
             the browser driver and libdatachannel (npm), aiortc and FFmpeg with WHIP (pip)
  format     no marks of merge conflicts in any tracked file, cargo fmt --check
  lint       cargo clippy, warnings are errors
  test       cargo test: unit tests, stories against the real binary, benches in test mode, examples
  two-nodes  cargo test: the stories of the hub, of posts and of comments again, each on two nodes over PostgreSQL and Redis
  doctest    cargo test --doc
  doc        cargo doc, warnings are errors
  page       node --test: the page's rules without a browser
  browser    node --test: the page in Chromium against the real binary
  peers      node --test: Chromium, Firefox, libdatachannel, FFmpeg, GStreamer and aiortc broadcast and watch

A failed step does not stop the others. The exit code is 0 when all that ran has passed.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((chore, names)) if chore == "test" => match steps::chosen(names) {
            Ok(chosen) => steps::run(&chosen),
            Err(error) => refuse(&error.to_string()),
        },
        Some((word, _)) if ["help", "--help", "-h"].contains(&word.as_str()) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Some((word, _)) => refuse(&format!("no chore is called {word:?}")),
        None => refuse("which chore?"),
    }
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}\n\n{HELP}");
    ExitCode::from(2)
}
