//! `pgherd emulate`.

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use pgherd_emulate::{Backing, Emulator, Options, Running, Speed, azure, digitalocean, gcp};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use crate::error::{CommandError, Exit};
use crate::targets;

/// The region that programs are told to use. In us-east-1 the first version of AWS's command line would go to AWS itself.
const REGION: &str = "eu-west-1";

/// What programs are told to sign with. Any key is taken.
const KEY: &str = "emulated";

/// Stand in for a cloud on this machine, for programs that are developed against it
#[derive(Debug, Args)]
pub struct EmulateArgs {
    #[command(subcommand)]
    cloud: Emulated,
}

#[derive(Debug, Subcommand)]
enum Emulated {
    Aws(AwsArgs),
    Gcp(GcpArgs),
    Azure(AzureArgs),
    #[command(name = "digitalocean")]
    DigitalOcean(DigitalOceanArgs),
}

/// RDS for PostgreSQL and what stands around it, with a real PostgreSQL behind each instance
///
/// Programs that use AWS's own libraries are led here by the variables it prints: copy the lines into their terminal.
///
/// An instance that becomes available is a PostgreSQL at the address and port that its endpoint tells, with the master user
/// and password it was created with. Around it are VPCs and security groups, roles, secrets, keys, logs, alarms and topics, as
/// far as a database needs them. Everything is gone when it ends.
#[derive(Debug, Args)]
struct AwsArgs {
    /// Where to listen, on this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4590", value_parser = address)]
    listen: SocketAddr,

    /// Answer only: no PostgreSQL is started, and endpoints lead nowhere
    #[arg(long)]
    no_postgres: bool,

    /// How many times faster than ours the cloud's time goes: 1 is real, and then an instance takes 5 minutes
    #[arg(long, value_name = "TIMES", default_value_t = 60.0, value_parser = times)]
    speed: f64,

    /// User who owns the databases when this one is root [default: one is chosen or made]
    #[arg(long = "postgres-user", value_name = "USER", env = "PGHERD_POSTGRES_USER", hide_env_values = true)]
    postgres_user: Option<String>,
}

/// Cloud SQL for PostgreSQL, Secret Manager and Cloud Monitoring, without a PostgreSQL behind: connections lead nowhere
///
/// pgherd is led here by the variables it prints, and gcloud to Cloud SQL: copy the lines into their terminal. Google's own
/// libraries find a token by them, and take the address as `api_endpoint`. Everything is gone when it ends.
#[derive(Debug, Clone, Copy, Args)]
struct GcpArgs {
    /// Where to listen, on this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4592", value_parser = address)]
    listen: SocketAddr,

    /// How many times faster than ours the cloud's time goes: 1 is real, and then an instance takes 5 minutes
    #[arg(long, value_name = "TIMES", default_value_t = 60.0, value_parser = times)]
    speed: f64,
}

/// Azure's flexible servers, a key vault, locks and alerts, without a PostgreSQL behind: connections lead nowhere
///
/// pgherd is led here by the variables it prints: copy the lines into their terminal. Azure's own library for Python finds a
/// token by them, and takes the same address as `base_url`, with https, since it talks to nobody without TLS.
/// Everything is gone when it ends.
#[derive(Debug, Clone, Copy, Args)]
struct AzureArgs {
    /// Where to listen, on this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4593", value_parser = address)]
    listen: SocketAddr,

    /// How many times faster than ours the cloud's time goes: 1 is real, and then a server takes 5 minutes
    #[arg(long, value_name = "TIMES", default_value_t = 60.0, value_parser = times)]
    speed: f64,
}

/// Databases of DigitalOcean with what is in them, without a PostgreSQL behind: connections lead nowhere
///
/// Programs that use DigitalOcean's own libraries, doctl or Terraform are led here by the variables it prints: copy the lines
/// into their terminal. Everything is gone when it ends.
#[derive(Debug, Clone, Copy, Args)]
struct DigitalOceanArgs {
    /// Where to listen, on this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4591", value_parser = address)]
    listen: SocketAddr,

    /// How many times faster than ours the cloud's time goes: 1 is real, and then a cluster takes 4 minutes
    #[arg(long, value_name = "TIMES", default_value_t = 60.0, value_parser = times)]
    speed: f64,
}

/// What programs are to be told.
#[derive(Debug, Serialize)]
struct Told {
    endpoint_url: String,
    region: &'static str,
    access_key_id: &'static str,
    secret_access_key: &'static str,
    /// The authority of the servers' certificates; `null` without PostgreSQL.
    sslrootcert: Option<String>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &EmulateArgs) -> Result<Exit, CommandError> {
    let listen = match &args.cloud {
        Emulated::Aws(args) => args.listen,
        Emulated::Gcp(args) => args.listen,
        Emulated::Azure(args) => args.listen,
        Emulated::DigitalOcean(args) => args.listen,
    };
    if !listen.ip().is_loopback() {
        return Err(CommandError::refused(format!("{} is no address of this machine's own", listen.ip())).hint(
            format!("whoever reached it could do anything to its databases; write 127.0.0.1:{}", listen.port()),
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| CommandError::io("the event loop cannot be started", &cause))?;
    let ended = runtime.block_on(async {
        match &args.cloud {
            Emulated::Aws(args) => emulate(context, args).await,
            Emulated::Gcp(args) => emulate_gcp(context, *args).await,
            Emulated::Azure(args) => emulate_azure(context, *args).await,
            Emulated::DigitalOcean(args) => emulate_digitalocean(context, *args).await,
        }
    });
    // A download that goes on holds nobody up.
    runtime.shutdown_background();
    ended
}

async fn emulate(context: &Context<'_>, args: &AwsArgs) -> Result<Exit, CommandError> {
    // From here on a signal is no sudden end.
    let cannot_listen = |cause: std::io::Error| CommandError::io("signals cannot be listened for", &cause);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_listen)?;
    let postgres = (!args.no_postgres).then(|| Backing {
        paths: targets::paths(context.global),
        postgres_dirs: context.global.postgres_dirs.clone(),
        postgres_user: args.postgres_user.clone(),
    });
    let options =
        Options { listen: args.listen, speed: Speed::Running { times: args.speed }, postgres, ..Options::default() };
    let running = Emulator::start(options).await.map_err(|cause| {
        CommandError::io(format!("the emulator cannot be started on {}", args.listen), &cause)
            .hint("--listen 127.0.0.1:0 takes a free port")
    })?;
    let told = tell(context, &running);
    if told.is_ok() {
        context.printer.say("an emulated AWS listens; Ctrl-C ends it, and everything in it is gone then");
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    // Even when nobody could be told, no server is left behind.
    running.stop().await;
    told.map(|()| Exit::Done)
}

/// What programs of Google Cloud are to be told.
#[derive(Debug, Serialize)]
struct ToldOfGoogleCloud {
    endpoint_url: String,
    project: &'static str,
    token: &'static str,
    /// Where a machine of Google's would find its credentials.
    metadata_host: String,
}

async fn emulate_gcp(context: &Context<'_>, args: GcpArgs) -> Result<Exit, CommandError> {
    let cannot_listen = |cause: std::io::Error| CommandError::io("signals cannot be listened for", &cause);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_listen)?;
    let options = gcp::Options { listen: args.listen, speed: Speed::Running { times: args.speed } };
    let running = gcp::GoogleCloud::start(options).await.map_err(|cause| {
        CommandError::io(format!("the emulator cannot be started on {}", args.listen), &cause)
            .hint("--listen 127.0.0.1:0 takes a free port")
    })?;
    let told = ToldOfGoogleCloud {
        endpoint_url: running.url(),
        project: gcp::PROJECT,
        token: KEY,
        metadata_host: running.addr.to_string(),
    };
    let told = if context.printer.is_json() {
        context.printer.json_line(&told)
    } else {
        let ToldOfGoogleCloud { endpoint_url, project, token, metadata_host } = &told;
        context.printer.result(&format!(
            "export PGHERD_GCP_ENDPOINT={endpoint_url}\n\
             export PGHERD_GCP_TOKEN={token}\n\
             export GOOGLE_CLOUD_PROJECT={project}\n\
             export GCE_METADATA_HOST={metadata_host}\n\
             export GCE_METADATA_IP={metadata_host}\n\
             export CLOUDSDK_CORE_PROJECT={project}\n\
             export CLOUDSDK_API_ENDPOINT_OVERRIDES_SQLADMIN={endpoint_url}/\n"
        ))
    };
    if told.is_ok() {
        context.printer.say("an emulated Google Cloud listens; Ctrl-C ends it, and everything in it is gone then");
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    running.stop().await;
    told.map(|()| Exit::Done)
}

/// What programs of Azure are to be told.
#[derive(Debug, Serialize)]
struct ToldOfAzure {
    endpoint_url: String,
    /// The same over TLS, for Azure's own clients.
    secure_endpoint_url: String,
    subscription: &'static str,
    resource_group: &'static str,
    key_vault: &'static str,
    token: &'static str,
    vault_token: &'static str,
    tenant: &'static str,
    client_id: &'static str,
    client_secret: &'static str,
    /// The authority that signs for it.
    ca_bundle: String,
}

async fn emulate_azure(context: &Context<'_>, args: AzureArgs) -> Result<Exit, CommandError> {
    let cannot_listen = |cause: std::io::Error| CommandError::io("signals cannot be listened for", &cause);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_listen)?;
    let options = azure::Options {
        listen: args.listen,
        speed: Speed::Running { times: args.speed },
        authority: Some(targets::paths(context.global).authority()),
    };
    let running = azure::AzureCloud::start(options).await.map_err(|cause| {
        CommandError::io(format!("the emulator cannot be started on {}", args.listen), &cause)
            .hint("--listen 127.0.0.1:0 takes a free port")
    })?;
    let told = ToldOfAzure {
        endpoint_url: running.url(),
        secure_endpoint_url: running.secure_url(),
        subscription: azure::SUBSCRIPTION,
        resource_group: azure::GROUP,
        key_vault: azure::VAULT,
        token: azure::TOKEN,
        vault_token: azure::VAULT_TOKEN,
        tenant: azure::TENANT,
        client_id: azure::CLIENT,
        client_secret: azure::CLIENT,
        ca_bundle: running.authority.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
    };
    let told = if context.printer.is_json() {
        context.printer.json_line(&told)
    } else {
        context.printer.result(&lines_of_azure(&told))
    };
    if told.is_ok() {
        context.printer.say("an emulated Azure listens; Ctrl-C ends it, and everything in it is gone then");
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    running.stop().await;
    told.map(|()| Exit::Done)
}

fn lines_of_azure(told: &ToldOfAzure) -> String {
    // The group is named by the block.
    let ToldOfAzure { endpoint_url, secure_endpoint_url, subscription, resource_group: _, key_vault, .. } = told;
    let ToldOfAzure { token, vault_token, tenant, client_id, client_secret, ca_bundle, .. } = told;
    format!(
        "export PGHERD_AZURE_ENDPOINT={endpoint_url}\n\
         export PGHERD_AZURE_TOKEN={token}\n\
         export PGHERD_AZURE_VAULT_TOKEN={vault_token}\n\
         export PGHERD_AZURE_KEY_VAULT={key_vault}\n\
         export AZURE_SUBSCRIPTION_ID={subscription}\n\
         export AZURE_AUTHORITY_HOST={secure_endpoint_url}\n\
         export AZURE_TENANT_ID={tenant}\n\
         export AZURE_CLIENT_ID={client_id}\n\
         export AZURE_CLIENT_SECRET={client_secret}\n\
         export REQUESTS_CA_BUNDLE={}\n",
        quoted(ca_bundle)
    )
}

/// What programs of DigitalOcean are to be told.
#[derive(Debug, Serialize)]
struct ToldOfDigitalOcean {
    endpoint_url: String,
    token: &'static str,
}

async fn emulate_digitalocean(context: &Context<'_>, args: DigitalOceanArgs) -> Result<Exit, CommandError> {
    let cannot_listen = |cause: std::io::Error| CommandError::io("signals cannot be listened for", &cause);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_listen)?;
    let options = digitalocean::Options { listen: args.listen, speed: Speed::Running { times: args.speed } };
    let running = digitalocean::DigitalOcean::start(options).await.map_err(|cause| {
        CommandError::io(format!("the emulator cannot be started on {}", args.listen), &cause)
            .hint("--listen 127.0.0.1:0 takes a free port")
    })?;
    let told = ToldOfDigitalOcean { endpoint_url: running.url(), token: KEY };
    if context.printer.is_json() {
        context.printer.json_line(&told)?;
    } else {
        let ToldOfDigitalOcean { endpoint_url, token } = &told;
        context
            .printer
            .result(&format!("export DIGITALOCEAN_API_URL={endpoint_url}\nexport DIGITALOCEAN_TOKEN={token}\n"))?;
    }
    context.printer.say("an emulated DigitalOcean listens; Ctrl-C ends it, and everything in it is gone then");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(Exit::Done)
}

fn tell(context: &Context<'_>, running: &Running) -> Result<(), CommandError> {
    let told = Told {
        endpoint_url: running.url(),
        region: REGION,
        access_key_id: KEY,
        secret_access_key: KEY,
        sslrootcert: running.authority.as_ref().map(|path| path.display().to_string()),
    };
    if context.printer.is_json() {
        return context.printer.json_line(&told);
    }
    let Told { endpoint_url, region, access_key_id, secret_access_key, sslrootcert } = &told;
    let authority = sslrootcert.iter().map(|path| format!("export PGSSLROOTCERT={}\n", quoted(path)));
    context.printer.result(&format!(
        "export AWS_ENDPOINT_URL={endpoint_url}\n\
         export AWS_ACCESS_KEY_ID={access_key_id}\n\
         export AWS_SECRET_ACCESS_KEY={secret_access_key}\n\
         export AWS_REGION={region}\n\
         export AWS_DEFAULT_REGION={region}\n\
         {}",
        authority.collect::<String>()
    ))
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an address of this machine and a port, such as 127.0.0.1:4590".to_owned())
}

fn times(text: &str) -> Result<f64, String> {
    let times = text.parse::<f64>().ok().filter(|times| times.is_finite() && *times > 0.0);
    times.ok_or_else(|| "write a number above 0, such as 60".to_owned())
}
