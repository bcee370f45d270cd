# Staging: production's shape on smaller machines, so that a failover or a restore can be tried before it matters.
#
# The values that differ from team to team are variables. Give them with `-var name=value`, in a file
# `terraform.tfvars`, or as PGHERD_VAR_name in the environment.

variable "team" {
  description = "Who to ask about this database."
  type        = string
  default     = "platform"
}

variable "office_networks" {
  description = "Networks people work from."
  type        = list(string)
  default     = ["10.20.0.0/16"]
}

locals {
  application = "learning-assistant"

  tags = {
    Environment = "staging"
    Purpose     = "staging-database"
    Team        = title(var.team)
  }
}

module "database_staging" {
  source = "./modules/database_postgres"

  cloud_provider = "local"

  # A standby that takes over by itself, a week of backups, logs and query analysis.
  preset = "staging"

  name           = "${local.application}-staging"
  engine_version = "15"
  database_name  = replace("${local.application}-staging", "-", "_")

  # Who may connect, besides this machine itself.
  allowed_cidr_blocks = concat(["10.0.0.0/16"], var.office_networks)

  # Staging is rebuilt now and then.
  enable_deletion_protection = false

  # All statements that take longer than half a second.
  parameters = [
    { name = "log_min_duration_statement", value = 500 },
  ]

  tags = local.tags
}
