//! Starting and stopping: settings and their errors, the folder's lock, the drain, the small subcommands.

use std::{process::Output, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Client, Encoding, SECRET, Server, post, text, within};

async fn run(server: &Server, arguments: &[&str]) -> Output {
    let mut command = server.command(arguments);
    within("a command of the binary", command.stdin(std::process::Stdio::null()).kill_on_drop(true).output())
        .await
        .expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn an_unknown_setting_stops_the_start_and_names_the_nearest() {
    let server = Server::prepared(&[]);
    let file = server.home().join("wrong.toml");
    std::fs::write(&file, "[limits]\nmesage_bytes = 5\n").expect("written");
    let from_file = file.to_str().expect("UTF-8").to_string();
    for (arguments, wrong, nearest) in [
        (vec!["serve", "--set", "limts.rates=off"], "limts.rates", "limits.rates"),
        (vec!["serve", "--set", "http.lisen=127.0.0.1:0"], "http.lisen", "http.listen"),
        (vec!["serve", "--config", &from_file], "limits.mesage_bytes", "limits.message_bytes"),
        (vec!["config", "--set", "social.edit_windw_ms=1"], "social.edit_windw_ms", "social.edit_window_ms"),
    ] {
        let output = run(&server, &arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains(wrong) && said.contains(nearest), "{arguments:?}: {said}");
        assert!(!stdout(&output).contains("ready "));
    }
    let output = within(
        "the binary",
        server.command(&["serve"]).env("CC_LIMITS__MESAGE_BYTES", "5").kill_on_drop(true).output(),
    )
    .await
    .expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("limits.message_bytes"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_wrong_value_stops_the_start_with_its_reason() {
    let server = Server::prepared(&[]);
    for wrong in [
        "limits.message_bytes=lots",
        "limits.message_bytes=-1",
        "limits.rates=perhaps",
        "http.listen=nowhere",
        "admin.listen=256.0.0.1:1",
        "auth.guests=sometimes",
        "store.url=oracle://x",
        "no_section",
    ] {
        let output = run(&server, &["serve", "--set", wrong]).await;
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", stderr(&output));
        let name = wrong.split('=').next().expect("a name");
        assert!(stderr(&output).contains(name), "{wrong}: {}", stderr(&output));
    }
    let missing = run(&server, &["serve", "--config", "/nowhere/at/all.toml"]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/nowhere/at/all.toml"));
    let unknown = run(&server, &["sevre"]).await;
    assert_eq!(unknown.status.code(), Some(2));
}

#[tokio::test]
async fn a_start_on_a_taken_port_leaves_nothing_behind() {
    let server = Server::prepared(&[]);
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = other.local_addr().expect("bound").to_string();
    let data = server.home().join("new/data");
    let at = format!("store.data={}", data.display());
    for setting in ["http.listen", "admin.listen"] {
        let wish = format!("{setting}={taken}");
        let output = run(&server, &["serve", "--set", &at, "--set", &wish]).await;
        assert_eq!(output.status.code(), Some(1), "{setting}: {}", stderr(&output));
        assert!(stderr(&output).contains(&format!("cannot listen on {taken}")), "{}", stderr(&output));
        assert!(!server.home().join("new").exists(), "{setting}");
    }
    std::fs::create_dir_all(&data).expect("made");
    run(&server, &["serve", "--set", &at, "--set", &format!("http.listen={taken}")]).await;
    assert!(data.exists(), "who made a folder keeps it");
}

#[tokio::test]
async fn settings_come_from_file_environment_and_flags_in_this_order() {
    let server = Server::prepared(&[]);
    let file = server.home().join("settings.toml");
    std::fs::write(
        &file,
        "[social]\nedit_window_ms = 1111\nview_window_ms = 2222\n[limits]\nmessage_bytes = 3333\n",
    )
    .expect("written");
    let output = within(
        "the binary",
        server
            .command(&[
                "config",
                "--config",
                file.to_str().expect("UTF-8"),
                "--set",
                "limits.message_bytes=4444",
            ])
            .env("CC_SOCIAL__VIEW_WINDOW_MS", "5555")
            .env("CC_LIMITS__MESSAGE_BYTES", "6666")
            .output(),
    )
    .await
    .expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    let line = |name: &str| {
        let found = printed.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("{name} is not printed:\n{printed}")).to_string()
    };
    for (name, value, not) in [
        ("social.edit_window_ms", "1111", "1800000"),
        ("social.view_window_ms", "5555", "2222"),
        ("limits.message_bytes", "4444", "3333"),
    ] {
        let shown = line(name);
        assert!(shown.contains(value) && !shown.contains(not), "{shown}");
    }
    for name in
        ["http.listen", "store.data", "admin.listen", "node.drain_ms", "log.keep_count", "auth.guests"]
    {
        line(name);
    }
    assert!(!printed.contains(SECRET), "a secret is not printed");
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let mut server = Server::start().await;
    let second = run(&server, &["serve"]).await;
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    let folder = server.data();
    assert!(stderr(&second).contains(folder.to_str().expect("UTF-8")), "{}", stderr(&second));
    assert!(!stdout(&second).contains("ready "));
    server.client("alice", Encoding::Json).await.still_there().await;
    // The lock is the process's: after kill -9 the folder is free.
    server.kill_and_restart().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = Server::start().await;
    let other = Server::prepared(&[]);
    let taken = format!("http.listen={}", server.http_address());
    let output = run(&other, &["serve", "--set", &taken]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&server.http_address().to_string()), "{}", stderr(&output));
}

#[tokio::test]
async fn h13_sigterm_drains_and_ends_with_zero() {
    let mut server = Server::with(&["node.drain_ms=1500"]).await;
    let mut clients = Vec::new();
    let mut owner = server.client("owner", Encoding::Json).await;
    let community = owner.makes_community("Last orders").await;
    for number in 0..6 {
        clients.push(server.client(&format!("person{number}"), Encoding::BOTH[number % 2]).await);
    }
    owner.posts(&community, "written before the end").await;
    server.terminate();
    let mut slots = Vec::new();
    for client in clients.iter_mut().chain([&mut owner]) {
        let push = client.push("reconnect").await;
        assert_eq!(push["code"], 4000, "{push}");
        slots.push(push["after_ms"].as_u64().expect("a number"));
    }
    slots.sort_unstable();
    let spread: Vec<u64> = (0..7).map(|place| place * 1500 / 7).collect();
    assert_eq!(slots, spread, "each has a slot of their own, spread over the drain");
    server.http().get("/readyz").await.problem(503, "unavailable");
    assert_eq!(server.http().get("/healthz").await.status, 200);
    // Whoever is still there may write, and what is acknowledged holds.
    let late = post(&community, "written while everybody leaves");
    let id = owner.send("post.create", &late);
    let reply = owner.reply_or_end(id).await;
    let is_kept = reply.as_ref().is_some_and(|reply| reply.is_ok);
    // Its slot may have come first, and then the close was what it got for a reply.
    for client in clients.iter_mut().chain(reply.map(|_| &mut owner)) {
        assert_eq!(client.close_code().await, 4000);
    }
    assert_eq!(server.ended().await.code(), Some(0));
    server.restart().await;
    let mut owner = server.client("owner", Encoding::Json).await;
    let found = owner.feed(json!({"community_id": community})).await.len();
    assert!(found == 2 || (found == 1 && !is_kept), "{found} posts, the last acknowledged: {is_kept}");
    // Without anybody connected there is nothing to wait for but the end.
    drop(owner);
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let mut server = Server::with(&["node.drain_ms=60000"]).await;
    let mut early = server.client("early", Encoding::Json).await;
    let mut late = server.client("late", Encoding::Json).await;
    server.terminate();
    for client in [&mut early, &mut late] {
        client.push("reconnect").await;
    }
    server.terminate();
    // Whoever has the second half minute for a slot would otherwise hold it up that long.
    assert_eq!(server.ended().await.code(), Some(143));
    server.restart().await;
}

#[tokio::test]
async fn a_start_that_waits_for_its_database_ends_when_it_is_asked_to() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let database = format!("store.url=postgres://nobody@{}/hub", silent.local_addr().expect("its address"));
    let server = Server::prepared(&[&database]);
    let mut start = server.command(&[]).kill_on_drop(true).spawn().expect("the binary starts");
    let _waiting = within("a connection to the database", silent.accept()).await.expect("one");
    let pid = start.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it runs");
    kill_process(pid, Signal::TERM).expect("the process is ours");
    let status = within("the end of the process", start.wait()).await.expect("its exit status");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn the_token_command_signs_and_check_token_explains() {
    let server = Server::start().await;
    let arguments =
        ["token", "--user", "scripted", "--name", "A Script", "--role", "moderator", "--ttl", "60"];
    let output = run(&server, &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    assert_eq!(printed.lines().count(), 1, "the token alone on a line: {printed}");
    let token = printed.trim();
    let mut script = Client::open(server.http_address(), Encoding::Json, "script").await;
    let connected = script.connect(token).await;
    assert_eq!(
        (&connected["user"]["name"], &connected["user"]["role"]),
        (&json!("A Script"), &json!("moderator"))
    );

    let good = run(&server, &["check-token", token]).await;
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert!(stdout(&good).contains("scripted"), "{}", stdout(&good));
    for wrong in ["nonsense", &format!("{}x", &token[..token.len() - 4])] {
        let bad = run(&server, &["check-token", wrong]).await;
        assert_eq!(bad.status.code(), Some(1), "{}", stdout(&bad));
        assert!(!stderr(&bad).is_empty() || !stdout(&bad).is_empty());
    }
}

#[tokio::test]
async fn the_token_command_finds_the_secret_of_the_folder() {
    // The default start: no secret is set, the store has made one; the command reads it beside the running server.
    let server = Server::with(&["auth.hs256_secret=off"]).await;
    let output = run(&server, &["token", "--user", "anna"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut anna = Client::open(server.http_address(), Encoding::MessagePack, "anna").await;
    anna.connect(stdout(&output).trim()).await;
    // A registered account and a scripted one live beside each other.
    let account = server.http().register("amelie").await;
    let mut amelie = Client::open(server.http_address(), Encoding::Json, "amelie").await;
    amelie.connect(&text(&account["access_token"])).await;
    assert_ne!(amelie.user_id(), anna.user_id());
}

#[tokio::test]
async fn the_doctor_looks_and_says_what_to_do() {
    let server = Server::prepared(&[]);
    let output = run(&server, &["doctor"]).await;
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).lines().count() >= 3, "{}", stdout(&output));
    // A folder that cannot be written is found before somebody starts on it.
    let file = server.home().join("a-file");
    std::fs::write(&file, "not a folder").expect("written");
    let output =
        run(&server, &["doctor", "--set", &format!("store.data={}", file.join("data").display())]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains("a-file") || stderr(&output).contains("a-file"));
}

#[tokio::test]
async fn a_start_tries_live_by_itself_and_tells_how_it_went() {
    let mut server = Server::start().await;
    let live = within("the end of the self-test", async {
        loop {
            let body = server.http().get("/readyz").await.ok();
            assert_eq!(body["status"], "ready", "{body}");
            match body["live"]["state"].as_str() {
                Some("running") => tokio::time::sleep(Duration::from_millis(50)).await,
                _ => return body["live"].clone(),
            }
        }
    })
    .await;
    assert_eq!(live["state"], "passed", "{live}\n{}", server.log());
    let ms = |name: &str| live[name].as_u64().unwrap_or_else(|| panic!("{name}: {live}"));
    assert!(ms("answered_ms") <= ms("connected_ms") && ms("connected_ms") <= ms("first_packet_ms"), "{live}");
    let told = server.log().lines().filter(|line| line.contains("live works")).count();
    assert_eq!(told, 1, "once, in the log:\n{}", server.log());

    server.kill().await;
    server.set("live.selftest=off");
    server.restart().await;
    let body = server.http().get("/readyz").await.ok();
    assert_eq!(body["live"], json!({"state": "off"}), "{body}");
}

#[tokio::test]
async fn the_doctor_sends_a_stream_through_a_port_of_its_own() {
    let server = Server::start().await;
    // Beside a running process of the same folder as well as before the first start.
    for home in [&server, &Server::prepared(&[])] {
        let output = run(home, &["doctor"]).await;
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        let line = stdout(&output).lines().find(|line| line.contains("live: ")).map(str::to_owned);
        assert!(line.as_ref().is_some_and(|line| line.starts_with("ok")), "{}", stdout(&output));
    }
}

#[tokio::test]
async fn a_taken_media_port_is_named_with_the_setting() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let server = Server::prepared(&[]);
    let setting = format!("live.udp={address}");
    let output = run(&server, &["serve", "--set", &setting]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains(&address) && stderr(&output).contains("live.udp"),
        "{}",
        stderr(&output)
    );
    let output = run(&server, &["doctor", "--set", &setting]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let line = stdout(&output).lines().find(|line| line.contains(&address)).map(str::to_owned);
    assert!(line.as_ref().is_some_and(|line| line.starts_with("FAIL")), "{}", stdout(&output));
}

#[tokio::test]
async fn help_and_version_are_for_people() {
    let server = Server::prepared(&[]);
    let help = run(&server, &["--help"]).await;
    assert_eq!(help.status.code(), Some(0));
    for word in ["serve", "doctor", "config", "token", "check-token", "--listen", "--data", "--set"] {
        assert!(stdout(&help).contains(word), "{word}: {}", stdout(&help));
    }
    let version = run(&server, &["--version"]).await;
    assert!(stdout(&version).contains(env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn logs_go_to_stderr_as_text_or_json_and_hold_no_secret() {
    for format in ["text", "json"] {
        let mut server = Server::prepared(&[]);
        server.set(&format!("log.format={format}"));
        server.restart().await;
        let account = server.http().register("amelie").await;
        let mut amelie = Client::open(server.http_address(), Encoding::Json, "amelie").await;
        amelie.connect(&text(&account["access_token"])).await;
        server.terminate();
        assert_eq!(amelie.close_code().await, 4000);
        server.ended().await;
        let log = server.log();
        assert!(!log.is_empty());
        for secret in [SECRET, "correct horse", account["access_token"].as_str().expect("text")] {
            assert!(!log.contains(secret), "a secret in the log");
        }
        if format == "json" {
            for line in log.lines() {
                serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            }
        }
    }
}
