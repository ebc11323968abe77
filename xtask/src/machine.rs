//! What a machine must have before the tests run: found where it is there, installed where it is not.
//!
//! Installs by apt as root or through sudo, and by npm into the checkout. Touches nothing that is already there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::steps::execute;

/// The oldest Node.js that runs the page's tests: the one of Debian 12.
const OLDEST_NODE: u32 = 18;

/// A tool, the names it may have, and the Debian packages that bring it.
struct Tool {
    names: &'static [&'static str],
    packages: &'static [&'static str],
}

const NODE: Tool = Tool { names: &["node", "nodejs"], packages: &["nodejs"] };
const REDIS: Tool = Tool { names: &["redis-server"], packages: &["redis-server"] };
const OPENSSL: Tool = Tool { names: &["openssl"], packages: &["openssl"] };
const NPM: Tool = Tool { names: &["npm"], packages: &["npm"] };
// Without a font the pages have no height, and what has no height cannot be pressed.
const CHROMIUM: Tool =
    Tool { names: &["chromium", "chromium-browser"], packages: &["chromium", "fonts-dejavu-core"] };

/// Where Firefox does not go by the name of Debian.
const FIREFOX: Tool = Tool { names: &["firefox-esr", "firefox"], packages: &["firefox-esr"] };
/// Gives Firefox a network of its own.
const IP: Tool = Tool { names: &["ip"], packages: &["iproute2"] };

/// Debian's Python, which finds Debian's GStreamer.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// GStreamer as broadcaster and viewer: its elements, and how Python speaks of them.
const GSTREAMER: &[&str] = &[
    "gir1.2-gst-plugins-bad-1.0",
    "gstreamer1.0-nice",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-ugly",
    "python3-gi",
];

/// Debian keeps the server's programs out of the path, in a folder per version.
const POSTGRES: &str = "/usr/lib/postgresql";

/// Installs what is missing. Errors say what to install by hand.
pub(crate) fn prepare(root: &Path) -> Result<()> {
    let peers = root.join("tests/peers");
    let mut packages = Vec::new();
    if succeeds(Command::new(SYSTEM_PYTHON).arg(peers.join("probe.py"))) {
        println!("found GStreamer with WebRTC");
    } else {
        packages.extend(GSTREAMER);
    }
    if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        packages.extend(["python3", "python3-venv"]);
    }
    if has_postgres() {
        println!("found PostgreSQL");
    } else {
        packages.push("postgresql");
    }
    for tool in [&NODE, &NPM, &CHROMIUM, &FIREFOX, &IP, &OPENSSL, &REDIS] {
        match tool.path() {
            Some(path) => println!("found {}", path.display()),
            None => packages.extend(tool.packages),
        }
    }
    if !packages.is_empty() {
        install(&packages)?;
    }
    let node = node()?;
    let version = version_of(&node)?;
    if version < OLDEST_NODE {
        bail!("{} is Node.js {version}; the tests need {OLDEST_NODE} or newer", node.display());
    }
    prepare_python(&peers)?;
    let npm = NPM.path().context("npm is missing: install it, e.g. apt-get install npm")?;
    for folder in ["tests/browser", "tests/peers"] {
        if is_current(&root.join(folder)) {
            println!("{folder}/node_modules is up to date");
        } else {
            execute(
                Command::new(&npm).args(["ci", "--no-audit", "--no-fund"]).current_dir(root.join(folder)),
            )?;
        }
    }
    Ok(())
}

/// Whether PostgreSQL's server is there: its client alone makes the same folders.
fn has_postgres() -> bool {
    let mut versions = std::fs::read_dir(POSTGRES).into_iter().flatten().flatten();
    in_path("initdb").is_some() || versions.any(|version| version.path().join("bin/initdb").is_file())
}

/// Where Firefox is.
pub(crate) fn firefox() -> Result<PathBuf> {
    FIREFOX.path().context("Firefox is missing: run `cargo xtask test machine`, or install firefox-esr")
}

/// Whether a program can be given a network of its own here: by root, or where the kernel lets everybody make one.
pub(crate) fn makes_networks(script: &Path) -> bool {
    succeeds(Command::new(script).arg("true"))
}

/// Installs aiortc and FFmpeg beside the live stories, unless what is wanted is what is there.
fn prepare_python(peers: &Path) -> Result<()> {
    let wanted = std::fs::read(peers.join("requirements.txt")).context("tests/peers/requirements.txt")?;
    let installed = peers.join(".venv/installed.txt");
    if std::fs::read(&installed).is_ok_and(|text| text == wanted) {
        println!("tests/peers/.venv is up to date");
        return Ok(());
    }
    execute(Command::new("python3").args(["-m", "venv", "--clear", ".venv"]).current_dir(peers))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
    execute(Command::new(peer_python(peers)).args(pip).current_dir(peers))?;
    std::fs::write(&installed, wanted).context("tests/peers/.venv")
}

/// The Python that has aiortc.
pub(crate) fn peer_python(peers: &Path) -> PathBuf {
    peers.join(".venv/bin/python")
}

/// The FFmpeg that speaks WHIP: Debian's is too old, the one of the Python package is not.
pub(crate) fn ffmpeg(peers: &Path) -> Result<PathBuf> {
    let mut ask = Command::new(peer_python(peers));
    let output = ask
        .args(["-c", "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"])
        .output()
        .context("the Python of tests/peers is missing: run `cargo xtask test machine`")?;
    let path = String::from_utf8(output.stdout).context("the path of FFmpeg")?;
    Ok(PathBuf::from(path.trim()))
}

fn succeeds(command: &mut Command) -> bool {
    use std::process::Stdio;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where Node.js is.
pub(crate) fn node() -> Result<PathBuf> {
    NODE.path().context("Node.js is missing: run `cargo xtask test machine`, or install it")
}

/// Where Chromium is.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return Ok(path.into());
    }
    CHROMIUM
        .path()
        .context("Chromium is missing: run `cargo xtask test machine`, or say where it is with CHROMIUM=PATH")
}

impl Tool {
    fn path(&self) -> Option<PathBuf> {
        if self.packages.contains(&"chromium")
            && let Some(path) = std::env::var_os("CHROMIUM")
        {
            return Some(path.into());
        }
        self.names.iter().find_map(|name| in_path(name))
    }
}

/// Whether what npm would install is what is there: it writes its own copy of the lock file beside the packages.
fn is_current(folder: &Path) -> bool {
    let versions = |path: PathBuf| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    match (
        versions(folder.join("package-lock.json")),
        versions(folder.join("node_modules/.package-lock.json")),
    ) {
        (Some(wanted), Some(installed)) => installed >= wanted,
        _ => false,
    }
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    println!("missing, to be installed by apt: {list}");
    let by_hand = format!("install by hand and try again: {list}");
    if in_path("apt-get").is_none() {
        bail!("this is no machine with apt; {by_hand}");
    }
    for arguments in [vec!["update"], [&["install", "--yes", "--no-install-recommends"], packages].concat()] {
        let mut command = as_root().with_context(|| by_hand.clone())?;
        command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]).args(arguments);
        execute(&mut command).with_context(|| by_hand.clone())?;
    }
    Ok(())
}

/// A command that runs its arguments as root.
fn as_root() -> Result<Command> {
    let id = Command::new("id").arg("-u").output().context("id")?;
    if id.stdout.trim_ascii() == b"0" {
        // `env` alone runs what follows, as it would behind sudo.
        return Ok(Command::new("env"));
    }
    if in_path("sudo").is_none() {
        bail!("not root, and there is no sudo");
    }
    let mut sudo = Command::new("sudo");
    if std::env::var_os("CI").is_some() {
        sudo.arg("--non-interactive");
    }
    Ok(sudo)
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn version_of(node: &Path) -> Result<u32> {
    let output = Command::new(node).arg("--version").output().with_context(|| node.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let major = text.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse().with_context(|| format!("{} --version said {text:?}", node.display()))
}
