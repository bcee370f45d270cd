"""A database's whole life with boto3, told line by line."""

import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
# Every call and its refusals are counted, so nothing is repeated but what this asks for.
rds = boto3.client("rds", endpoint_url=URL, config=Config(retries={"total_max_attempts": 2, "mode": "standard"}))
# The emulator's clock goes on with every call; nobody has to wait.
AT_ONCE = {"Delay": 0, "MaxAttempts": 100}


def instance(name="orders"):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def refused(call, **sent):
    try:
        call(**sent)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "not refused"


def waited(waiter, **sent):
    rds.get_waiter(waiter).wait(WaiterConfig=AT_ONCE, **sent)


def until(what, is_so):
    for _ in range(200):
        if is_so():
            return
    raise SystemExit("never: " + what)


def planned(fault):
    request = urllib.request.Request(URL + "/_emulate/faults", json.dumps(fault).encode(), method="POST")
    urllib.request.urlopen(request).read()


group = rds.create_db_subnet_group(
    DBSubnetGroupName="orders", DBSubnetGroupDescription="orders", SubnetIds=["subnet-a", "subnet-b"]
)["DBSubnetGroup"]
print("subnet group", group["VpcId"], [subnet["SubnetAvailabilityZone"]["Name"] for subnet in group["Subnets"]])
rds.create_db_parameter_group(DBParameterGroupName="orders-pg16", DBParameterGroupFamily="postgres16", Description="orders")
rds.modify_db_parameter_group(
    DBParameterGroupName="orders-pg16",
    Parameters=[
        {"ParameterName": "max_connections", "ParameterValue": "200", "ApplyMethod": "pending-reboot"},
        {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"},
    ],
)
pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName="orders-pg16")
parameters = [parameter for page in pages for parameter in page["Parameters"]]
print("set", sorted((p["ParameterName"], p["ParameterValue"]) for p in parameters if p["Source"] == "user"))
print("more than one page", len(parameters) > 100)

monitored = {"Statement": {"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}, "Action": "sts:AssumeRole"}}
iam = boto3.client("iam", endpoint_url=URL)
role = iam.create_role(RoleName="monitoring", AssumeRolePolicyDocument=json.dumps(monitored))["Role"]["Arn"]
iam.attach_role_policy(RoleName="monitoring", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole")
planned({"action": "CreateDBInstance", "fault": "throttle"})
created = rds.create_db_instance(
    DBInstanceIdentifier="orders",
    Engine="postgres",
    EngineVersion="16",
    DBInstanceClass="db.r5.large",
    AllocatedStorage=100,
    StorageType="gp3",
    StorageEncrypted=True,
    MasterUsername="orders",
    MasterUserPassword="correct-horse",
    DBName="orders",
    DBSubnetGroupName="orders",
    DBParameterGroupName="orders-pg16",
    VpcSecurityGroupIds=["sg-default"],
    BackupRetentionPeriod=7,
    MonitoringInterval=60,
    MonitoringRoleArn=role,
    EnableCloudwatchLogsExports=["postgresql", "upgrade"],
    Tags=[{"Key": "pgherd:block", "Value": "orders"}],
)["DBInstance"]
print("created", created["DBInstanceStatus"], "Endpoint" in created)
waited("db_instance_available", DBInstanceIdentifier="orders")
found = instance()
print("available", found["Endpoint"]["Port"], found["TagList"], found["EnabledCloudwatchLogsExports"])
print("twice", refused(rds.create_db_instance, DBInstanceIdentifier="orders", Engine="postgres", DBInstanceClass="db.r5.large",
                       AllocatedStorage=100, MasterUsername="orders", MasterUserPassword="correct-horse"))

until("available twice in a row", lambda: [instance()["DBInstanceStatus"] for _ in range(2)] == ["available"] * 2)
rds.modify_db_instance(DBInstanceIdentifier="orders", DBInstanceClass="db.r5.xlarge", DeletionProtection=True)
print("pending", instance()["PendingModifiedValues"])
rds.modify_db_instance(DBInstanceIdentifier="orders", BackupRetentionPeriod=14, ApplyImmediately=True)
waited("db_instance_available", DBInstanceIdentifier="orders")
until("nothing pending", lambda: not instance()["PendingModifiedValues"])
found = instance()
print("modified", found["DBInstanceClass"], found["BackupRetentionPeriod"], found["DeletionProtection"])
print("protected", refused(rds.delete_db_instance, DBInstanceIdentifier="orders", SkipFinalSnapshot=True))

rds.add_tags_to_resource(ResourceName=found["DBInstanceArn"], Tags=[{"Key": "team", "Value": "a & b"}])
rds.remove_tags_from_resource(ResourceName=found["DBInstanceArn"], TagKeys=["pgherd:block"])
print("tags", rds.list_tags_for_resource(ResourceName=found["DBInstanceArn"])["TagList"])
by_name = rds.describe_db_instances(Filters=[{"Name": "db-instance-id", "Values": ["orders", "orders-r1"]}])
print("filtered", [one["DBInstanceIdentifier"] for one in by_name["DBInstances"]])
print("events", rds.describe_events(SourceIdentifier="orders", SourceType="db-instance", Duration=1440)["Events"][0]["Message"])

waited("db_instance_available", DBInstanceIdentifier="orders")
# An answer that is lost was done: boto3 asks again by itself, and is told that it exists.
planned({"action": "CreateDBInstanceReadReplica", "fault": "lost"})
print("lost", refused(rds.create_db_instance_read_replica, DBInstanceIdentifier="orders-r1", SourceDBInstanceIdentifier="orders"))
waited("db_instance_available", DBInstanceIdentifier="orders-r1")
print("replica of", instance("orders-r1")["ReadReplicaSourceDBInstanceIdentifier"], instance()["ReadReplicaDBInstanceIdentifiers"])
rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="orders-before")
waited("db_snapshot_completed", DBSnapshotIdentifier="orders-before")
rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="orders-copy", DBSnapshotIdentifier="orders-before")
rds.restore_db_instance_to_point_in_time(
    SourceDBInstanceIdentifier="orders", TargetDBInstanceIdentifier="orders-then", RestoreTime=instance()["LatestRestorableTime"]
)
for copy in ("orders-copy", "orders-then"):
    waited("db_instance_available", DBInstanceIdentifier=copy)
    print("copy", copy, instance(copy)["MasterUsername"], instance(copy)["DBParameterGroups"][0]["DBParameterGroupName"])
rds.promote_read_replica(DBInstanceIdentifier="orders-r1")
waited("db_instance_available", DBInstanceIdentifier="orders-r1")
until("promoted", lambda: "ReadReplicaSourceDBInstanceIdentifier" not in instance("orders-r1"))
for copy in ("orders-r1", "orders-copy", "orders-then"):
    waited("db_instance_available", DBInstanceIdentifier=copy)
    rds.delete_db_instance(DBInstanceIdentifier=copy, SkipFinalSnapshot=True)
    waited("db_instance_deleted", DBInstanceIdentifier=copy)
rds.delete_db_snapshot(DBSnapshotIdentifier="orders-before")

backups = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="orders")["DBInstanceAutomatedBackups"]
print("backups", [backup["Status"] for backup in backups], backups[0]["RestoreWindow"]["EarliestTime"] < backups[0]["RestoreWindow"]["LatestTime"])
options = rds.describe_orderable_db_instance_options(Engine="postgres", DBInstanceClass="db.r5.large", EngineVersion="16.9")
print("orderable", [option["StorageType"] for option in options["OrderableDBInstanceOptions"]])
log = rds.describe_db_log_files(DBInstanceIdentifier="orders")["DescribeDBLogFiles"][0]["LogFileName"]
portion = rds.download_db_log_file_portion(DBInstanceIdentifier="orders", LogFileName=log, Marker="0", NumberOfLines=1)
print("log", log, portion["Marker"], portion["LogFileData"].strip().split(":LOG:  ")[1])

waited("db_instance_available", DBInstanceIdentifier="orders")
rds.modify_db_instance(DBInstanceIdentifier="orders", DeletionProtection=False, ApplyImmediately=True)
rds.delete_db_instance(DBInstanceIdentifier="orders", FinalDBSnapshotIdentifier="orders-last")
waited("db_instance_deleted", DBInstanceIdentifier="orders")
print("deleted", refused(rds.describe_db_instances, DBInstanceIdentifier="orders"))
snapshot = rds.describe_db_snapshots(DBSnapshotIdentifier="orders-last")["DBSnapshots"][0]
print("snapshot", snapshot["Status"], snapshot["PercentProgress"], snapshot["Encrypted"])
rds.delete_db_snapshot(DBSnapshotIdentifier="orders-last")
rds.delete_db_parameter_group(DBParameterGroupName="orders-pg16")
rds.delete_db_subnet_group(DBSubnetGroupName="orders")
print("nothing left", refused(rds.describe_db_subnet_groups, DBSubnetGroupName="orders"))
