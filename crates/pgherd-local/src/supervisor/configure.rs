//! The configuration of an instance: what it follows from, having the server check it, and writing it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::NodeId;
use pgherd_core::spec::Size;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::backups::archive;
use super::ledger::Record;
use super::site::{Site, blocking, chosen};
use crate::desired::Wanted;
use crate::paths::{Layout, Paths};
use crate::pooler;
use crate::postgres::candidate;
use crate::postgres::conf::{self, InstanceConfig};
use crate::postgres::runas::RunAs;
use crate::postgres::server::Server;
use crate::sizing;
use crate::tls::{self, Authority, Certificate};

/// Whether the configuration files of the two differ.
pub fn depends_on(old: &Wanted, new: &Wanted) -> bool {
    // The settings of a pooler are in its own files.
    Wanted { proxy_config: old.proxy_config.clone(), ..with_configuration_of(old, new) } != *old
}

/// The wish with everything the configuration files follow from taken from another.
pub fn with_configuration_of(wanted: &Wanted, other: &Wanted) -> Wanted {
    Wanted {
        engine_version: other.engine_version.clone(),
        instance_class: other.instance_class.clone(),
        vcpu: other.vcpu,
        memory_mib: other.memory_mib,
        allowed_cidrs: other.allowed_cidrs.clone(),
        publicly_accessible: other.publicly_accessible,
        port: other.port,
        parameters: other.parameters.clone(),
        logging: other.logging,
        multi_az: other.multi_az,
        enable_proxy: other.enable_proxy,
        proxy_config: other.proxy_config.clone(),
        ..with_archive_of(wanted, other)
    }
}

/// Whether the log is archived is in the files; for how long backups are kept is not.
fn with_archive_of(wanted: &Wanted, other: &Wanted) -> Wanted {
    if wanted.is_archived() == other.is_archived() {
        return wanted.clone();
    }
    let Wanted { backup_retention_days, point_in_time, .. } = *other;
    Wanted { backup_retention_days, point_in_time, ..wanted.clone() }
}

/// The configuration that follows from a record, not in force yet.
pub struct Candidate {
    config: InstanceConfig,
    server: Server,
    run_as: RunAs,
    paths: Paths,
}

impl Candidate {
    /// Of what one server of an instance should be.
    pub fn of(site: &Site, record: &Record, node: NodeId) -> Result<Self, ProviderError> {
        let Wanted { allowed_cidrs, publicly_accessible, .. } = &record.wanted;
        let run_as = site.agent.run_as.clone();
        let agent_user = run_as.drops.then(|| "root".to_owned());
        // One that does not have the instance's port is reached through the forwarder alone.
        let open = *publicly_accessible && record.port_of(node) == record.port;
        let listen: &[&str] = if open { &["*"] } else { &["127.0.0.1", "::1"] };
        let port =
            record.port_of(node).ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, "no port was chosen yet"))?;
        Ok(Self {
            config: InstanceConfig {
                name: site.name.clone(),
                layout: site.node(node),
                port,
                listen: listen.iter().map(|&address| address.to_owned()).collect(),
                allowed: networks(allowed_cidrs)?,
                os_users: agent_user.into_iter().chain([run_as.name.clone()]).collect(),
                sizing: sizing::size(&size(&record.wanted), site.agent.machine(&site.name)),
                parameters: parameters(&record.wanted),
                archive: archive::of(site, record),
                pooler_authority: record.pool().map(|_| site.agent.options.paths.authority_certificate()),
            },
            server: chosen(record)?.clone(),
            run_as,
            paths: site.agent.options.paths.clone(),
        })
    }

    /// Has the server itself judge it, by reading it and by a start on a scratch directory; nothing in force is touched.
    pub async fn check(&self) -> Result<(), ProviderError> {
        self.write_next().await?;
        let (server, run_as, layout) = (self.server.clone(), self.run_as.clone(), self.config.layout.clone());
        blocking(move || candidate::check(&server, &run_as, &layout)).await?;
        candidate::rehearse(&self.server, &self.run_as, &self.paths.templates(), &self.config.layout).await
    }

    /// Whether it is what the files in force say.
    pub fn is_in_force(&self) -> bool {
        let text = std::fs::read_to_string(self.config.layout.postgresql_conf());
        text.is_ok_and(|text| text == conf::render(&self.config).postgresql)
    }

    /// Who may come in.
    pub fn hba(&self) -> String {
        conf::render(&self.config).hba
    }

    /// Writes it and puts it in force; a running server has to be told.
    pub async fn put_in_force(&self) -> Result<(), ProviderError> {
        self.certify().await?;
        self.write_next().await?;
        let layout = self.config.layout.clone();
        blocking(move || candidate::exchange(&layout)).await
    }

    /// Makes the certificates of server and pooler where they are missing or due; whoever runs has to be told.
    pub async fn certify(&self) -> Result<(), ProviderError> {
        let (folder, layout, run_as) = (self.paths.authority(), self.config.layout.clone(), self.run_as.clone());
        let pooled = self.config.pooler_authority.is_some();
        blocking(move || {
            let now = Timestamp::now();
            let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let names = tls::names(Some(&hostname), &[]);
            let authority = Authority::ensure(&folder, now)?;
            authority.ensure_server(&layout.certificate(), &names, &run_as, now)?;
            if pooled {
                authority.ensure_client(&layout.pooler_certificate(), pooler::ROLE, &run_as, now)?;
            }
            Ok(())
        })
        .await
    }

    async fn write_next(&self) -> Result<(), ProviderError> {
        let (files, layout, run_as) = (conf::render(&self.config), self.config.layout.clone(), self.run_as.clone());
        blocking(move || candidate::write(&files, &layout, &run_as)).await
    }
}

/// Whether the configuration in force is there, and for these folders: they may have been moved with all that is in them.
pub fn is_for(layout: &Layout) -> bool {
    let text = std::fs::read_to_string(layout.postgresql_conf()).unwrap_or_default();
    let places = [("data_directory", &layout.data), ("unix_socket_directories", &layout.socket)];
    let names = |(name, path): (&str, &PathBuf)| {
        let line = format!("{name} = {}", conf::quote(&path.display().to_string()));
        text.lines().any(|written| written == line)
    };
    places.into_iter().all(names) && layout.hba_conf().exists() && layout.ident_conf().exists()
}

/// The server's certificate, once it has one.
pub fn certificate(layout: &Layout) -> Option<Certificate> {
    tls::read(&std::fs::read_to_string(layout.certificate()).ok()?)
}

/// When the first of the certificates, the server's and, where there is one, the pooler's, is to be renewed: after two thirds
/// of its life. `None`: the server has none.
pub fn renew_at(layout: &Layout, pooled: bool) -> Option<Timestamp> {
    let pooler = || tls::read(&std::fs::read_to_string(layout.pooler_certificate()).ok()?);
    let pooler = if pooled { pooler() } else { None };
    [certificate(layout)?].into_iter().chain(pooler).filter_map(|certificate| due(&certificate)).min()
}

fn due(certificate: &Certificate) -> Option<Timestamp> {
    let Certificate { not_before, not_after, .. } = certificate;
    not_before.checked_add(SignedDuration::from_secs(not_after.duration_since(*not_before).as_secs() * 2 / 3)).ok()
}

/// The size a wish is of.
pub fn size(wanted: &Wanted) -> Size {
    Size { name: wanted.instance_class.clone(), vcpu: wanted.vcpu, memory_mib: wanted.memory_mib, burstable: false }
}

/// The user's settings, and what `logging` stands for where they say nothing of it.
fn parameters(wanted: &Wanted) -> BTreeMap<String, String> {
    let mut parameters = wanted.parameters.clone();
    if wanted.logging {
        for name in ["log_connections", "log_disconnections"] {
            parameters.entry(name.to_owned()).or_insert_with(|| "on".to_owned());
        }
    }
    parameters
}

/// Networks as text; one address is a network, too.
pub fn networks(cidrs: &[String]) -> Result<Vec<IpNet>, ProviderError> {
    let network = |text: &String| {
        let single = || text.parse::<IpAddr>().map(IpNet::from).ok();
        text.parse()
            .ok()
            .or_else(single)
            .ok_or_else(|| ProviderError::new(ErrorKind::Invalid, format!("{text} is no network such as 10.0.0.0/8")))
    };
    cidrs.iter().map(network).collect()
}

/// All memory of this machine, MiB.
pub fn machine_mib() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram * u64::from(info.mem_unit)) >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_may_be_one_address() {
        let networks = networks(&["10.1.2.3".to_owned(), "fd00::/8".to_owned()]).expect("networks");
        assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.2.3/32", "fd00::/8"]);
    }

    #[test]
    fn a_word_is_no_network() {
        let error = networks_error(&["everyone".to_owned()]);
        assert_eq!(error, "everyone is no network such as 10.0.0.0/8");
    }

    fn networks_error(cidrs: &[String]) -> String {
        networks(cidrs).expect_err("refused").message
    }
}
