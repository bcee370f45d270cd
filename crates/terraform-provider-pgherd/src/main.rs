//! The plugin that Terraform and OpenTofu start.

use std::process::ExitCode;

use terraform_provider_pgherd::plugin;
use terraform_provider_pgherd::protocol::{Started, log, serve};

fn main() -> ExitCode {
    let started = Started::read(|name| std::env::var(name).ok());
    // Two threads: Terraform asks about ten databases at once, and nearly all of it is waiting.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve(plugin(), &started)),
        Err(error) => Err(format!("the event loop cannot be started: {error}")),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log("ERROR", &message);
            ExitCode::FAILURE
        }
    }
}
