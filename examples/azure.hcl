# Azure Database for PostgreSQL, Flexible Server. Credentials come from `az login` or a managed identity.
#
# The names Azure uses are understood: sku_name, server_version, storage_mb, backup_retention_days.

module "database_azure" {
  source = "./modules/database_postgres"

  cloud_provider = "azure"

  # The resource group has to exist; the database is made inside of it.
  resource_group_name = "learning-assistant"
  location            = "East US"

  # The key vault exists, too, and keeps the credentials.
  key_vault_name = "learning-assistant"

  # In a subnet that is delegated to PostgreSQL. From the internet instead: publicly_accessible. It cannot change later.
  subnet_ids = ["/subscriptions/5a4981aa/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/apps/subnets/db"]

  name           = "learning-assistant-azure"
  server_version = "16"

  sku_name          = "B_Standard_B1ms"
  storage_mb        = 32768
  auto_grow_enabled = true

  backup_retention_days = 7

  # A copy of the backups in the paired region. It can only be chosen when the server is made.
  geo_redundant_backup = true
}
