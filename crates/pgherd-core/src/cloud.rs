//! Where a database runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Amazon RDS for PostgreSQL.
    Aws,
    /// Google Cloud SQL for PostgreSQL.
    Gcp,
    /// Azure Database for PostgreSQL, Flexible Server.
    Azure,
    /// DigitalOcean Managed PostgreSQL.
    #[serde(rename = "digitalocean")]
    DigitalOcean,
    /// Real PostgreSQL on this machine.
    Local,
}

impl Cloud {
    /// Every target.
    pub const ALL: &'static [Self] = &[Self::Aws, Self::Gcp, Self::Azure, Self::DigitalOcean, Self::Local];

    /// Its name in `cloud_provider`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::DigitalOcean => "digitalocean",
            Self::Local => "local",
        }
    }

    /// The target of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cloud| cloud.name() == name)
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
