//! Clients: libpq's for single questions, a Rust one where many are needed.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::world::{PASSWORD, World};

/// Who connects, and how.
#[derive(Clone)]
pub struct Login<'a> {
    pub port: u16,
    pub user: &'a str,
    pub password: &'a str,
    pub database: &'a str,
}

impl<'a> Login<'a> {
    pub fn ann(port: u16) -> Self {
        Self { port, user: "ann", password: PASSWORD, database: "shop" }
    }
}

/// The answer of psql with `sslmode=verify-full`, or its error.
pub async fn psql(world: &World, login: &Login<'_>, sql: &str) -> Result<String, String> {
    psql_with(world, login, "verify-full", sql).await
}

pub async fn psql_with(world: &World, login: &Login<'_>, sslmode: &str, sql: &str) -> Result<String, String> {
    let Login { port, user, password, database } = login;
    let ca = world.authority.certificate_file.display();
    let dsn = format!(
        "host=localhost hostaddr=127.0.0.1 port={port} user='{user}' dbname='{database}' sslmode={sslmode} sslrootcert={ca}"
    );
    let mut command = tokio::process::Command::new(world.server.program("psql"));
    if let Some(lib) = &world.server.lib {
        command.env("LD_LIBRARY_PATH", lib);
    }
    command.env("PGPASSWORD", password).args(["-X", "-A", "-t", "-w", "-c", sql]).arg(&dsn);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A session over TLS that is verified in full.
pub async fn connect(world: &World, login: &Login<'_>) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("localhost").hostaddr([127, 0, 0, 1].into()).port(login.port).user(login.user);
    config.password(login.password).dbname(login.database).ssl_mode(SslMode::Require);
    let (client, connection) = config.connect(tls(&world.authority.certificate_file)).await?;
    tokio::spawn(async move {
        // How it ends shows in the next statement.
        drop(connection.await);
    });
    Ok(client)
}

fn tls(authority: &Path) -> MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}
