# Cloud SQL for PostgreSQL. Credentials come from `gcloud auth application-default login` or a service account.
#
# The names Google uses are understood: database_version, instance_type (or tier), backup_time.

variable "gcp_project" {
  description = "The project that pays."
  type        = string
  default     = "learning-assistant"
}

module "database_gcp" {
  source = "./modules/database_postgres"

  cloud_provider = "gcp"
  gcp_project    = var.gcp_project
  gcp_region     = "us-central1"

  name             = "learning-assistant-gcp"
  database_version = "POSTGRES_16"

  # The smallest shared machine; the next step is db-g1-small, then db-custom-<vCPU>-<MiB>.
  instance_type = "db-f1-micro"
  disk_size     = 20
  disk_type     = "PD_SSD"

  # The network it is reached from, which has private services access; or publicly_accessible = true.
  vpc_id = "default"

  # Daily at three in the morning (UTC), with the write-ahead log kept so that any second can be restored.
  enable_backup            = true
  backup_time              = "03:00"
  enable_binary_log_backup = true
}
