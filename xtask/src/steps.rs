//! The steps of `cargo xtask test`: what each runs, timed, all of them even when one has failed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{conflicts, machine, two_nodes};

/// One step.
pub(crate) struct Step {
    name: &'static str,
    run: fn(&Path) -> Result<Outcome>,
}

enum Outcome {
    Passed,
    /// Passed, but for what this machine does not allow.
    PassedWithout(String),
    /// Not run, for a reason that is the machine's and no fault of the project.
    Skipped(String),
}

const STEPS: &[Step] = &[
    Step { name: "machine", run: |root| machine::prepare(root).map(|()| Outcome::Passed) },
    Step { name: "format", run: format },
    Step { name: "lint", run: lint },
    Step { name: "test", run: |root| cargo(root, &["test", "--workspace", "--all-targets", "--locked"]) },
    Step { name: "two-nodes", run: two_nodes },
    Step { name: "doctest", run: |root| cargo(root, &["test", "--workspace", "--doc", "--locked"]) },
    Step { name: "doc", run: doc },
    Step { name: "page", run: page },
    Step { name: "browser", run: browser },
    Step { name: "peers", run: peers },
];

/// The steps with these names, or all where none is named.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        bail!("no step is called {unknown:?}");
    }
    Ok(STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name)).collect())
}

/// Runs the steps and says what it ran.
pub(crate) fn run(steps: &[&Step]) -> ExitCode {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf();
    let begin = Instant::now();
    let mut report = Vec::new();
    let mut failed = 0;
    for step in steps {
        println!("\n=== {} ===", step.name);
        let begin = Instant::now();
        let said = match (step.run)(&root) {
            Ok(Outcome::Passed) => "passed".to_string(),
            Ok(Outcome::PassedWithout(what)) => format!("passed, BUT NOT ALL OF IT RAN: {what}"),
            Ok(Outcome::Skipped(why)) => format!("SKIPPED: {why}"),
            Err(error) => {
                failed += 1;
                format!("FAILED: {error:#}")
            }
        };
        println!("=== {}: {said} ({}) ===", step.name, seconds(begin.elapsed()));
        report.push(format!("  {:<9} {:>8}  {said}", step.name, seconds(begin.elapsed())));
    }
    println!("\ncargo xtask test ran, in {}:\n{}", seconds(begin.elapsed()), report.join("\n"));
    if failed == 0 {
        println!("All that ran has passed.");
        ExitCode::SUCCESS
    } else {
        println!("Failed: {failed} of {} steps.", steps.len());
        ExitCode::FAILURE
    }
}

/// Shows a command and runs it without standard input; an error names it.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let shown = shown.join(" ");
    println!("$ {shown}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<Outcome> {
    execute(cargo_command(root).args(arguments))?;
    Ok(Outcome::Passed)
}

fn cargo_command(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn format(root: &Path) -> Result<Outcome> {
    let can_look = conflicts::can_look(root);
    if can_look {
        conflicts::refuse(root)?;
    }
    if !has_component(root, "fmt") {
        return Ok(Outcome::Skipped("this toolchain has no rustfmt (rustup component add rustfmt)".into()));
    }
    cargo(root, &["fmt", "--all", "--check"])?;
    if !can_look {
        let what = "the look for marks of merge conflicts, which needs a checkout of git";
        return Ok(Outcome::PassedWithout(what.into()));
    }
    Ok(Outcome::Passed)
}

fn lint(root: &Path) -> Result<Outcome> {
    if !has_component(root, "clippy") {
        return Ok(Outcome::Skipped("this toolchain has no clippy (rustup component add clippy)".into()));
    }
    cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])
}

fn has_component(root: &Path, name: &str) -> bool {
    let mut command = cargo_command(root);
    command.args([name, "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn doc(root: &Path) -> Result<Outcome> {
    let mut command = cargo_command(root);
    command.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings");
    execute(&mut command)?;
    Ok(Outcome::Passed)
}

/// The stories of [`crate::two_nodes`], whose servers are two nodes now.
fn two_nodes(root: &Path) -> Result<Outcome> {
    let mut command = cargo_command(root);
    // The workspace, as in the step before: one package alone would have dependencies built anew, with fewer features.
    command.args(["test", "--workspace", "--locked", "--test", "main", "--"]).args(two_nodes::ROWS);
    for (story, why) in two_nodes::LEFT_OUT {
        println!("left out: {story}: {why}");
        command.args(["--skip", story]);
    }
    execute(command.env("COMMUNICONNECT_TWO_NODES", "1"))?;
    Ok(Outcome::Passed)
}

fn page(root: &Path) -> Result<Outcome> {
    node_tests(root, &root.join("tests/web"), |_| ())
}

fn browser(root: &Path) -> Result<Outcome> {
    let (chromium, binary) = (machine::chromium()?, binary(root)?);
    node_tests(root, &root.join("tests/browser"), |node| {
        node.env("COMMUNICONNECT", &binary).env("CHROMIUM", &chromium);
    })
}

fn peers(root: &Path) -> Result<Outcome> {
    let (chromium, binary) = (machine::chromium()?, binary(root)?);
    let folder = root.join("tests/peers");
    let (python, ffmpeg) = (machine::peer_python(&folder), machine::ffmpeg(&folder)?);
    let firefox = machine::firefox()?;
    let prepare = |node: &mut Command| {
        node.env("COMMUNICONNECT", &binary).env("CHROMIUM", &chromium).env("FIREFOX", &firefox);
        node.env("PEERS_PYTHON", &python).env("PEERS_FFMPEG", &ffmpeg);
    };
    node_tests(root, &folder, prepare)?;
    let alone = folder.join("firefox");
    let network = alone.join("in_a_network.sh");
    if !machine::makes_networks(&network) {
        let why = "Firefox, which needs a network of its own: run this as root, or let users make namespaces \
                   (sysctl kernel.unprivileged_userns_clone=1)";
        return Ok(Outcome::PassedWithout(why.into()));
    }
    let mut within = Command::new(network);
    within.arg(machine::node()?);
    run_tests(root, &alone, within, prepare)
}

/// The binary that the stories of the two steps above drive.
fn binary(root: &Path) -> Result<PathBuf> {
    execute(cargo_command(root).args(["build", "--bin", "communiconnect", "--locked"]))?;
    Ok(target_folder(root)?.join("debug/communiconnect"))
}

/// Runs the `*.test.mjs` of a folder by name: what a bare folder means differs between versions of Node.js.
fn node_tests(root: &Path, folder: &Path, prepare: impl FnOnce(&mut Command)) -> Result<Outcome> {
    run_tests(root, folder, Command::new(machine::node()?), prepare)
}

/// The same by a command that ends in Node.js.
fn run_tests(
    root: &Path,
    folder: &Path,
    mut command: Command,
    prepare: impl FnOnce(&mut Command),
) -> Result<Outcome> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("no *.test.mjs in {}", folder.display());
    }
    command.current_dir(root).args(["--test", "--test-reporter=spec"]).args(files);
    prepare(&mut command);
    execute(&mut command)?;
    Ok(Outcome::Passed)
}

fn target_folder(root: &Path) -> Result<PathBuf> {
    let output = cargo_command(root)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo metadata")?;
    let text = String::from_utf8(output.stdout).context("cargo metadata")?;
    let (_, rest) =
        text.split_once("\"target_directory\":\"").context("cargo metadata names no target folder")?;
    let (folder, _) = rest.split_once('"').context("cargo metadata was cut")?;
    Ok(PathBuf::from(folder))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
