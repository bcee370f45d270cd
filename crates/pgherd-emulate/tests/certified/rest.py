"""What a life does not need, with boto3, told line by line: proxies, another region, what stops, what fails."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

URL = sys.argv[1]
AT_ONCE = {"Delay": 0, "MaxAttempts": 100}
ACCOUNT = "arn:aws:iam::123456789012:role/"


def client(service, region="us-east-1"):
    return boto3.client(service, endpoint_url=URL, region_name=region, config=Config(retries={"total_max_attempts": 2}))


rds, there = client("rds"), client("rds", "eu-west-1")


def instance(name="orders", of=rds):
    return of.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def refused(call, **sent):
    try:
        call(**sent)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "not refused"


def waited(waiter, of=rds, **sent):
    of.get_waiter(waiter).wait(WaiterConfig=AT_ONCE, **sent)


def until(what, is_so):
    for _ in range(200):
        if is_so():
            return
    raise SystemExit("never: " + what)


def role(name, service, allowed=None):
    iam = client("iam")
    who = {"Statement": {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(who))
    if allowed:
        document = {"Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": allowed}}
        iam.put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=json.dumps(document))
    return ACCOUNT + name


def facts():
    newest = rds.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"]
    print("newest", len(newest), newest[0]["Engine"], newest[0]["DBParameterGroupFamily"].startswith("postgres"))
    targets = rds.describe_db_engine_versions(Engine="postgres", EngineVersion="16")["DBEngineVersions"][0]["ValidUpgradeTarget"]
    print("upgrades", {target["IsMajorVersionUpgrade"] for target in targets})
    pages = rds.get_paginator("describe_engine_default_parameters").paginate(DBParameterGroupFamily="postgres16")
    defaults = [one for page in pages for one in page["EngineDefaults"]["Parameters"]]
    print("defaults", len(defaults) > 100, {one["ApplyType"] for one in defaults} == {"static", "dynamic"})
    print("reached from", [one["RegionName"] for one in rds.describe_source_regions(RegionName="eu-west-1")["SourceRegions"]])
    print("quotas", {one["AccountQuotaName"]: one["Max"] for one in rds.describe_account_attributes()["AccountQuotas"]})


def groups():
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily="postgres16", Description="own")
    two = [("work_mem", "8192", "immediate"), ("max_connections", "200", "pending-reboot")]
    two = [dict(zip(("ParameterName", "ParameterValue", "ApplyMethod"), one)) for one in two]
    rds.modify_db_parameter_group(DBParameterGroupName="own", Parameters=two)
    rds.reset_db_parameter_group(DBParameterGroupName="own", Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}])
    left = rds.describe_db_parameters(DBParameterGroupName="own", Source="user")["Parameters"]
    print("reset one", [one["ParameterName"] for one in left])
    rds.reset_db_parameter_group(DBParameterGroupName="own", ResetAllParameters=True)
    print("reset all", rds.describe_db_parameters(DBParameterGroupName="own", Source="user")["Parameters"])
    found = rds.describe_db_parameter_groups(DBParameterGroupName="own")["DBParameterGroups"][0]
    print("parameter group", found["DBParameterGroupFamily"], found["DBParameterGroupArn"])
    rds.create_db_subnet_group(DBSubnetGroupName="own", DBSubnetGroupDescription="own", SubnetIds=["subnet-a", "subnet-b"])
    rds.modify_db_subnet_group(DBSubnetGroupName="own", SubnetIds=["subnet-a", "subnet-b", "subnet-c"])
    changed = rds.describe_db_subnet_groups(DBSubnetGroupName="own")["DBSubnetGroups"][0]
    print("subnet group", [subnet["SubnetIdentifier"] for subnet in changed["Subnets"]])


def create():
    rds.create_db_instance(
        DBInstanceIdentifier="orders", Engine="postgres", EngineVersion="16", DBInstanceClass="db.r5.large",
        AllocatedStorage=20, MasterUsername="orders", MasterUserPassword="correct-horse", MultiAZ=True,
        BackupRetentionPeriod=7, DBSubnetGroupName="own", DBParameterGroupName="own",
    )
    waited("db_instance_available", DBInstanceIdentifier="orders")
    until("backed up", lambda: "LatestRestorableTime" in instance())
    waited("db_instance_available", DBInstanceIdentifier="orders")
    print("maintenance", rds.describe_pending_maintenance_actions()["PendingMaintenanceActions"])
    before = instance()["AvailabilityZone"], instance()["SecondaryAvailabilityZone"]
    rds.reboot_db_instance(DBInstanceIdentifier="orders", ForceFailover=True)
    waited("db_instance_available", DBInstanceIdentifier="orders")
    print("failed over", (instance()["SecondaryAvailabilityZone"], instance()["AvailabilityZone"]) == before)


def proxies():
    secret = client("secretsmanager").create_secret(Name="orders", SecretString=json.dumps({"username": "orders", "password": "correct-horse"}))["ARN"]
    sent = {
        "DBProxyName": "orders-proxy", "EngineFamily": "POSTGRESQL", "VpcSubnetIds": ["subnet-a", "subnet-b"],
        "Auth": [{"AuthScheme": "SECRETS", "SecretArn": secret, "IAMAuth": "DISABLED"}], "RequireTLS": True,
    }
    print("no role", refused(rds.create_db_proxy, RoleArn=ACCOUNT + "orders-proxy", **sent))
    made = rds.create_db_proxy(RoleArn=role("orders-proxy", "rds.amazonaws.com"), **sent)["DBProxy"]
    print("proxy", made["Status"], made["RequireTLS"], made["Auth"][0]["SecretArn"] == secret)
    proxy = lambda: rds.describe_db_proxies(DBProxyName="orders-proxy")["DBProxies"][0]
    until("available", lambda: proxy()["Status"] == "available")
    rds.modify_db_proxy(DBProxyName="orders-proxy", IdleClientTimeout=60)
    until("modified", lambda: proxy()["Status"] == "available")
    pool = {"MaxConnectionsPercent": 50, "MaxIdleConnectionsPercent": 10}
    rds.modify_db_proxy_target_group(DBProxyName="orders-proxy", TargetGroupName="default", ConnectionPoolConfig=pool)
    group = rds.describe_db_proxy_target_groups(DBProxyName="orders-proxy")["TargetGroups"][0]
    print("pool", group["TargetGroupName"], {name: group["ConnectionPoolConfig"][name] for name in pool}, proxy()["IdleClientTimeout"])
    rds.register_db_proxy_targets(DBProxyName="orders-proxy", DBInstanceIdentifiers=["orders"])
    health = lambda: rds.describe_db_proxy_targets(DBProxyName="orders-proxy")["Targets"][0]["TargetHealth"]
    until("registered", lambda: health()["State"] != "REGISTERING" and health()["Reason"] != "PENDING_PROXY_CAPACITY")
    print("may not read", health())
    document = {"Statement": {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": secret}}
    client("iam").put_role_policy(RoleName="orders-proxy", PolicyName="reads", PolicyDocument=json.dumps(document))
    print("may read", health())
    rds.deregister_db_proxy_targets(DBProxyName="orders-proxy", DBInstanceIdentifiers=["orders"])
    rds.delete_db_proxy(DBProxyName="orders-proxy")
    until("gone", lambda: refused(rds.describe_db_proxies, DBProxyName="orders-proxy") == "DBProxyNotFoundFault")


def elsewhere():
    arn, sent = instance()["DBInstanceArn"], []
    # What boto3 makes of SourceRegion: a request for the other region, signed, within this one.
    note = lambda model, params, **_: sent.append((model.name, "DestinationRegion%3D" in params["body"].get("PreSignedUrl", "").replace("=", "%3D")))
    for action in ("CreateDBInstanceReadReplica", "StartDBInstanceAutomatedBackupsReplication"):
        there.meta.events.register("before-call.rds." + action, note)
    print("of nobody", refused(there.create_db_instance_read_replica, DBInstanceIdentifier="far", SourceDBInstanceIdentifier=arn, PreSignedUrl="https://rds.us-east-1.amazonaws.com/?Action=DeleteDBInstance"))
    sent.clear()
    there.create_db_instance_read_replica(DBInstanceIdentifier="far", SourceDBInstanceIdentifier=arn, SourceRegion="us-east-1")
    waited("db_instance_available", of=there, DBInstanceIdentifier="far")
    print("follows", instance("far", there)["ReadReplicaSourceDBInstanceIdentifier"] == arn, instance()["ReadReplicaDBInstanceIdentifiers"])
    copied = there.start_db_instance_automated_backups_replication(SourceDBInstanceArn=arn, SourceRegion="us-east-1", BackupRetentionPeriod=14)
    copied = copied["DBInstanceAutomatedBackup"]
    print("copied", copied["Status"], copied["BackupRetentionPeriod"], copied["Region"])
    print("presigned", sent)
    own = copied["DBInstanceAutomatedBackupsArn"]
    print("still copied", refused(there.delete_db_instance_automated_backup, DBInstanceAutomatedBackupsArn=own))
    there.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=arn)
    print("no more copies", [one["Status"] for one in there.describe_db_instance_automated_backups(DBInstanceIdentifier="orders")["DBInstanceAutomatedBackups"]])
    there.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=own)
    there.delete_db_instance(DBInstanceIdentifier="far", SkipFinalSnapshot=True)
    waited("db_instance_deleted", of=there, DBInstanceIdentifier="far")


def stopped():
    waited("db_instance_available", DBInstanceIdentifier="orders")
    rds.stop_db_instance(DBInstanceIdentifier="orders", DBSnapshotIdentifier="orders-stopped")
    until("stopped", lambda: instance()["DBInstanceStatus"] == "stopped")
    print("takes nothing", refused(rds.modify_db_instance, DBInstanceIdentifier="orders", DeletionProtection=True))
    waited("db_snapshot_completed", DBSnapshotIdentifier="orders-stopped")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="orders-stopped", TargetDBSnapshotIdentifier="orders-encrypted", KmsKeyId="alias/aws/rds")
    waited("db_snapshot_completed", DBSnapshotIdentifier="orders-encrypted")
    print("snapshots", [(one["DBSnapshotIdentifier"], one["Encrypted"]) for one in rds.describe_db_snapshots()["DBSnapshots"]])
    rds.start_db_instance(DBInstanceIdentifier="orders")
    waited("db_instance_available", DBInstanceIdentifier="orders")


def failed():
    try:
        waited("db_instance_available", of=there, DBInstanceIdentifier="broken")
    except WaiterError as error:
        print("broken", error.last_response["DBInstances"][0]["DBInstanceStatus"], "terminal failure" in str(error))


def ended():
    resource = instance()["DbiResourceId"]
    rds.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    waited("db_instance_deleted", DBInstanceIdentifier="orders")
    kept = rds.describe_db_instance_automated_backups(DbiResourceId=resource)["DBInstanceAutomatedBackups"]
    print("retained", [one["Status"] for one in kept])
    rds.delete_db_instance_automated_backup(DbiResourceId=resource)
    print("forgotten", rds.describe_db_instance_automated_backups(DbiResourceId=resource)["DBInstanceAutomatedBackups"])


facts()
groups()
create()
proxies()
elsewhere()
stopped()
failed()
ended()
