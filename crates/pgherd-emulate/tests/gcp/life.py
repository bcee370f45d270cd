"""Google's own client, unmodified, lives a database's life on the emulator: what it says, a line each."""

import base64
import sys

import google.auth
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError


def api(name, version):
    return build(name, version, credentials=Credentials(token="emulated"), client_options={"api_endpoint": sys.argv[1]},
                 cache_discovery=False)


sql, vault, watch = api("sqladmin", "v1"), api("secretmanager", "v1"), api("monitoring", "v3")
instances = sql.instances()
P = "learning"


def done(operation):
    for _ in range(100):
        if operation["status"] == "DONE":
            return operation.get("error", {}).get("errors", [{}])[0].get("code", "done")
        operation = sql.operations().get(project=P, operation=operation["name"]).execute()
    raise SystemExit(f"{operation['name']} goes on")


def refused(what, call):
    try:
        print(what, call.execute())
    except HttpError as error:
        print(what, error.status_code, error.error_details[0]["reason"] if error.error_details else "")


body = {
    "name": "orders",
    "region": "us-central1",
    "databaseVersion": "POSTGRES_16",
    "rootPassword": "secret",
    "settings": {
        "tier": "db-custom-1-3840",
        "edition": "ENTERPRISE",
        "backupConfiguration": {"enabled": True, "startTime": "03:00", "pointInTimeRecoveryEnabled": True},
        "ipConfiguration": {"ipv4Enabled": True, "sslMode": "ENCRYPTED_ONLY"},
    },
}
plus = {**body, "settings": {**body["settings"]}}
del plus["settings"]["edition"]
refused("without edition", instances.insert(project=P, body=plus))
refused("mistyped", instances.insert(project=P, body={**body, "teir": "x"}))
operation = instances.insert(project=P, body=body).execute()
print("made", operation["operationType"], operation["status"])
refused("twice", instances.insert(project=P, body=body))
refused("while it is made", sql.databases().insert(project=P, instance="orders", body={"name": "shop"}))
print("created", done(operation))
there = instances.get(project=P, instance="orders").execute()
print("state", there["state"], there["settings"]["dataDiskSizeGb"], there["ipAddresses"][0]["type"])
# As gcloud asks, and with what is found where a machine of Google's finds it.
found, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
older = build("sqladmin", "v1beta4", credentials=found, client_options={"api_endpoint": sys.argv[1]}, cache_discovery=False)
print("found", project, [one["name"] for one in older.instances().list(project=project).execute()["items"]])
print("database", done(sql.databases().insert(project=P, instance="orders", body={"name": "shop"}).execute()))
print("user", done(sql.users().insert(project=P, instance="orders", body={"name": "app", "password": "secret"}).execute()))
print("users", [one["name"] for one in sql.users().list(project=P, instance="orders").execute()["items"]])
version = there["settings"]["settingsVersion"]
flags = {"settings": {"settingsVersion": version, "databaseFlags": [{"name": "work_mem", "value": "16384"}]}}
print("flags", done(instances.patch(project=P, instance="orders", body=flags).execute()))
refused("stale", instances.patch(project=P, instance="orders", body=flags))
small = {"settings": {"dataDiskSizeGb": "5"}}
refused("smaller", instances.patch(project=P, instance="orders", body=small))
wrong = {"settings": {"databaseFlags": [{"name": "work_mem", "value": "16MB"}]}}
refused("a unit", instances.patch(project=P, instance="orders", body=wrong))
flag = [one for one in sql.flags().list(databaseVersion="POSTGRES_16").execute()["items"] if one["name"] == "max_connections"]
print("flag", flag[0]["type"], flag[0]["requiresRestart"])
print("backup", done(sql.backupRuns().insert(project=P, instance="orders", body={"description": "b"}).execute()))
print("backups", [one["status"] for one in sql.backupRuns().list(project=P, instance="orders").execute()["items"]][:1])
follower = {
    "name": "orders-replica-1", "region": "us-central1", "databaseVersion": "POSTGRES_16",
    "masterInstanceName": "orders", "instanceType": "READ_REPLICA_INSTANCE",
    "settings": {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"},
}
print("replica", done(instances.insert(project=P, body=follower).execute()))
refused("with a replica", instances.delete(project=P, instance="orders"))
print("promoted", done(instances.promoteReplica(project=P, instance="orders-replica-1").execute()))
context = {"cloneContext": {"destinationInstanceName": "copy"}}
print("cloned", done(instances.clone(project=P, instance="orders", body=context).execute()))

secrets = vault.projects().secrets()
shell = {"replication": {"automatic": {}}, "labels": {"a": "b"}}
print("secret", secrets.create(parent=f"projects/{P}", secretId="s", body=shell).execute()["name"])
name = f"projects/{P}/secrets/s"
refused("empty", secrets.versions().access(name=f"{name}/versions/latest"))
payload = {"payload": {"data": base64.b64encode(b"x").decode()}}
print("version", secrets.addVersion(parent=name, body=payload).execute()["name"][-1])
data = secrets.versions().access(name=f"{name}/versions/latest").execute()["payload"]["data"]
print("holds", base64.b64decode(data).decode())
secrets.delete(name=name).execute()

channels, policies = watch.projects().notificationChannels(), watch.projects().alertPolicies()
channel = {"type": "email", "displayName": "ann", "labels": {"email_address": "ann@example.com"}}
channel = channels.create(name=f"projects/{P}", body=channel).execute()["name"]
threshold = {
    "filter": 'metric.type="cloudsql.googleapis.com/database/cpu/utilization" AND resource.type="cloudsql_database"',
    "comparison": "COMPARISON_GT", "thresholdValue": 0.8, "duration": "600s",
    "aggregations": [{"alignmentPeriod": "300s", "perSeriesAligner": "ALIGN_MEAN"}],
}
policy = {
    "displayName": "cpu", "combiner": "OR", "notificationChannels": [channel], "userLabels": {"k": "v"},
    "conditions": [{"displayName": "cpu", "conditionThreshold": threshold}],
}
policy = policies.create(name=f"projects/{P}", body=policy).execute()["name"]
listed = policies.list(name=f"projects/{P}", filter='user_labels.k="v"').execute()
print("policies", len(listed["alertPolicies"]))
refused("in use", channels.delete(name=channel))
policies.delete(name=policy).execute()
channels.delete(name=channel).execute()
for one in ["orders", "copy", "orders-replica-1"]:
    done(instances.delete(project=P, instance=one, enableFinalBackup=True, finalBackupTtlDays=30).execute())
last = sql.Backups().ListBackups(parent=f"projects/{P}", filter="type:FINAL AND instance:orders").execute()
print("last backups", [(one["instance"], one["type"]) for one in last["backups"]])
print("left", len(instances.list(project=P).execute().get("items", [])))
