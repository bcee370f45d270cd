# The smallest use of the module from Terraform: a name, everything else by default, on this machine.

module "database" {
  source = "../../modules/database_postgres"

  cloud_provider = "local"
  preset         = "dev"

  name           = var.name
  engine_version = "15"

  tags = {
    Environment = "test"
    Purpose     = "automated-testing"
  }
}
