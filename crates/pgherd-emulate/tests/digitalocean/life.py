"""DigitalOcean's own client, unmodified, lives a database's life on the emulator: what it says, a line each."""

import sys

from azure.core.exceptions import HttpResponseError
from pydo import Client



class Plain:
    """The same operations, each told that a token may go to this machine without TLS."""

    def __init__(self, operations):
        self.operations = operations

    def __getattr__(self, name):
        operation = getattr(self.operations, name)
        return lambda *sent: operation(*sent, enforce_https=False)


client = Client(token="emulated", endpoint=sys.argv[1])
databases = Plain(client.databases)


def online(cluster):
    for _ in range(100):
        try:
            status = databases.get_cluster(cluster)["database"]["status"]
        except HttpResponseError as error:
            status = error.status_code
        if status == "online":
            return
    raise SystemExit(f"{cluster} is {status}")


def refused(what, call):
    try:
        said = call()
    except HttpResponseError as error:
        print(what, error.status_code)
        return
    # Some versions hand a refusal on as an answer.
    print(what, said.get("id") if isinstance(said, dict) else said)


print("account", Plain(client.account).get()["account"]["status"])
print("versions", databases.list_options()["options"]["pg"]["versions"])
body = {"name": "orders", "engine": "pg", "version": "16", "num_nodes": 1, "size": "db-s-1vcpu-2gb", "region": "nyc3"}
body["tags"] = ["production"]
body["rules"] = [{"type": "ip_addr", "value": "10.0.0.0/8"}]
made = databases.create_cluster(body)["database"]
print("made", made["status"], made["name"])
cluster = made["id"]
online(cluster)
print("listed", [one["name"] for one in databases.list_clusters()["databases"]])
print("database", databases.add(cluster, {"name": "shop"})["db"]["name"])
print("user", databases.add_user(cluster, {"name": "app"})["user"]["role"])
pool = {"name": "shop-pool", "mode": "transaction", "size": 10, "db": "shop", "user": "app"}
print("pool", databases.add_connection_pool(cluster, pool)["pool"]["connection"]["port"])
databases.patch_config(cluster, {"config": {"work_mem": 16}})
print("config", databases.get_config(cluster)["config"])
print("rules", [rule["value"] for rule in databases.list_firewall_rules(cluster)["rules"]])
databases.update_maintenance_window(cluster, {"day": "sunday", "hour": "04:00"})
print("window", databases.get_cluster(cluster)["database"]["maintenance_window"]["hour"])
refused("too small", lambda: databases.update_cluster_size(cluster, {"size": "db-s-1vcpu-1gb", "num_nodes": 2}))
databases.update_cluster_size(cluster, {"size": "db-s-2vcpu-4gb", "num_nodes": 2})
refused("while resizing", lambda: databases.add(cluster, {"name": "other"}))
online(cluster)
print("resized", databases.get_cluster(cluster)["database"]["size"])
print("rotated", databases.reset_auth(cluster, "app", {})["user"]["name"])
for _ in range(30):
    databases.list_backups(cluster)
print("replica", databases.create_replica(cluster, {"name": "orders-r1", "size": "db-s-2vcpu-4gb"})["replica"]["status"])
print("replicas", [one["name"] for one in databases.list_replicas(cluster)["replicas"]])
databases.destroy_cluster(cluster)
for _ in range(10):
    left = databases.list_clusters()["databases"]
print("left", len(left))
