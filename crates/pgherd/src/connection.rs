//! How a database is reached: the environment libpq and applications read. Never a password unless asked.

use std::collections::BTreeMap;
use std::path::Path;

use pgherd_core::cloud::Cloud;
use pgherd_core::value::{Props, Value};
use pgherd_engine::run;
use pgherd_local::supervisor::messages::Endpoint;
use zeroize::Zeroizing;

use crate::commands::Context;
use crate::databases::{self, Database};
use crate::error::CommandError;
use crate::targets;

/// Where a database is, and with which files it is reached.
#[derive(Debug)]
pub struct Connection {
    /// What the agent says of a database of this machine.
    pub endpoint: Option<Endpoint>,
    /// What an application is started with (S1's Flask example).
    pub application: BTreeMap<String, String>,
    /// A URL without the password.
    pub url: String,
}

/// The way to a database that exists.
pub async fn find(context: &Context<'_>, database: &Database) -> Result<Connection, CommandError> {
    let name = &database.spec.name;
    let endpoint = match database.is_here() {
        true => Some(databases::instance(context, name).await?.endpoint),
        false => None,
    };
    let outputs = run::outputs(&*database.provider, &database.spec).await?;
    let application = application(&outputs);
    if endpoint.is_none() && application.is_empty() {
        return Err(CommandError::failed(format!("{name} has no address yet"))
            .hint(format!("pgherd status{} says what it is doing", context.same_project())));
    }
    let url = outputs.get("connection_string").and_then(Value::as_text).unwrap_or_default().to_owned();
    Ok(Connection { endpoint, application, url })
}

/// Says who connects that nobody checks who answers, where that is so: RDS's certificates are signed by authorities that no system knows.
pub fn tell_of_certificates(context: &Context<'_>, database: &Database) {
    // Whoever plays RDS has authorities of their own.
    if database.spec.target != Cloud::Aws || database.provider.is_emulated() {
        return;
    }
    let given = std::env::var("PGSSLROOTCERT").ok();
    let is_there = |file: &str| Path::new(file).is_file();
    if let Some((code, message)) =
        unchecked(&database.spec.name, given.as_deref(), targets::root_certificate().as_deref(), is_there)
    {
        context.printer.warn(code, &message, FETCH);
    }
}

/// What is not checked, or cannot be. `found` is where Amazon's authorities are looked for; where they are nowhere, libpq checks who signed
/// the certificate with a file that `PGSSLROOTCERT` names and that is there.
fn unchecked(
    name: &str,
    given: Option<&str>,
    found: Option<&str>,
    is_there: impl Fn(&str) -> bool,
) -> Option<(&'static str, String)> {
    match (found, given) {
        // What connections say goes before the environment.
        (Some(file), _) => {
            let message = format!("PGHERD_RDS_CA names {file}, which is not there: connections fail until it is");
            (!is_there(file)).then_some(("certificates-missing", message))
        }
        (None, Some(file)) if is_there(file) => None,
        (None, _) => Some((
            "certificate-unchecked",
            format!(
                "connections to {name} are encrypted, but nobody checks who answers: Amazon's authorities are not on this machine"
            ),
        )),
    }
}

/// How Amazon's authorities come to where they are looked for.
const FETCH: &str = "curl --create-dirs -o ~/.postgresql/rds-global-bundle.pem https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

/// The password in force.
pub async fn password(database: &Database) -> Result<Zeroizing<String>, CommandError> {
    let password = database.provider.password(&database.spec).await?;
    let text = password.reveal().map(|text| Zeroizing::new(text.to_owned()));
    text.ok_or_else(|| CommandError::failed(format!("the password of {} cannot be read", database.spec.name)))
}

fn application(outputs: &Props) -> BTreeMap<String, String> {
    let config = outputs.get("flask_db_config").and_then(Value::as_map);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_text()?.to_owned()));
    config.into_iter().flatten().filter_map(text).collect()
}

/// What libpq calls what an application is told.
const LIBPQ: [(&str, &str); 5] = [
    ("DB_HOST", "PGHOST"),
    ("DB_PORT", "PGPORT"),
    ("DB_NAME", "PGDATABASE"),
    ("DB_USER", "PGUSER"),
    ("DB_SSLMODE", "PGSSLMODE"),
];

impl Connection {
    /// What libpq reads, so that psql and every driver built on it need no argument. Through the pooler, where there is one.
    pub fn libpq(&self) -> BTreeMap<String, String> {
        match &self.endpoint {
            Some(endpoint) => libpq_at(endpoint, endpoint.pooler_port.unwrap_or(endpoint.port)),
            None => self.libpq_elsewhere(),
        }
    }

    /// The same past the pooler: whoever types expects a session of their own.
    pub fn libpq_past_pooler(&self) -> BTreeMap<String, String> {
        match &self.endpoint {
            Some(endpoint) => libpq_at(endpoint, endpoint.port),
            None => self.libpq_elsewhere(),
        }
    }

    /// The same with every server of a pair, among which libpq finds the one that takes writes; `None`: there is one address.
    pub fn libpq_at_each_server(&self) -> Option<BTreeMap<String, String>> {
        let Endpoint { host, servers, .. } = self.endpoint.as_ref().filter(|endpoint| endpoint.servers.len() > 1)?;
        let hosts = vec![host.as_str(); servers.len()].join(",");
        let ports = servers.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let mut variables = self.libpq();
        variables.insert("PGHOST".to_owned(), hosts);
        variables.insert("PGPORT".to_owned(), ports);
        variables.insert("PGTARGETSESSIONATTRS".to_owned(), "read-write".to_owned());
        let addresses: Vec<String> = servers.iter().map(|port| format!("{host}:{port}")).collect();
        variables.insert("DATABASE_URL".to_owned(), self.url_at(&addresses.join(","))?);
        Some(variables)
    }

    fn url_at(&self, addresses: &str) -> Option<String> {
        let (user, rest) = self.url.split_once('@')?;
        let (_, path) = rest.split_once('/')?;
        Some(format!("{user}@{addresses}/{path}&target_session_attrs=read-write"))
    }

    /// There, the instance is what applications are told of, whatever stands in front of it.
    fn libpq_elsewhere(&self) -> BTreeMap<String, String> {
        let told = |(ours, theirs): (&str, &str)| Some((theirs.to_owned(), self.application.get(ours)?.clone()));
        let mut variables: BTreeMap<String, String> = LIBPQ.into_iter().filter_map(told).collect();
        let is_verified = self.application.get("DB_SSLMODE").is_some_and(|mode| mode == "verify-full");
        if let Some(file) = targets::root_certificate().filter(|_| is_verified) {
            variables.insert("PGSSLROOTCERT".to_owned(), file);
        }
        variables
    }
}

fn libpq_at(endpoint: &Endpoint, port: u16) -> BTreeMap<String, String> {
    let Endpoint { host, database, username, ca_file, passfile, .. } = endpoint;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: Option<&str>, found: Option<&str>, expected: Option<&str>) {
        let said = unchecked("orders", given, found, |file| file == "/there.pem");
        assert_eq!(said.as_ref().map(|(code, _)| *code), expected, "{said:?}");
    }

    #[test]
    fn who_checks_nobody_is_told_so() {
        check(None, None, Some("certificate-unchecked"));
        check(Some(""), None, Some("certificate-unchecked"));
        check(None, Some("/there.pem"), None);
        check(None, Some("/elsewhere.pem"), Some("certificates-missing"));
        check(Some("/there.pem"), None, None);
        check(Some("/elsewhere.pem"), Some("/there.pem"), None);
        check(Some("/there.pem"), Some("/elsewhere.pem"), Some("certificates-missing"));
        check(Some("/elsewhere.pem"), None, Some("certificate-unchecked"));
        check(Some("system"), None, Some("certificate-unchecked"));
    }
}
