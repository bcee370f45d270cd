# A database for development, on this machine.
#
#   pgherd up -f examples/dev.hcl          starts it
#   pgherd status                          shows where it listens
#   pgherd connect                         opens psql
#   pgherd down                            stops it; the data stays
#
# Everything that is not written here has a default; `pgherd explain -f examples/dev.hcl` shows each one and who set it.

module "database_dev" {
  # Tells Terraform which module this is; pgherd reads any source that ends in "database" or "database_postgres".
  source = "./modules/database_postgres"

  # "local" is real PostgreSQL on this machine. Change it to "aws", "gcp", "azure" or "digitalocean" and the same block
  # describes a managed database there.
  cloud_provider = "local"

  # Small, one instance, nothing that costs money when it moves to a cloud.
  preset = "dev"

  name           = "learning-assistant-dev"
  engine_version = "15"

  # The database your application connects to. The administrator is called "postgres"; its password is made once and kept
  # in a file only you can read.
  database_name = "learning_assistant_dev"

  # A cloud encrypts its disks and takes daily backups. Here the one is up to this machine's disk, and the other is not
  # done in this version: write true, and 1 to 35 days, when the block moves to a cloud.
  storage_encrypted       = false
  backup_retention_period = 0

  tags = {
    Environment = "development"
    Purpose     = "development-database"
  }
}
