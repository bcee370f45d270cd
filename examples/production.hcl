# Production on AWS: what to write when losing data, or minutes, is not an option.
#
# Every line here is a decision. Leave one out and `pgherd explain -f examples/production.hcl` shows what holds instead.

variable "network" {
  description = "Where the database lives: a VPC, and private subnets in at least two zones of it."

  type = object({
    vpc_id     = string
    subnet_ids = list(string)
    cidr_block = optional(string, "10.0.0.0/16")
  })

  default = {
    vpc_id     = "vpc-0a1b2c3d4e5f60718"
    subnet_ids = ["subnet-0a1b2c3d4e5f60718", "subnet-0b1c2d3e4f5061728"]
  }
}

variable "pager_topic" {
  description = "The SNS topic that wakes somebody."
  type        = string
  default     = "arn:aws:sns:eu-central-1:123456789012:database-pager"
}

module "database_production" {
  source = "./modules/database_postgres"

  cloud_provider = "aws"
  aws_region     = "eu-central-1"
  preset         = "prod"

  name           = "learning-assistant-prod"
  engine_version = "17"
  database_name  = "learning_assistant"

  # Memory-optimised, because a database is fast as long as what is asked for fits into memory.
  instance_class = "db.r6g.large"

  # Storage grows by itself up to the limit and never shrinks. From 400 GiB on, gp3 takes more IOPS and throughput.
  storage_type          = "gp3"
  allocated_storage     = 500
  max_allocated_storage = 1000
  storage_iops          = 12000
  storage_throughput    = 500

  # Private subnets only. Inside them, whatever is in the VPC may connect.
  vpc_id              = var.network.vpc_id
  subnet_ids          = var.network.subnet_ids
  allowed_cidr_blocks = [var.network.cidr_block]
  publicly_accessible = false

  # A synchronous standby in another zone, and two replicas to read from.
  multi_az            = true
  create_read_replica = true
  read_replica_count  = 2

  # Any second of the last 35 days can be restored. UTC; both windows where the load is lowest.
  backup_retention_period  = 35
  backup_window            = "03:00-04:00"
  maintenance_window       = "sun:04:00-sun:05:00"
  copy_tags_to_snapshot    = true
  enable_backup_encryption = true

  # Destroying takes two decisions: switching this off, and then destroying, which takes a last backup first.
  enable_deletion_protection = true
  skip_final_snapshot        = false

  storage_encrypted = true

  # Applications on AWS may log in with their role instead of a password.
  iam_database_authentication_enabled = true

  # What the slowest queries are, what the machine does, what the server writes.
  enable_performance_insights           = true
  performance_insights_retention_period = 7
  enable_enhanced_monitoring            = true
  monitoring_interval                   = 60
  enable_logging                        = true
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  alarms = {
    cpu_percent          = 80
    read_latency_seconds = 0.2
  }
  alarm_targets = [var.pager_topic]

  tags = {
    Environment = "production"
    Purpose     = "production-database"
    Backup      = "required"
    Monitoring  = "required"
  }
}
