"""What stands around a database with boto3, told line by line."""

import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
ONCE = Config(retries={"total_max_attempts": 2, "mode": "standard"})


def client(service, region="us-east-1"):
    return boto3.client(service, endpoint_url=URL, region_name=region, config=ONCE)


def refused(call, **sent):
    try:
        call(**sent)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "not refused"


def control(path, body):
    request = urllib.request.Request(URL + "/_emulate/" + path, json.dumps(body).encode(), method="POST")
    return urllib.request.urlopen(request).read()


def after_its_time(line):
    return line.split(" UTC:")[1]


def told(pairs):
    return {pair["Key"]: pair["Value"] for pair in pairs}


def networks():
    ec2, rds = client("ec2"), client("rds")
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    print("vpc", [vpc["VpcId"] for vpc in vpcs], ec2.describe_vpc_attribute(VpcId="vpc-default", Attribute="enableDnsHostnames")["EnableDnsHostnames"])
    pages = ec2.get_paginator("describe_subnets").paginate(Filters=[{"Name": "vpc-id", "Values": ["vpc-default"]}], PaginationConfig={"PageSize": 5})
    print("subnets", [(subnet["SubnetId"], subnet["AvailabilityZone"]) for page in pages for subnet in page["Subnets"]])
    print("zones", [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]])
    gateways = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": ["vpc-default"]}])["InternetGateways"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": ["vpc-default"]}])["RouteTables"]
    print("ways out", [gateway["InternetGatewayId"] for gateway in gateways], [(route["DestinationCidrBlock"], route["GatewayId"]) for route in tables[0]["Routes"]])

    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "team", "Value": "a"}]}])["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ids = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"] for n, zone in enumerate("ab")]
    print("conflict", refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.128/25"))
    sent = {"GroupName": "orders-db", "Description": "who may reach orders", "VpcId": vpc}
    group = ec2.create_security_group(**sent, TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "pgherd:block", "Value": "orders"}]}])["GroupId"]
    print("twice", refused(ec2.create_security_group, **sent))
    rules = [
        {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "office"}, {"CidrIp": "192.168.0.0/16"}]},
        {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "Ipv6Ranges": [{"CidrIpv6": "fd00::/8"}], "UserIdGroupPairs": [{"GroupId": group}]},
    ]
    opened = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)["SecurityGroupRules"]
    print("opened", [(rule.get("CidrIpv4") or rule.get("CidrIpv6") or "itself", rule.get("Description")) for rule in opened])
    print("duplicate", refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=rules[:1]))
    print("bits", refused(ec2.authorize_security_group_ingress, GroupId=group, IpProtocol="tcp", FromPort=1, ToPort=2, CidrIp="10.0.0.1/8"))
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "192.168.0.0/16"}]}])
    print("absent", refused(ec2.revoke_security_group_ingress, GroupId=group, IpProtocol="tcp", FromPort=1, ToPort=2, CidrIp="10.0.0.0/8"))
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["orders-db"]}, {"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]
    print("group", told(found["Tags"]), [(p["IpProtocol"], p.get("FromPort"), p["IpRanges"], p["Ipv6Ranges"], len(p["UserIdGroupPairs"])) for p in found["IpPermissions"]])
    by_rule = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    print("rules", sorted((rule["IsEgress"], rule["IpProtocol"], rule["FromPort"]) for rule in by_rule))
    ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": "b"}])
    ec2.delete_tags(Resources=[group], Tags=[{"Key": "pgherd:block"}])
    print("tags", told(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["Tags"]))

    rds.create_db_subnet_group(DBSubnetGroupName="own", DBSubnetGroupDescription="own", SubnetIds=ids)
    rds.create_db_instance(DBInstanceIdentifier="inside", Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="u", MasterUserPassword="correct-horse", DBSubnetGroupName="own", VpcSecurityGroupIds=[group])
    print("in use", refused(ec2.delete_security_group, GroupId=group), refused(ec2.delete_subnet, SubnetId=ids[0]))
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="inside", WaiterConfig={"Delay": 0, "MaxAttempts": 100})
    rds.delete_db_instance(DBInstanceIdentifier="inside", SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="inside", WaiterConfig={"Delay": 0, "MaxAttempts": 100})
    rds.delete_db_subnet_group(DBSubnetGroupName="own")
    ec2.delete_security_group(GroupId=group)
    print("gone", refused(ec2.describe_security_groups, GroupIds=[group]), refused(ec2.delete_vpc, VpcId=vpc))
    for subnet in ids:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def secrets():
    sm = client("secretsmanager")
    one, two, three = (str(n) * 32 for n in (1, 2, 3))
    made = sm.create_secret(Name="pgherd/orders/master", ClientRequestToken=one, SecretString="first", Tags=[{"Key": "pgherd:block", "Value": "orders"}])
    print("secret", made["ARN"], made["VersionId"] == one)
    again = sm.create_secret(Name="pgherd/orders/master", ClientRequestToken=one, SecretString="first")
    print("repeated", again["ARN"] == made["ARN"], refused(sm.create_secret, Name="pgherd/orders/master", SecretString="other"))
    sm.put_secret_value(SecretId="pgherd/orders/master", ClientRequestToken=two, SecretString="second", VersionStages=["AWSPENDING"])
    print("half-way", sm.get_secret_value(SecretId=made["ARN"])["SecretString"], sm.get_secret_value(SecretId=made["ARN"], VersionStage="AWSPENDING")["SecretString"])
    print("from where", refused(sm.update_secret_version_stage, SecretId=made["ARN"], VersionStage="AWSCURRENT", MoveToVersionId=two))
    sm.update_secret_version_stage(SecretId=made["ARN"], VersionStage="AWSCURRENT", RemoveFromVersionId=one, MoveToVersionId=two)
    stages = sm.describe_secret(SecretId=made["ARN"][:-7])["VersionIdsToStages"]
    print("rotated", {version[0]: sorted(labels) for version, labels in stages.items()})
    print("same token", refused(sm.put_secret_value, SecretId=made["ARN"], ClientRequestToken=two, SecretString="other"))
    sm.put_secret_value(SecretId=made["ARN"], ClientRequestToken=three, SecretString="third")
    print("previous", sm.get_secret_value(SecretId=made["ARN"], VersionStage="AWSPREVIOUS")["SecretString"])
    sm.tag_resource(SecretId=made["ARN"], Tags=[{"Key": "team", "Value": "a"}])
    sm.untag_resource(SecretId=made["ARN"], TagKeys=["pgherd:block"])
    print("tags", told(sm.describe_secret(SecretId=made["ARN"])["Tags"]), [s["Name"] for s in sm.list_secrets(Filters=[{"Key": "name", "Values": ["pgherd/"]}])["SecretList"]])
    print("policy", sm.get_resource_policy(SecretId=made["ARN"]).get("ResourcePolicy"))
    sm.delete_secret(SecretId=made["ARN"], RecoveryWindowInDays=7)
    print("deleted", refused(sm.get_secret_value, SecretId=made["ARN"]), refused(sm.create_secret, Name="pgherd/orders/master", SecretString="x"), "DeletedDate" in sm.describe_secret(SecretId=made["ARN"]))
    sm.restore_secret(SecretId=made["ARN"])
    print("had back", sm.get_secret_value(SecretId=made["ARN"])["SecretString"])
    sm.delete_secret(SecretId=made["ARN"], RecoveryWindowInDays=7)
    control("advance", {"seconds": 8 * 86400})
    print("after the days", refused(sm.describe_secret, SecretId=made["ARN"]))


def alarms():
    cw, sns = client("cloudwatch"), client("sns")
    topic = sns.create_topic(Name="orders-alarms", Tags=[{"Key": "team", "Value": "a"}])["TopicArn"]
    print("same topic", sns.create_topic(Name="orders-alarms")["TopicArn"] == topic, refused(sns.create_topic, Name="orders-alarms", Tags=[{"Key": "team", "Value": "b"}]))
    print("subscribed", sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="dba@example.com")["SubscriptionArn"], refused(sns.subscribe, TopicArn=topic, Protocol="email", Endpoint="nobody"))
    print("told", [(s["Endpoint"], s["SubscriptionArn"]) for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic) for s in page["Subscriptions"]])
    alarm = dict(Namespace="AWS/RDS", MetricName="CPUUtilization", Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "orders"}], Statistic="Average", Period=300, EvaluationPeriods=2, Threshold=80.5, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], TreatMissingData="missing")
    cw.put_metric_alarm(AlarmName="orders-cpu", Tags=[{"Key": "pgherd:block", "Value": "orders"}], **alarm)
    for n in range(60):
        cw.put_metric_alarm(AlarmName=f"other-{n:02}", **{**alarm, "Threshold": n})
    found = cw.describe_alarms(AlarmNames=["orders-cpu"])["MetricAlarms"][0]
    print("alarm", found["Threshold"], found["StateValue"], found["AlarmActions"] == [topic], found["StateUpdatedTimestamp"].year, found["Dimensions"])
    pages = list(cw.get_paginator("describe_alarms").paginate(AlarmNamePrefix="other-"))
    print("pages", [len(page["MetricAlarms"]) for page in pages])
    print("tags", told(cw.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]))
    print("refused", refused(cw.put_metric_alarm, AlarmName="x", **{**alarm, "Period": 61}), refused(cw.put_metric_alarm, AlarmName="x", **{**alarm, "AlarmActions": ["me"]}), refused(cw.delete_alarms, AlarmNames=["absent"]))
    cw.set_alarm_state(AlarmName="orders-cpu", StateValue="ALARM", StateReason="a test")
    print("state", [a["AlarmName"] for a in cw.describe_alarms(StateValue="ALARM")["MetricAlarms"]])
    cw.delete_alarms(AlarmNames=["orders-cpu"] + [f"other-{n:02}" for n in range(60)])
    print("none", cw.describe_alarms()["MetricAlarms"])
    body = json.dumps({"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": {"region": "us-east-1", "metrics": []}}]})
    cw.put_dashboard(DashboardName="orders", DashboardBody=body)
    print("dashboard", client("cloudwatch", "eu-west-1").get_dashboard(DashboardName="orders")["DashboardBody"] == body, refused(cw.put_dashboard, DashboardName="orders", DashboardBody="{}"))
    print("listed", [(d["DashboardName"], d["LastModified"].year) for d in cw.list_dashboards()["DashboardEntries"]])
    cw.delete_dashboards(DashboardNames=["orders"])
    print("no dashboard", refused(cw.get_dashboard, DashboardName="orders"))
    sns.delete_topic(TopicArn=topic)
    print("no topic", refused(sns.get_topic_attributes, TopicArn=topic))


def roles():
    iam = client("iam")
    print("who", client("sts").get_caller_identity()["Account"])
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName="orders-monitoring", AssumeRolePolicyDocument=trust, Tags=[{"Key": "team", "Value": "a"}])["Role"]
    print("role", role["Arn"], role["AssumeRolePolicyDocument"] == json.loads(trust), refused(iam.create_role, RoleName="Orders-Monitoring", AssumeRolePolicyDocument=trust))
    policy = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
    iam.attach_role_policy(RoleName="orders-monitoring", PolicyArn=policy)
    print("attached", [p["PolicyName"] for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName="orders-monitoring") for p in page["AttachedPolicies"]])
    print("no policy", refused(iam.attach_role_policy, RoleName="orders-monitoring", PolicyArn="arn:aws:iam::aws:policy/Nothing"))
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}
    iam.put_role_policy(RoleName="orders-monitoring", PolicyName="secret", PolicyDocument=json.dumps(own))
    print("inline", iam.get_role_policy(RoleName="orders-monitoring", PolicyName="secret")["PolicyDocument"] == own, refused(iam.delete_role, RoleName="orders-monitoring"))
    iam.delete_role_policy(RoleName="orders-monitoring", PolicyName="secret")
    iam.detach_role_policy(RoleName="orders-monitoring", PolicyArn=policy)
    print("tags", told(iam.get_role(RoleName="orders-monitoring")["Role"]["Tags"]))
    iam.delete_role(RoleName="orders-monitoring")
    print("gone", refused(iam.get_role, RoleName="orders-monitoring"), refused(iam.create_role, RoleName="x", AssumeRolePolicyDocument="{}"))


def keys():
    kms = client("kms")
    own = kms.create_key(Description="orders")["KeyMetadata"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=own["KeyId"])
    found = kms.describe_key(KeyId="alias/orders")["KeyMetadata"]
    print("key", found["Arn"] == own["Arn"], found["KeyState"], found["KeySpec"], kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["KeyManager"])
    kms.disable_key(KeyId=own["KeyId"])
    print("disabled", kms.describe_key(KeyId=own["Arn"])["KeyMetadata"]["KeyState"], refused(kms.describe_key, KeyId="alias/absent"), refused(client("kms", "eu-west-1").describe_key, KeyId=own["Arn"]))


def logs():
    logs, rds = client("logs"), client("rds")
    name = "/aws/rds/instance/logged/postgresql"
    logs.create_log_group(logGroupName=name, tags={"team": "a"})
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    print("group", refused(logs.create_log_group, logGroupName=name), refused(logs.put_retention_policy, logGroupName=name, retentionInDays=31))
    group = logs.describe_log_groups(logGroupNamePrefix="/aws/rds/instance/logged/")["logGroups"][0]
    print("kept", group["retentionInDays"], group["arn"][-2:], logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"])
    rds.create_db_instance(DBInstanceIdentifier="logged", Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="u", MasterUserPassword="correct-horse", EnableCloudwatchLogsExports=["postgresql", "upgrade"])
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="logged", WaiterConfig={"Delay": 0, "MaxAttempts": 100})
    print("exported", [(g["logGroupName"], g.get("retentionInDays")) for g in logs.describe_log_groups()["logGroups"]])
    stream = logs.describe_log_streams(logGroupName=name)["logStreams"][0]["logStreamName"]
    page = logs.get_log_events(logGroupName=name, logStreamName=stream, startFromHead=True, limit=1)
    print("first", stream, [after_its_time(event["message"]) for event in page["events"]])
    print("filtered", [after_its_time(event["message"]) for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name, filterPattern="backup") for event in page["events"]])
    logs.create_log_stream(logGroupName=name, logStreamName="own")
    logs.put_log_events(logGroupName=name, logStreamName="own", logEvents=[{"timestamp": 1767225600000, "message": "hello"}])
    print("written", [event["message"] for event in logs.get_log_events(logGroupName=name, logStreamName="own")["events"]])
    logs.create_log_group(logGroupName="own")
    logs.delete_log_group(logGroupName="own")
    print("absent", refused(logs.describe_log_streams, logGroupName="own"))


def faults():
    for service, action, call in (
        ("ec2", "DescribeVpcs", lambda: client("ec2").describe_vpcs()),
        ("secretsmanager", "ListSecrets", lambda: client("secretsmanager").list_secrets()),
        ("monitoring", "DescribeAlarms", lambda: client("cloudwatch").describe_alarms()),
        ("sns", "ListTopics", lambda: client("sns").list_topics()),
    ):
        control("faults", {"action": action, "fault": "throttle"})
        call()
        control("faults", {"action": action, "fault": "denied"})
        asked = json.loads(urllib.request.urlopen(URL + "/_emulate/requests").read())
        before = [one["outcome"] for one in asked if one["action"] == action and one["service"] == service][-2:]
        print("faults", service, before, refused(call))
    control("tamper", {"region": "us-east-1", "service": "secretsmanager", "action": "CreateSecret", "parameters": {"Name": "foreign", "SecretString": "x", "ClientRequestToken": "t" * 32}})
    print("tampered", [secret["Name"] for secret in client("secretsmanager").list_secrets()["SecretList"]])
    told_all = urllib.request.urlopen(URL + "/_emulate/requests").read().decode()
    print("no secrets told", "third" not in told_all and "correct-horse" not in told_all)


networks()
secrets()
alarms()
roles()
keys()
logs()
faults()
