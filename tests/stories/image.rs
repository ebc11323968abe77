//! The container image: what its build copies is what a build needs. And two of them beside their servers.

use std::path::Path;

use serde_yaml_ng::Value as Yaml;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Everything that the build stage copies from the project.
fn copied() -> Vec<String> {
    let file = read("Dockerfile");
    let of_project = |line: &&str| line.starts_with("COPY ") && !line.contains("--from=");
    let sources = |line: &str| {
        let words: Vec<_> = line.split_whitespace().skip(1).map(str::to_owned).collect();
        words[..words.len() - 1].to_vec()
    };
    file.lines().filter(of_project).flat_map(sources).collect()
}

#[test]
fn whatever_is_copied_into_the_image_exists() {
    let copied = copied();
    assert!(copied.contains(&"src".to_owned()), "{copied:?}");
    for path in copied {
        assert!(root().join(&path).exists(), "the Dockerfile copies {path}, which is not there");
    }
}

#[test]
fn every_member_and_target_of_the_manifest_is_copied_into_the_image() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("a list");
    let mut needed: Vec<_> =
        members.iter().map(|member| member.as_str().expect("a path").to_owned()).collect();
    // Cargo refuses a manifest whose named targets are missing, even where it builds none of them.
    needed.extend(manifest.contains_key("bench").then(|| "benches".to_owned()));
    needed.extend(["Cargo.toml", "Cargo.lock", "src"].map(str::to_owned));
    let copied = copied();
    for path in needed {
        let top = path.split('/').next().expect("a first part");
        assert!(
            copied.iter().any(|copied| *copied == path || copied == top),
            "the Dockerfile must copy {path}: cargo build --locked reads the whole workspace"
        );
    }
}

/// Cargo compares time stamps with what an earlier build left in the cache, and sources of another checkout may be older.
#[test]
fn an_image_is_never_made_of_what_another_checkout_left_in_the_cache() {
    let file = read("Dockerfile");
    let (_, build) = file.split_once("\nRUN --mount=type=cache").expect("a build with a cache");
    let (before, _) = build.split_once("cargo build --locked").expect("a build");
    assert!(before.contains("-type f -exec touch {} +"), "every source must count as new: {before}");
}

/// An engine that was told nothing else kills ten seconds after it asked for the end; two of them are for last words.
#[test]
fn a_container_that_is_stopped_has_said_goodbye_before_it_is_killed() {
    let file = read("Dockerfile");
    let settings: Vec<_> = file
        .lines()
        .filter_map(|line| line.strip_prefix("ENV "))
        .flat_map(str::split_whitespace)
        .map(|pair| pair.split_once('=').expect("NAME=value"))
        .collect();
    let known = listed_settings();
    for (name, _) in &settings {
        assert!(known.contains(&setting_of(name)), "{name} is no setting");
    }
    let (_, drain) = settings.iter().find(|(name, _)| *name == "CC_NODE__DRAIN_MS").expect("a drain");
    assert!(drain.parse::<u64>().expect("milliseconds") <= 8_000, "{drain} ms of goodbyes");
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_tells_its_health() {
    let file = read("Dockerfile");
    let last = file.rsplit("\nFROM ").next().expect("a stage");
    for needed in ["\nUSER 10001:10001\n", "\nHEALTHCHECK ", "/healthz", "\nSTOPSIGNAL SIGTERM\n"] {
        assert!(last.contains(needed), "the image needs {needed:?}");
    }
}

/// No engine is needed to see that the file is whole: that it reads, that every service is waited for by its health and
/// stands on something that is declared, and that the settings are ones that the product knows.
#[test]
fn two_nodes_in_containers_have_all_that_they_name() {
    let mut compose: Yaml = serde_yaml_ng::from_str(&read("compose.yaml")).expect("YAML");
    compose.apply_merge().expect("anchors that exist");
    let services = compose["services"].as_mapping().expect("services");
    let names: Vec<&str> = services.keys().map(|name| name.as_str().expect("text")).collect();
    assert_eq!(names, ["node1", "node2", "balancer", "postgres", "redis"]);
    for server in ["postgres", "redis"] {
        assert!(
            compose["services"][server]["healthcheck"]["test"].is_sequence(),
            "{server} tells its health"
        );
    }
    let known = listed_settings();
    for node in ["node1", "node2"] {
        let service = &compose["services"][node];
        for server in ["postgres", "redis"] {
            assert_eq!(
                service["depends_on"][server]["condition"], "service_healthy",
                "{node} waits for {server}"
            );
        }
        let environment = service["environment"].as_mapping().expect("settings");
        assert_eq!(environment["CC_NODE__ID"], node);
        for name in environment.keys().map(|name| name.as_str().expect("text")) {
            assert!(known.contains(&setting_of(name)), "{name} is no setting");
        }
        for url in ["CC_STORE__URL", "CC_BROKER__URL"] {
            let url = environment[url].as_str().expect("text");
            let host = url.rsplit('@').next().and_then(|rest| rest.split(':').next()).expect("a host");
            assert!(names.contains(&host), "{url} leads to no service");
        }
        let place = environment["CC_MEDIA__URL"]
            .as_str()
            .and_then(|url| url.strip_prefix("file://"))
            .expect("a folder");
        let shared = format!("pictures:{place}");
        assert!(
            service["volumes"].as_sequence().expect("volumes").iter().any(|volume| volume == shared.as_str()),
            "one for both"
        );
        for volume in service["volumes"].as_sequence().expect("volumes") {
            let name = volume.as_str().and_then(|volume| volume.split(':').next()).expect("a name");
            assert!(compose["volumes"].as_mapping().expect("volumes").contains_key(name), "{name}");
        }
    }
    let balancer = compose["configs"]["haproxy"]["content"].as_str().expect("text");
    for needed in [
        "/readyz",
        "node1:8080",
        "node2:8080",
        // Without a resolver a node that has no address yet would stay without one.
        "resolvers containers init-addr last,libc,none",
        // Without it a request that finds a killed node tries that one alone, for a quarter of a minute.
        "option redispatch 1",
        // Without Redis no node is ready, and all serve on.
        "use_backend living if { nbsrv(nodes) eq 0 }",
    ] {
        assert!(balancer.contains(needed), "the balancer needs {needed}");
    }
    // On its local socket the image answers already while it makes the cluster, and nobody else can come.
    let asked = compose["services"]["postgres"]["healthcheck"]["test"].as_sequence().expect("words");
    assert!(asked.iter().any(|word| word == "127.0.0.1"), "PostgreSQL is asked over the network: {asked:?}");
    let trusted = &compose["services"]["node1"]["environment"]["CC_HTTP__TRUSTED_PROXIES"];
    let place = &compose["services"]["balancer"]["networks"]["default"]["ipv4_address"];
    assert_eq!(trusted, place, "only the balancer is believed");
}

/// The setting that a variable of the environment sets.
fn setting_of(variable: &str) -> String {
    variable.strip_prefix("CC_").expect("a setting").to_lowercase().replace("__", ".")
}

/// Names of all settings, as the product prints them.
fn listed_settings() -> Vec<String> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_communiconnect"))
        .arg("config")
        .output()
        .expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| Some(line.split_once(" = ")?.0.trim().to_owned())).collect()
}
