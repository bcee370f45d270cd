# DigitalOcean Managed PostgreSQL. The token comes from DIGITALOCEAN_TOKEN.

module "database_digitalocean" {
  source = "./modules/database_postgres"

  cloud_provider = "digitalocean"
  do_region      = "fra1"

  name           = "learning-assistant-do"
  engine_version = "16"

  # DigitalOcean sells machine and disk together; this is the smallest plan.
  instance_class = "db-s-1vcpu-1gb"

  # Its administrator is always "doadmin". Seven days of backups are part of every plan.
  database_name = "learning_assistant"

  allowed_cidr_blocks = ["10.0.0.0/16"]
}
