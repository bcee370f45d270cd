//! How a database of this machine is reached: the environment libpq and applications read. Never a password unless asked.

use std::collections::BTreeMap;

use pgherd_core::value::Value;
use pgherd_engine::run;
use pgherd_local::supervisor::messages::Endpoint;

use crate::commands::Context;
use crate::commands::output::password;
use crate::databases::{self, Database};
use crate::error::CommandError;

/// Where a database is, and with which files it is reached.
#[derive(Debug)]
pub struct Connection {
    /// What the agent says.
    pub endpoint: Endpoint,
    /// What an application is started with (S1's Flask example).
    pub application: BTreeMap<String, String>,
    /// A URL without the password.
    pub url: String,
}

/// The way to a database that exists.
pub async fn find(context: &Context<'_>, database: &Database) -> Result<Connection, CommandError> {
    let instance = databases::instance(context, &database.spec.name).await?;
    let outputs = run::outputs(&*database.provider, &database.spec).await?;
    let text = |value: &Value| value.as_text().map(str::to_owned);
    let config = outputs.get("flask_db_config").and_then(Value::as_map);
    let application =
        config.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect();
    let url = outputs.get("connection_string").and_then(text).unwrap_or_default();
    Ok(Connection { endpoint: instance.endpoint, application, url })
}

impl Connection {
    /// What libpq reads, so that psql and every driver built on it need no argument. Through the pooler, where there is one.
    pub fn libpq(&self) -> BTreeMap<String, String> {
        self.libpq_at(self.endpoint.pooler_port.unwrap_or(self.endpoint.port))
    }

    /// The same past the pooler: whoever types expects a session of their own.
    pub fn libpq_past_pooler(&self) -> BTreeMap<String, String> {
        self.libpq_at(self.endpoint.port)
    }

    /// The same with every server of a pair, among which libpq finds the one that takes writes; `None`: there is one server.
    pub fn libpq_at_each_server(&self) -> Option<BTreeMap<String, String>> {
        let Endpoint { host, servers, .. } = &self.endpoint;
        if servers.len() < 2 {
            return None;
        }
        let hosts = vec![host.as_str(); servers.len()].join(",");
        let ports = servers.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let mut variables = self.libpq();
        variables.insert("PGHOST".to_owned(), hosts);
        variables.insert("PGPORT".to_owned(), ports);
        variables.insert("PGTARGETSESSIONATTRS".to_owned(), "read-write".to_owned());
        variables.insert("DATABASE_URL".to_owned(), self.url_of_each_server()?);
        Some(variables)
    }

    fn url_of_each_server(&self) -> Option<String> {
        let (user, rest) = self.url.split_once('@')?;
        let (_, path) = rest.split_once('/')?;
        let address = |port: &u16| format!("{}:{port}", self.endpoint.host);
        let servers = self.endpoint.servers.iter().map(address).collect::<Vec<_>>().join(",");
        Some(format!("{user}@{servers}/{path}&target_session_attrs=read-write"))
    }

    fn libpq_at(&self, port: u16) -> BTreeMap<String, String> {
        let Endpoint { host, database, username, ca_file, passfile, .. } = &self.endpoint;
        [
            ("PGHOST", host.clone()),
            ("PGPORT", port.to_string()),
            ("PGDATABASE", database.clone()),
            ("PGUSER", username.clone()),
            ("PGPASSFILE", passfile.display().to_string()),
            ("PGSSLMODE", "verify-full".to_owned()),
            ("PGSSLROOTCERT", ca_file.display().to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The password.
    pub fn password(&self) -> Result<String, CommandError> {
        password(&self.endpoint.secret_file)
    }
}
