# Amazon RDS for PostgreSQL. Credentials come from the usual places (environment, ~/.aws, instance role).

module "database_aws" {
  source = "./modules/database_postgres"

  cloud_provider = "aws"
  aws_region     = "us-east-1"

  name           = "learning-assistant-aws"
  engine_version = "16"

  # RDS spells sizes db.<family>.<size>.
  instance_class    = "db.t3.micro"
  allocated_storage = 20
  storage_type      = "gp3"

  # Left out, the default VPC is used, which is fine for a trial.
  vpc_id     = "vpc-0a1b2c3d4e5f60718"
  subnet_ids = ["subnet-0a1b2c3d4e5f60718", "subnet-0b1c2d3e4f5061728"]

  # The firewall: our application servers, and one more rule spelled out.
  allowed_cidr_blocks   = ["10.0.0.0/16"]
  create_security_group = true
  security_group_rules = [
    {
      type        = "ingress"
      from_port   = 5432
      to_port     = 5432
      protocol    = "tcp"
      cidr_blocks = ["10.1.0.0/16"]
      description = "PostgreSQL from the reporting network"
    },
  ]

  enable_performance_insights = true
  enable_enhanced_monitoring  = true
  monitoring_interval         = 60
}
