//! A connection of an application: over TLS that is verified in full, by what `pgherd output` prints.

use std::path::Path;

use pgherd_local::supervisor::messages::Endpoint;
use pgherd_local::tls;
use serde_json::Value;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, SimpleQueryMessage, SimpleQueryRow};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Server;

/// The table has no key: a row that is there twice must show.
const TABLE: &str = "DROP TABLE IF EXISTS written; CREATE TABLE written (id bigint NOT NULL)";

/// Where an application connects, and as whom.
#[derive(Clone)]
pub struct Address {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
    tls: MakeRustlsConnect,
}

impl Address {
    /// From the outputs of a block, the password among them.
    pub fn of(outputs: &Value) -> Result<Self, String> {
        let text =
            |name: &str| outputs[name].as_str().map(str::to_owned).ok_or_else(|| format!("there is no output {name}"));
        let port = outputs["db_instance_port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let string = text("connection_string")?;
        let (_, authority) = string.split_once("&sslrootcert=").ok_or("connection_string names no authority")?;
        Ok(Self {
            host: text("db_instance_endpoint")?,
            port: port.ok_or("there is no output db_instance_port")?,
            user: text("db_instance_username")?,
            password: text("master_password")?,
            database: text("db_instance_name")?,
            tls: tls::client(Path::new(authority.split('&').next().unwrap_or_default()))
                .map_err(|error| error.message)?,
        })
    }

    /// From what an agent says, and the secret.
    pub fn at(endpoint: &Endpoint) -> Result<Self, String> {
        let secret = std::fs::read(&endpoint.secret_file).map_err(|error| format!("no secret: {error}"))?;
        let secret: Value = serde_json::from_slice(&secret).map_err(|error| error.to_string())?;
        Ok(Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            user: endpoint.username.clone(),
            password: secret["password"].as_str().ok_or("the secret holds no password")?.to_owned(),
            database: endpoint.database.clone(),
            tls: tls::client(&endpoint.ca_file).map_err(|error| error.message)?,
        })
    }

    /// A session.
    pub async fn connect(&self) -> Result<Client, String> {
        let mut config = Config::new();
        config.host(&self.host).port(self.port).user(&self.user).password(&self.password).dbname(&self.database);
        // With rustls, which always verifies, this is what libpq calls verify-full.
        config.ssl_mode(SslMode::Require).application_name("writer");
        let (client, connection) = config.connect(self.tls.clone()).await.map_err(words)?;
        tokio::spawn(async move {
            // How it ends shows in the next statement.
            drop(connection.await);
        });
        Ok(client)
    }
}

/// A writer's session.
pub(super) struct Connected(Client);

impl Connected {
    pub(super) async fn to(address: &Address) -> Result<Self, String> {
        address.connect().await.map(Self)
    }

    /// Inserts an id; who acknowledged it, once it is committed.
    ///
    /// By the simple protocol: PgBouncer before 1.21 knows no prepared statements where it exchanges servers between transactions.
    pub(super) async fn insert(&mut self, id: i64) -> Result<Server, String> {
        let sql = format!(
            "INSERT INTO written VALUES ({id}) RETURNING substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), inet_server_port()"
        );
        let rows = rows(&self.0, &sql).await?;
        let field = |index| rows.first().and_then(|row| row.get(index)).ok_or("an insert said nothing");
        let timeline = u32::from_str_radix(field(0)?, 16).map_err(|error| error.to_string())?;
        Ok(Server { timeline, port: field(1)?.parse().map_err(|error| format!("no port: {error}"))? })
    }
}

/// Makes the table, empty.
pub(super) async fn prepare(address: &Address) -> Result<(), String> {
    address.connect().await?.batch_execute(TABLE).await.map_err(words)
}

/// The ids that are there.
pub(super) async fn found(address: &Address) -> Result<Vec<i64>, String> {
    let rows = rows(&address.connect().await?, "SELECT id FROM written").await?;
    let ids = rows.iter().map(|row| row.get(0).and_then(|id| id.parse().ok()));
    ids.collect::<Option<_>>().ok_or_else(|| "an id is no number".to_owned())
}

async fn rows(client: &Client, sql: &str) -> Result<Vec<SimpleQueryRow>, String> {
    let messages = client.simple_query(sql).await.map_err(words)?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

/// What the server said, where it said something.
#[expect(clippy::needless_pass_by_value, reason = "the end of a chain of results")]
fn words(error: tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned())
}
