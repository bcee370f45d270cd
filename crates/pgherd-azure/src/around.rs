//! What is around a block on Azure: the vault that keeps secrets, and what may be there. The block names it, else the environment does.

use pgherd_core::spec::{Setting, Spec};

/// What is around a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// The region of blocks that name none: that of their resource group.
    pub location: Option<String>,
    /// The name of the vault that keeps secrets.
    pub vault: Option<String>,
    /// The path of a workspace of Log Analytics for logs.
    pub workspace: Option<String>,
    /// The path of the identity that may use the customer's key.
    pub identity: Option<String>,
    /// The tenant whose people log in.
    pub tenant: Option<String>,
}

/// The variables of the environment.
const VAULT: &str = "PGHERD_AZURE_KEY_VAULT";
const WORKSPACE: &str = "PGHERD_AZURE_LOG_WORKSPACE";
const IDENTITY: &str = "PGHERD_AZURE_KEY_IDENTITY";
const TENANTS: [&str; 2] = ["AZURE_TENANT_ID", "ARM_TENANT_ID"];

impl Around {
    /// What the environment names.
    pub fn of_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            location: None,
            vault: set(VAULT),
            workspace: set(WORKSPACE),
            identity: set(IDENTITY),
            tenant: TENANTS.into_iter().find_map(set),
        }
    }

    /// The same where a block names nothing else.
    #[must_use]
    pub fn of_block(self, spec: &Spec) -> Self {
        let named = |setting: &Setting<String>, otherwise: Option<String>| setting.known().cloned().or(otherwise);
        let place = &spec.place;
        Self {
            location: named(&place.region, self.location),
            vault: named(&place.key_vault, self.vault),
            workspace: named(&place.log_workspace, self.workspace),
            identity: named(&place.key_identity, self.identity),
            tenant: self.tenant,
        }
    }
}
