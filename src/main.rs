//! The binary: reads arguments and settings, starts the runtime, and turns the outcome into an exit code.

mod cli;

use clap::Parser;
use cli::{Cli, Task};
use communiconnect::{
    config::{Config, Layers},
    server::{self, doctor},
};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong settings or arguments (clap uses the same).
const EXIT_WRONG_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let layers = cli.layers();
    let config = match Config::load(&layers) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}\n`communiconnect config` prints every setting with its meaning.");
            return ExitCode::from(EXIT_WRONG_SETTINGS);
        }
    };
    match run(cli.task(), config, &layers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task, config: Config, layers: &Layers) -> anyhow::Result<()> {
    if let Task::Config = task {
        print!("{}", config.listing(layers));
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match task {
            Task::Serve => server::serve(config).await,
            Task::Doctor => doctor::examine(&config).await,
            Task::Token(wish) => server::sign_token(&config, wish.into()).await.map(say),
            Task::CheckToken { token } => server::check_token(&config, &token).await.map(say),
            Task::Config => unreachable!("answered above"),
        }
    })
}

/// A line to stdout, for scripts.
fn say(line: String) {
    println!("{line}");
}
