//! What can be said without asking anybody: what does not go together, what interrupts, and what is left out.

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::When;
use pgherd_core::spec::{Setting, Spec};

use super::About;
use crate::kinds::{alert, firewall, logs, replica, secret, server};

impl About<'_> {
    /// Whoever wants restarts in the window gets none in between.
    pub(super) fn at_once(&self, now: bool) -> Vec<Diagnostic> {
        let interrupts = self.intended.plan.steps.iter().flat_map(|step| step.action.changes());
        let mut interrupts = interrupts.filter(|change| change.impact.interrupts() && change.when == When::Now);
        match interrupts.next() {
            Some(change) if self.spec.apply_immediately == Some(false) && !now => {
                let message = format!("Azure changes {} at once, and knows no waiting for the window", change.field);
                let help = "run apply when an interruption is fine, with --now";
                vec![self.error("interrupts-now", "apply_immediately", message).help(help)]
            }
            _ => Vec::new(),
        }
    }

    /// What cannot be taken back, and what stands in its way.
    pub(super) fn upgraded(&self) -> Vec<Diagnostic> {
        let Some(change) = self.change("version") else { return Vec::new() };
        let message = format!("PostgreSQL {} becomes {}, and there is no way back", change.from, change.to);
        let help = "clone it under another name and try the upgrade there first";
        let mut out = vec![self.error("major-upgrade", "engine_version", message).help(help)];
        if self.seen(replica::NAME).is_some() {
            let message = "Azure upgrades no server that has read replicas";
            let help = "take them out of the block and apply; then upgrade, and write them again";
            out.push(self.error("replicas-in-the-way", "engine_version", message).help(help));
        }
        out
    }

    /// Whether there is a way in, and who comes in by it.
    pub(super) fn reached(&self) -> Vec<Diagnostic> {
        let network = &self.spec.network;
        let is_asked = self.is_made(server::NAME) || self.change("publicNetworkAccess").is_some();
        let subnet = server::subnet(self.spec);
        let mut out = Vec::new();
        if is_asked && subnet.is_none() && !network.publicly_accessible {
            let message = "nobody could reach the server: it is in no subnet, and has no public address";
            let help = "write subnet_ids = [\"<id of a subnet that is delegated to it>\"], or publicly_accessible = true; this version makes \
                        no private endpoint";
            out.push(self.error("no-way-in", "publicly_accessible", message).help(help));
        }
        if self.is_made(server::NAME) && subnet.is_some() {
            out.extend(self.of_subnet());
        }
        let written = network.allowed_cidr_blocks.iter().filter_map(Setting::known);
        let private: Vec<&str> = written.map(String::as_str).filter(|text| firewall::is_private(text)).collect();
        if network.publicly_accessible && self.is_touched(firewall::NAME) && !private.is_empty() {
            let message =
                format!("no packet from {} comes over the internet, so they are left out", private.join(", "));
            let help = "write public addresses, or subnet_ids";
            out.push(self.note("cidr-not-used", "allowed_cidr_blocks", message).help(help));
        }
        out
    }

    /// What is not looked at, and not used, of a server in a subnet.
    fn of_subnet(&self) -> Vec<Diagnostic> {
        let message = "that the subnet is delegated to Microsoft.DBforPostgreSQL/flexibleServers, and holds nothing else, is not checked beforehand";
        let help = "az network vnet subnet show --query delegations tells; without it Azure refuses the server";
        let mut out = vec![self.note("unchecked", "subnet_ids", message).help(help)];
        if !self.spec.network.allowed_cidr_blocks.is_empty() {
            let message = "a server in a subnet has no firewall of its own: who reaches the subnet comes in";
            let help = "let a network security group of the subnet say who may";
            out.push(self.note("cidr-not-used", "allowed_cidr_blocks", message).help(help));
        }
        out
    }

    /// What Azure refuses together, and what is around a block and not named.
    pub(super) fn fits(&self) -> Vec<Diagnostic> {
        let (spec, is_new) = (self.spec, self.is_made(server::NAME));
        let mut out = Vec::new();
        if self.is_touched(secret::NAME) && self.around.vault.is_none() {
            let message = "there is no key vault to keep the credentials in";
            let help = "write key_vault_name = \"<name>\", or set PGHERD_AZURE_KEY_VAULT";
            out.push(self.error("no-vault", "key_vault_name", message).help(help));
        }
        let has_key = !matches!(spec.encryption.kms_key_id, Setting::Unset);
        if (is_new || self.change("primaryKeyURI").is_some()) && has_key && self.around.identity.is_none() {
            let message = "there is no identity by which Azure could use the key";
            let help = "write key_identity_id = \"<id of one that has the role Key Vault Crypto Service Encryption User>\", or set PGHERD_AZURE_KEY_IDENTITY";
            out.push(self.error("no-key-identity", "kms_key_id", message).help(help));
        }
        let is_login_new = is_new || self.change("activeDirectoryAuth").is_some();
        if spec.iam_authentication && is_login_new {
            out.extend(self.of_entra());
        }
        let (asked, made) = (spec.storage.allocated_gib, server::size_gib(spec));
        if asked != made && (is_new || self.change("storageSizeGB").is_some()) {
            let message = format!("Azure makes {made} GiB of {asked}");
            // One less is half of that, and grows without an interruption.
            let help = if asked == 4096 { "write 4095, or 8192".to_owned() } else { format!("write {made}") };
            out.push(self.note("storage-size", "allocated_storage", message).help(help));
        }
        out.extend(self.shrunk(made));
        if self.change("sku").is_some() && !spec.parameters.contains_key("max_connections") {
            let message = "max_connections keeps the value of the size that it had";
            let help = "write it among the parameters; or reset it in the portal, and restart";
            out.push(self.note("max-connections-stays", "instance_class", message).help(help));
        }
        if is_new {
            out.extend(
                left_out(spec, self.around.workspace.is_some())
                    .map(|(at, message, help)| self.note("left-out", at, message).help(help)),
            );
        }
        out
    }

    fn of_entra(&self) -> Vec<Diagnostic> {
        let at = "iam_database_authentication_enabled";
        if self.around.tenant.is_none() {
            let message = "there is no tenant whose people could log in";
            return vec![self.error("no-tenant", at, message).help("set AZURE_TENANT_ID")];
        }
        let message = "nobody of Entra ID logs in before somebody is made an administrator of the server";
        let help = "az postgres flexible-server microsoft-entra-admin create does that";
        vec![self.note("iam-login", at, message).help(help)]
    }

    fn shrunk(&self, made: u64) -> Option<Diagnostic> {
        let live = self.seen(server::NAME).and_then(|seen| seen.props.get("storageSizeGB")?.as_int())?;
        let wanted = i64::try_from(made).unwrap_or(i64::MAX);
        let grows = self.spec.storage.auto_grow || self.spec.storage.max_gib.is_some();
        (live > wanted && !grows).then(|| {
            let message = format!("storage has {live} GiB and is not made smaller to {wanted}");
            self.note("storage-stays", "allocated_storage", message).help(format!("write {live}"))
        })
    }

    /// Alarms that are not made, or that nobody hears.
    pub(super) fn unheard(&self) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        let monitoring = &self.spec.monitoring;
        if !self.is_made(server::NAME) {
            return out;
        }
        let mut note = |at: &str, message: &str, help: &str| out.push(self.note("alarms", at, message).help(help));
        if monitoring.alarm_read_latency_s.is_some() {
            let message = "Azure has no metric of read latency, so no alarm of it is made";
            note("alarms", message, "Query Store shows how long queries take: enable_performance_insights");
        }
        if alert::connections(self.spec).is_none() {
            let message = "how many connections there can be is not known, so no alarm of them is made";
            note("alarms", message, "write alarms = { connections = 80 }, or max_connections");
        }
        if monitoring.alarm_targets.is_empty() {
            note(
                "alarm_targets",
                "nobody is told of an alarm: it is seen in the portal only",
                "write an address of mail",
            );
        }
        let message = "an alarm is about the average of 15 minutes: Azure counts no periods in a row";
        note("alarms", message, "nothing is to be done about it");
        out
    }
}

/// What is wanted and not made, or made otherwise: where it stands, what is done, and what helps.
fn left_out(spec: &Spec, has_workspace: bool) -> impl Iterator<Item = (&'static str, String, &'static str)> {
    let monitoring = &spec.monitoring;
    let insights = (monitoring.insights && spec.size.burstable).then(|| {
        let message = format!("Query Store is left off: it costs {} more than it has", spec.size.name);
        ("enable_performance_insights", message, "choose a general purpose size, such as GP_Standard_D2ds_v5")
    });
    let log = (monitoring.logging && !has_workspace).then(|| {
        let message = format!("the {} are kept on the server for a few days, since no workspace is named", logs::NAME);
        ("enable_logging", message, "write log_analytics_workspace_id = \"<id>\", or set PGHERD_AZURE_LOG_WORKSPACE")
    });
    let dashboard = monitoring.dashboard.then(|| {
        let message = "this version makes no dashboard on Azure".to_owned();
        ("create_dashboard", message, "the portal has one: Monitoring, Metrics")
    });
    [insights, log, dashboard].into_iter().flatten()
}
