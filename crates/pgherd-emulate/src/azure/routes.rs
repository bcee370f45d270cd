//! Which request is what: methods and paths to handlers, with the names the official descriptions have for them.

use percent_encoding::percent_decode_str;

use super::{Azure, Call, GROUP, Refusal, SUBSCRIPTION, Said, VAULT};

impl Call<'_> {
    /// What a query asks for.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        let read = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| read(key) == name).map(|(_, value)| read(value))
    }
}

/// API versions that are taken: what a path holds, and the version.
const VERSIONS: [(&str, &str); 8] = [
    ("Microsoft.Authorization/locks", "2020-05-01"),
    ("Microsoft.Insights/diagnosticSettings", "2021-05-01-preview"),
    ("Microsoft.Insights/metricAlerts", "2018-03-01"),
    ("Microsoft.Insights/actionGroups", "2023-01-01"),
    ("Microsoft.Network/privateDnsZones", "2024-06-01"),
    ("Microsoft.DBforPostgreSQL", "2026-10-01"),
    ("vault.azure.net", "7.5"),
    ("resourceGroups", "2021-04-01"),
];

fn parts(path: &str) -> Vec<String> {
    let read = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    path.trim_matches('/').split('/').map(read).collect()
}

/// Whether a vault is asked.
pub(super) fn is_of_vault(path: &str) -> bool {
    path.trim_start_matches('/').split('/').next().is_some_and(|first| first.ends_with(".vault.azure.net"))
}

/// The description's name for a request.
pub(super) fn action(method: &str, path: &str) -> String {
    let parts = parts(path);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let verb = match method {
        "GET" => "get",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "post",
    };
    match parts.as_slice() {
        ["subscriptions", _, "providers", "Microsoft.DBforPostgreSQL", rest @ ..] => of_subscription(method, rest),
        ["subscriptions", _, "resourceGroups", _] => "ResourceGroups.get".to_owned(),
        [
            "subscriptions",
            _,
            "resourceGroups",
            _,
            "providers",
            "Microsoft.DBforPostgreSQL",
            "flexibleServers",
            name,
            rest @ ..,
        ] => of_server(method, name, rest),
        ["subscriptions", _, "resourceGroups", _, "providers", "Microsoft.DBforPostgreSQL", "flexibleServers"]
            if method == "GET" =>
        {
            "Servers.list_by_resource_group".to_owned()
        }
        ["subscriptions", _, "resourceGroups", _, "providers", "Microsoft.Insights", kind] => format!("{kind}.list"),
        ["subscriptions", _, "resourceGroups", _, "providers", "Microsoft.Insights", kind, _] => {
            format!("{kind}.{verb}")
        }
        ["subscriptions", _, "resourceGroups", _, "providers", "Microsoft.Network", "privateDnsZones", _] => {
            format!("privateDnsZones.{verb}")
        }
        [
            "subscriptions",
            _,
            "resourceGroups",
            _,
            "providers",
            "Microsoft.Network",
            "privateDnsZones",
            _,
            "virtualNetworkLinks",
            _,
        ] => {
            format!("virtualNetworkLinks.{verb}")
        }
        [_, "secrets", _] => format!("secrets.{verb}"),
        [_, "secrets", _, _] => format!("secrets.version.{verb}"),
        [_, "deletedsecrets", _] => format!("deletedsecrets.{verb}"),
        [_, "deletedsecrets", _, "recover"] => "deletedsecrets.recover".to_owned(),
        _ => String::new(),
    }
}

fn of_subscription(method: &str, rest: &[&str]) -> String {
    let action = match (method, rest) {
        ("POST", ["checkNameAvailability"]) => "NameAvailability.check_globally",
        ("GET", ["locations", _, "capabilities"]) => "CapabilitiesByLocation.list",
        ("GET", ["locations", _, "azureAsyncOperation", _]) => "operation.get",
        ("GET", ["locations", _, "operationResults", _]) => "operation.result",
        _ => "",
    };
    action.to_owned()
}

fn of_server(method: &str, _name: &str, rest: &[&str]) -> String {
    let action = match (method, rest) {
        ("GET", []) => "Servers.get",
        ("PUT", []) => "Servers.create_or_update",
        ("PATCH", []) => "Servers.update",
        ("DELETE", []) => "Servers.delete",
        ("POST", [verb @ ("restart" | "start" | "stop")]) => return format!("Servers.{verb}"),
        ("GET", ["replicas"]) => "Replicas.list_by_server",
        ("GET", ["configurations"]) => "Configurations.list_by_server",
        ("GET", ["configurations", _]) => "Configurations.get",
        ("PATCH", ["configurations", _]) => "Configurations.update",
        ("GET", ["firewallRules"]) => "FirewallRules.list_by_server",
        ("GET", ["firewallRules", _]) => "FirewallRules.get",
        ("PUT", ["firewallRules", _]) => "FirewallRules.create_or_update",
        ("DELETE", ["firewallRules", _]) => "FirewallRules.delete",
        ("GET", ["databases"]) => "Databases.list_by_server",
        ("GET", ["databases", _]) => "Databases.get",
        ("PUT", ["databases", _]) => "Databases.create",
        ("DELETE", ["databases", _]) => "Databases.delete",
        ("GET", ["backups"]) => "BackupsAutomaticAndOnDemand.list_by_server",
        ("GET", ["backups", _]) => "BackupsAutomaticAndOnDemand.get",
        ("PUT", ["backups", _]) => "BackupsAutomaticAndOnDemand.create",
        ("GET", ["providers", "Microsoft.Authorization", "locks"]) => "locks.list",
        ("PUT", ["providers", "Microsoft.Authorization", "locks", _]) => "locks.put",
        ("DELETE", ["providers", "Microsoft.Authorization", "locks", _]) => "locks.delete",
        ("GET", ["providers", "Microsoft.Insights", "diagnosticSettings", _]) => "diagnosticSettings.get",
        ("PUT", ["providers", "Microsoft.Insights", "diagnosticSettings", _]) => "diagnosticSettings.put",
        ("DELETE", ["providers", "Microsoft.Insights", "diagnosticSettings", _]) => "diagnosticSettings.delete",
        _ => "",
    };
    action.to_owned()
}

/// What is answered to a request.
pub(super) fn route(azure: &mut Azure, method: &str, path: &str, call: &Call<'_>) -> Said {
    let action = action(method, path);
    if action.is_empty() {
        return Err(Refusal::absent(format!("There is no {method} {path} in the emulator.")));
    }
    let parts = parts(path);
    let part = |index: usize| parts.get(index).map(String::as_str).unwrap_or_default();
    let asked = call.asked("api-version");
    let wanted = VERSIONS.iter().find(|(what, _)| path.replace("/providers/", " ").contains(what));
    if wanted.is_some_and(|(_, version)| asked.as_deref() != Some(*version)) {
        return Err(Refusal::new(400, "InvalidApiVersionParameter", format!("The api-version of {path} is wrong.")));
    }
    if part(0) == "subscriptions" && part(1) != SUBSCRIPTION {
        let message = format!("The subscription '{}' could not be found.", part(1));
        return Err(Refusal::new(404, "SubscriptionNotFound", message));
    }
    if part(2) == "resourceGroups" && part(3) != GROUP {
        let message = format!("Resource group '{}' could not be found.", part(3));
        return Err(Refusal::new(404, "ResourceGroupNotFound", message));
    }
    match action.split_once('.').unwrap_or_default() {
        ("secrets" | "deletedsecrets", _) => in_vault(azure, &action, &parts, call),
        (
            "Servers" | "Replicas" | "Configurations" | "FirewallRules" | "Databases" | "BackupsAutomaticAndOnDemand",
            _,
        ) => on_server(azure, &action, &parts, call),
        ("locks", "list") => azure.list_locks(part(7)),
        ("locks", "put") => azure.put_lock(part(7), part(11), call),
        ("locks", _) => azure.delete_lock(part(7), part(11)),
        ("diagnosticSettings", _) => azure.logs(part(7), part(11), method, call),
        ("privateDnsZones", _) => azure.zone(part(7), method, call),
        ("virtualNetworkLinks", _) => azure.link(part(7), part(9), method, call),
        ("ResourceGroups", _) => azure.group(),
        ("NameAvailability", _) => azure.is_free(call),
        ("CapabilitiesByLocation", _) => azure.capabilities(part(5)),
        ("operation", kind) => azure.told_of(part(7), call, kind == "result"),
        (kind, "list") => azure.list_watched(kind),
        (kind, _) => azure.one_watched(kind, part(7), method, call),
    }
}

fn on_server(azure: &mut Azure, action: &str, parts: &[String], call: &Call<'_>) -> Said {
    let part = |index: usize| parts.get(index).map(String::as_str).unwrap_or_default();
    let (name, kind, within) = (part(7), part(8), part(9));
    match action {
        "Servers.list_by_resource_group" => azure.list_servers(),
        "Servers.get" => azure.get_server(name),
        "Servers.create_or_update" => azure.put_server(name, call),
        "Servers.update" => azure.patch_server(name, call),
        "Servers.delete" => azure.delete_server(name, call),
        "Servers.restart" | "Servers.start" | "Servers.stop" => azure.act(name, kind, call),
        "Replicas.list_by_server" => azure.list_replicas(name),
        "Configurations.list_by_server" => azure.list_configurations(name, call),
        "Configurations.get" => azure.get_configuration(name, within),
        "Configurations.update" => azure.set_configuration(name, within, call),
        "FirewallRules.create_or_update" => azure.put_rule(name, within, call),
        "Databases.create" => azure.put_database(name, within, call),
        "BackupsAutomaticAndOnDemand.create" => azure.put_backup(name, within, call),
        "FirewallRules.get" | "Databases.get" | "BackupsAutomaticAndOnDemand.get" => {
            azure.get_within(name, kind, within, call)
        }
        "FirewallRules.delete" | "Databases.delete" => azure.delete_within(name, kind, within, call),
        _ => azure.list_within(name, kind, call),
    }
}

fn in_vault(azure: &mut Azure, action: &str, parts: &[String], call: &Call<'_>) -> Said {
    let part = |index: usize| parts.get(index).map(String::as_str).unwrap_or_default();
    if part(0) != format!("{VAULT}.vault.azure.net") {
        return Err(Refusal::new(404, "VaultNotFound", format!("There is no vault {}.", part(0))));
    }
    let (name, version) = (part(2), part(3));
    match action {
        "secrets.get" => azure.get_secret(name),
        "secrets.put" => azure.put_secret(name, call),
        "secrets.delete" => azure.delete_secret(name),
        "secrets.version.patch" => azure.patch_secret(name, version, call),
        "deletedsecrets.get" => azure.get_deleted_secret(name),
        "deletedsecrets.recover" => azure.recover_secret(name, call),
        _ => Err(Refusal::absent(format!("There is no {action} in the emulator."))),
    }
}
