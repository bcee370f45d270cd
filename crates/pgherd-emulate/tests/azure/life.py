"""Azure's own client, unmodified, lives a server's life on the emulator, with a token of Azure's own library, over TLS: a line each."""

import sys
import threading

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, EnvironmentCredential
from azure.mgmt.core.polling.arm_polling import ARMPolling
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

URL, G = sys.argv[1], "databases"
SCOPE = "https://management.azure.com/.default"


def client(credential):
    # It asks anew at once, where it would wait for half a minute.
    return PostgreSQLManagementClient(credential, "s", base_url=URL, credential_scopes=[SCOPE], polling_interval=0)


def code(error):
    return f"{error.status_code} {error.error.code if error.error else ''}"


class Later(ARMPolling):
    """The client's own waiting, begun when it is told to: each question makes the emulated time go on."""

    told = threading.Event()

    def run(self):
        self.told.wait()
        super().run()


def done(begin, *args, **more):
    """What is busy is asked again, as its words say."""
    for _ in range(100):
        try:
            return begin(*args, **more).result()
        except HttpResponseError as error:
            if not error.error or error.error.code != "ServerIsBusy":
                raise
    raise SystemExit("it is busy for ever")


def refused(what, call, *args, **more):
    try:
        call(*args, **more)
        print(what, "taken")
    except HttpResponseError as error:
        print(what, code(error))


try:
    ClientSecretCredential("learning", "emulated", "wrong", authority=URL, disable_instance_discovery=True).get_token(SCOPE)
except ClientAuthenticationError as error:
    print("another secret", "AADSTS7000215" in str(error))
# Led here by the environment, as the emulator tells it.
azure = client(EnvironmentCredential(disable_instance_discovery=True))
servers = azure.servers
print("free", azure.name_availability.check_globally({"name": "orders", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}).name_available)
offer = next(iter(azure.capabilities_by_location.list("canadacentral")))
print("offered", [one.name for one in offer.supported_server_versions])

body = {
    "location": "Canada Central",
    "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
    "tags": {"by": "hand"},
    "properties": {
        "createMode": "Create", "version": "16", "administratorLogin": "app", "administratorLoginPassword": "Correct-horse-7",
        "storage": {"storageSizeGB": 64}, "backup": {"backupRetentionDays": 7},
        "network": {"publicNetworkAccess": "Enabled"}, "highAvailability": {"mode": "ZoneRedundant"},
    },
}


def other(**properties):
    return {**body, "properties": {**body["properties"], **properties}}


refused("mistyped", servers.begin_create_or_update, G, "orders", other(storrage={}))
refused("a window at once", servers.begin_create_or_update, G, "orders", other(maintenanceWindow={"customWindow": "Enabled"}))
refused("another group", servers.get, "somewhere", "orders")
poller = servers.begin_create_or_update(G, "orders", body, polling=Later(0, path_format_arguments={"endpoint": URL}))
print("begun", poller.status(), servers.get(G, "orders").properties.state)
refused("while it is made", azure.databases.begin_create, G, "orders", "shop", {})
Later.told.set()
made = poller.result()
print("made", made.properties.state, made.location, made.properties.fully_qualified_domain_name)
print("standby", made.properties.high_availability.mode, made.properties.high_availability.state)
refused("twice", servers.begin_create_or_update, G, "orders", body)
print("database", done(azure.databases.begin_create, G, "orders", "shop", {"properties": {"charset": "UTF8", "collation": "en_US.utf8"}}).name)
rule = {"properties": {"startIpAddress": "198.51.100.7", "endIpAddress": "198.51.100.7"}}
print("rule", done(azure.firewall_rules.begin_create_or_update, G, "orders", "office", rule).properties.end_ip_address)
refused("a rule of IPv6", done, azure.firewall_rules.begin_create_or_update, G, "orders", "x", {"properties": {"startIpAddress": "::1", "endIpAddress": "::1"}})


def set_to(name, value):
    body = {"properties": {"value": value, "source": "user-override"}}
    return done(azure.configurations.begin_update, G, "orders", name, body).properties


print("work_mem", set_to("work_mem", "16384").value)
print("waits for a restart", set_to("max_connections", "300").is_config_pending_restart)
done(servers.begin_restart, G, "orders")
print("and had it", azure.configurations.get(G, "orders", "max_connections").properties.is_config_pending_restart)
refused("a unit", set_to, "work_mem", "16MB")
refused("read only", set_to, "ssl", "off")
print("settings", len(list(azure.configurations.list_by_server(G, "orders"))) > 300)
window = {"properties": {"maintenanceWindow": {"customWindow": "Enabled", "dayOfWeek": 0, "startHour": 4, "startMinute": 0}}}
print("window", done(servers.begin_update, G, "orders", window).properties.maintenance_window.day_of_week)
refused("smaller", done, servers.begin_update, G, "orders", {"properties": {"storage": {"storageSizeGB": 32}}})
zone = made.properties.availability_zone
failover = {"restartWithFailover": True, "failoverMode": "PlannedFailover"}
done(servers.begin_restart, G, "orders", failover)
print("failed over", servers.get(G, "orders").properties.availability_zone != zone)
print("backup", done(azure.backups_automatic_and_on_demand.begin_create, G, "orders", "before").name)
follower = {"location": "canadacentral", "properties": {"createMode": "Replica", "sourceServerResourceId": made.id}}
print("replica", done(servers.begin_create_or_update, G, "orders-replica-1", follower).properties.replication_role)
print("replicas", [one.name for one in azure.replicas.list_by_server(G, "orders")])
refused("with a replica", done, servers.begin_delete, G, "orders")
promote = {"properties": {"replica": {"role": "None", "promoteMode": "Standalone", "promoteOption": "Planned"}}}
print("promoted", done(servers.begin_update, G, "orders-replica-1", promote).properties.replication_role)
moment = servers.get(G, "orders").properties.backup.earliest_restore_date
restore = {"location": "canadacentral", "properties": {
    "createMode": "PointInTimeRestore", "sourceServerResourceId": made.id, "pointInTimeUTC": moment.isoformat()}}
print("restored", done(servers.begin_create_or_update, G, "copy", restore).properties.version)
print("servers", sorted(one.name for one in servers.list_by_resource_group(G)))
for one in ["orders", "orders-replica-1", "copy"]:
    done(servers.begin_delete, G, one)
print("left", len(list(servers.list_by_resource_group(G))))
