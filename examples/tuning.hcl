# Settings of PostgreSQL itself. Values are in PostgreSQL's own units ("256MB", "30s"); for a cloud that counts in other
# units pgherd converts them and shows both in the plan.
#
# pgherd sizes memory from the machine by itself. Write a setting only where you know better.

locals {
  # One list of pairs is easier to read than a list of objects.
  settings = {
    shared_buffers               = "256MB"
    effective_cache_size         = "1GB"
    maintenance_work_mem         = "64MB"
    checkpoint_completion_target = 0.9
    wal_buffers                  = "16MB"
    default_statistics_target    = 100
    log_connections              = "on"
    log_disconnections           = "on"
    log_min_duration_statement   = 1000
  }
}

module "database_tuned" {
  source = "./modules/database_postgres"

  cloud_provider = "local"
  name           = "tuned"
  engine_version = "15"

  parameters = [for name, value in local.settings : { name = name, value = value }]
}
