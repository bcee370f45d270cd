# Many short connections: a web application with dozens of workers, or functions that start and stop all the time.
#
# A PostgreSQL connection is a process. The pooler (PgBouncer) takes the many connections of clients and keeps few to the
# server. Clients connect to the pooler's port; nothing else changes for them.

module "database_pooled" {
  source = "./modules/database_postgres"

  cloud_provider = "local"
  name           = "pooled"
  engine_version = "15"

  # Below the pooler: what the server itself takes.
  parameters = [
    { name = "max_connections", value = "200" },
    { name = "shared_buffers", value = "256MB" },
  ]

  # "transaction" lends a server connection for one transaction at a time, which fits most applications. Those that use
  # session features such as LISTEN or temporary tables need "session".
  enable_proxy = true
  proxy_config = {
    pool_mode         = "transaction"
    default_pool_size = 20
    max_client_conn   = 500
  }
}
