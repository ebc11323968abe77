//! The container image: what its build copies is what a build needs.

use std::path::Path;

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

#[test]
fn the_image_runs_as_nobody_in_particular_and_tells_its_health() {
    let file = read("Dockerfile");
    let last = file.rsplit("\nFROM ").next().expect("a stage");
    for needed in ["\nUSER communiconnect\n", "\nHEALTHCHECK ", "/healthz", "\nSTOPSIGNAL SIGTERM\n"] {
        assert!(last.contains(needed), "the image needs {needed:?}");
    }
}
