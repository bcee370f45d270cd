"""The bench's block by boto3: the same calls as pgherd's, without any deciding."""

import json
import sys

import boto3

NAME = "orders"
SECRET = "pgherd/orders/master"
ALARMS = ["CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "ReadLatency", "CPUCreditBalance"]


def create():
    rds, secrets = boto3.client("rds"), boto3.client("secretsmanager")
    document = {"username": "orders", "password": "correct-horse", "host": "", "port": 5432, "dbname": "postgres"}
    secrets.create_secret(Name=SECRET, SecretString=json.dumps(document))
    rds.create_db_instance(
        DBInstanceIdentifier=NAME,
        Engine="postgres",
        EngineVersion="16.13",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        StorageType="gp3",
        StorageEncrypted=True,
        MasterUsername="orders",
        MasterUserPassword="correct-horse",
        BackupRetentionPeriod=7,
        DBParameterGroupName="default.postgres16",
        VpcSecurityGroupIds=["sg-default"],
        PubliclyAccessible=False,
    )
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=NAME)
    found = rds.describe_db_instances(DBInstanceIdentifier=NAME)["DBInstances"][0]
    document["host"] = found["Endpoint"]["Address"]
    secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps(document))
    alarms = boto3.client("cloudwatch")
    for metric in ALARMS:
        alarms.put_metric_alarm(
            AlarmName=f"{NAME}-{metric}",
            Namespace="AWS/RDS",
            MetricName=metric,
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": NAME}],
            Statistic="Average",
            Period=300,
            EvaluationPeriods=2,
            Threshold=80,
            ComparisonOperator="GreaterThanThreshold",
        )


def noop():
    boto3.client("rds").describe_db_instances(DBInstanceIdentifier=NAME)
    boto3.client("secretsmanager").get_secret_value(SecretId=SECRET)
    boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{NAME}-")


def modify():
    rds = boto3.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier=NAME, BackupRetentionPeriod=8, ApplyImmediately=True)
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=NAME)


{"create": create, "noop": noop, "modify": modify}[sys.argv[1]]()
