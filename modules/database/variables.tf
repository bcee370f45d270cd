# Written by `cargo xtask generate` from the table of variables. Change it there.

variable "name" {
  description = "Name of the instance, its identity within the account and region of its target. Default: \"database\". May be: lower-case letters, digits and single hyphens, first a letter, last no hyphen, 1 to 63 characters."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.name] : provider::pgherd::problem("name", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, enable_proxy = var.enable_proxy, name = var.name, preset = var.preset, proxy_config = var.proxy_config, read_replica_count = var.read_replica_count }) == "" if one != null])
    error_message = join("", [for one in [var.name] : provider::pgherd::problem("name", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, enable_proxy = var.enable_proxy, name = var.name, preset = var.preset, proxy_config = var.proxy_config, read_replica_count = var.read_replica_count }) if one != null])
  }
}

variable "environment" {
  description = "Environment label. Adds the tag Environment unless tags has one; chooses no preset by itself. Default: none. May be: not empty."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.environment] : provider::pgherd::problem("environment", { environment = var.environment }) == "" if one != null])
    error_message = join("", [for one in [var.environment] : provider::pgherd::problem("environment", { environment = var.environment }) if one != null])
  }
}

variable "preset" {
  description = "Set of sensible settings for an environment; fills only what is not written. Default: none. May be: dev, staging or prod."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.preset] : provider::pgherd::problem("preset", { preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.preset] : provider::pgherd::problem("preset", { preset = var.preset }) if one != null])
  }
}

variable "cloud_provider" {
  description = "Where the database runs; `PGHERD_TARGET=local` runs any block on this machine instead. Default: \"aws\". May be: aws, gcp, azure, digitalocean or local."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.cloud_provider] : provider::pgherd::problem("cloud_provider", { cloud_provider = var.cloud_provider, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.cloud_provider] : provider::pgherd::problem("cloud_provider", { cloud_provider = var.cloud_provider, preset = var.preset }) if one != null])
  }
}

variable "tags" {
  description = "Tags or labels put on every object that is created. Default: {}. May be: at most 50; spelled as the target's labels allow."
  type        = map(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.tags] : provider::pgherd::problem("tags", { cloud_provider = var.cloud_provider, preset = var.preset, tags = var.tags }) == "" if one != null])
    error_message = join("", [for one in [var.tags] : provider::pgherd::problem("tags", { cloud_provider = var.cloud_provider, preset = var.preset, tags = var.tags }) if one != null])
  }
}

variable "engine_version" {
  description = "PostgreSQL version: a major (16), whose newest minor is taken, or a major and minor (16.4). Default: the major of parameter_group_family when that is written, else the newest the target offers. May be: major or major.minor, a major the target offers."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.engine_version] : provider::pgherd::problem("engine_version", { cloud_provider = var.cloud_provider, engine_version = var.engine_version, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.engine_version] : provider::pgherd::problem("engine_version", { cloud_provider = var.cloud_provider, engine_version = var.engine_version, preset = var.preset }) if one != null])
  }
}

variable "database_version" {
  description = "PostgreSQL version in Cloud SQL spelling, such as POSTGRES_14. The same as engine_version. Default: engine_version. May be: POSTGRES_ and the major."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.database_version] : provider::pgherd::problem("database_version", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.database_version] : provider::pgherd::problem("database_version", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset }) if one != null])
  }
}

variable "server_version" {
  description = "PostgreSQL version in Azure spelling, the major alone. The same as engine_version. Default: engine_version. May be: a major."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.server_version] : provider::pgherd::problem("server_version", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset, server_version = var.server_version }) == "" if one != null])
    error_message = join("", [for one in [var.server_version] : provider::pgherd::problem("server_version", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset, server_version = var.server_version }) if one != null])
  }
}

variable "instance_class" {
  description = "Machine size, in the spelling of any supported cloud. Default: aws and local db.t3.micro, gcp db-f1-micro, azure B_Standard_B1ms, digitalocean db-s-1vcpu-1gb. May be: a size of the target, or of another cloud: then the nearest size not smaller is taken, with a warning."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.instance_class] : provider::pgherd::problem("instance_class", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, instance_class = var.instance_class, preset = var.preset, server_version = var.server_version }) == "" if one != null])
    error_message = join("", [for one in [var.instance_class] : provider::pgherd::problem("instance_class", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, instance_class = var.instance_class, preset = var.preset, server_version = var.server_version }) if one != null])
  }
}

variable "db_instance_class" {
  description = "Machine size, another spelling of instance_class. The same as instance_class. Default: instance_class."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.db_instance_class] : provider::pgherd::problem("db_instance_class", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, preset = var.preset, server_version = var.server_version }) == "" if one != null])
    error_message = join("", [for one in [var.db_instance_class] : provider::pgherd::problem("db_instance_class", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, preset = var.preset, server_version = var.server_version }) if one != null])
  }
}

variable "instance_type" {
  description = "Machine size, another spelling of instance_class. The same as instance_class. Default: instance_class."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.instance_type] : provider::pgherd::problem("instance_type", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version }) == "" if one != null])
    error_message = join("", [for one in [var.instance_type] : provider::pgherd::problem("instance_type", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version }) if one != null])
  }
}

variable "tier" {
  description = "Machine size in Cloud SQL spelling, such as db-custom-2-7680. The same as instance_class. Default: instance_class."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.tier] : provider::pgherd::problem("tier", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.tier] : provider::pgherd::problem("tier", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, tier = var.tier }) if one != null])
  }
}

variable "sku_name" {
  description = "Machine size in Azure spelling, such as GP_Standard_D2ds_v5. The same as instance_class. Default: instance_class."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.sku_name] : provider::pgherd::problem("sku_name", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.sku_name] : provider::pgherd::problem("sku_name", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "allocated_storage" {
  description = "Initial storage in GiB. It never shrinks. Default: 20. May be: a whole number, at least 5 (aws 20, gcp 10, azure 32, digitalocean by size)."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.allocated_storage] : provider::pgherd::problem("allocated_storage", { allocated_storage = var.allocated_storage, auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, max_allocated_storage = var.max_allocated_storage, preset = var.preset, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.allocated_storage] : provider::pgherd::problem("allocated_storage", { allocated_storage = var.allocated_storage, auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, max_allocated_storage = var.max_allocated_storage, preset = var.preset, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "disk_size" {
  description = "Initial storage in GiB, Cloud SQL's name for it. The same as allocated_storage. Default: allocated_storage."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.disk_size] : provider::pgherd::problem("disk_size", { allocated_storage = var.allocated_storage, auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, max_allocated_storage = var.max_allocated_storage, preset = var.preset, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.disk_size] : provider::pgherd::problem("disk_size", { allocated_storage = var.allocated_storage, auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, max_allocated_storage = var.max_allocated_storage, preset = var.preset, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "storage_mb" {
  description = "Initial storage in MiB, Azure's name for it; rounded up to whole GiB. The same as allocated_storage. Default: allocated_storage."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.storage_mb] : provider::pgherd::problem("storage_mb", { allocated_storage = var.allocated_storage, auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, max_allocated_storage = var.max_allocated_storage, preset = var.preset, sku_name = var.sku_name, storage_mb = var.storage_mb, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.storage_mb] : provider::pgherd::problem("storage_mb", { allocated_storage = var.allocated_storage, auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, max_allocated_storage = var.max_allocated_storage, preset = var.preset, sku_name = var.sku_name, storage_mb = var.storage_mb, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "max_allocated_storage" {
  description = "Limit in GiB up to which storage grows by itself. Default: none, growth is off; 100 under the presets dev and prod. May be: more than allocated_storage."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.max_allocated_storage] : provider::pgherd::problem("max_allocated_storage", { cloud_provider = var.cloud_provider, max_allocated_storage = var.max_allocated_storage, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.max_allocated_storage] : provider::pgherd::problem("max_allocated_storage", { cloud_provider = var.cloud_provider, max_allocated_storage = var.max_allocated_storage, preset = var.preset }) if one != null])
  }
}

variable "auto_grow_enabled" {
  description = "Whether storage grows by itself when it fills up. Default: true on azure; elsewhere whether max_allocated_storage is written."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.auto_grow_enabled] : provider::pgherd::problem("auto_grow_enabled", { auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, max_allocated_storage = var.max_allocated_storage, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.auto_grow_enabled] : provider::pgherd::problem("auto_grow_enabled", { auto_grow_enabled = var.auto_grow_enabled, cloud_provider = var.cloud_provider, max_allocated_storage = var.max_allocated_storage, preset = var.preset }) if one != null])
  }
}

variable "storage_type" {
  description = "Kind of storage. Default: aws gp3, gcp PD_SSD, azure Premium_LRS, none elsewhere. May be: aws gp2, gp3, io1 or io2; gcp PD_SSD or PD_HDD; azure Premium_LRS or PremiumV2_LRS; local anything."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.storage_type] : provider::pgherd::problem("storage_type", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.storage_type] : provider::pgherd::problem("storage_type", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "disk_type" {
  description = "Kind of storage, Cloud SQL's name for it. The same as storage_type. Default: storage_type."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.disk_type] : provider::pgherd::problem("disk_type", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.disk_type] : provider::pgherd::problem("disk_type", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "storage_throughput" {
  description = "Provisioned throughput of gp3 storage, MiB/s. Default: what the storage type comes with. May be: only with gp3, 500 to 4000, at most a quarter of storage_iops."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.storage_throughput] : provider::pgherd::problem("storage_throughput", { allocated_storage = var.allocated_storage, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, storage_iops = var.storage_iops, storage_mb = var.storage_mb, storage_throughput = var.storage_throughput, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.storage_throughput] : provider::pgherd::problem("storage_throughput", { allocated_storage = var.allocated_storage, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, storage_iops = var.storage_iops, storage_mb = var.storage_mb, storage_throughput = var.storage_throughput, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "storage_iops" {
  description = "Provisioned I/O operations per second of gp3, io1, io2 or PremiumV2_LRS storage. Default: what the storage type comes with. May be: gp3: 12000 to 64000 and allocated_storage of at least 400."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.storage_iops] : provider::pgherd::problem("storage_iops", { allocated_storage = var.allocated_storage, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, storage_iops = var.storage_iops, storage_mb = var.storage_mb, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.storage_iops] : provider::pgherd::problem("storage_iops", { allocated_storage = var.allocated_storage, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, disk_size = var.disk_size, disk_type = var.disk_type, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, storage_iops = var.storage_iops, storage_mb = var.storage_mb, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "database_name" {
  description = "Database that is created with the instance. Default: name, with underscores for hyphens. May be: letters, digits and underscores, first no digit, at most 63 characters; not postgres' own templates."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.database_name] : provider::pgherd::problem("database_name", { cloud_provider = var.cloud_provider, database_name = var.database_name, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.database_name] : provider::pgherd::problem("database_name", { cloud_provider = var.cloud_provider, database_name = var.database_name, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "master_username" {
  description = "Administrator role, owner of the database. Default: \"postgres\" (digitalocean: doadmin, beside which a written name becomes a further role). May be: letters, digits and underscores, first a letter, at most 63 characters; not pg_… nor a name the cloud keeps for itself."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.master_username] : provider::pgherd::problem("master_username", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.master_username] : provider::pgherd::problem("master_username", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "master_password" {
  description = "Password of the administrator role. It reaches neither plan nor state nor log. Default: generated: 32 characters, made once and kept in the target's secret store. May be: 8 to 128 printable ASCII characters, none of them / @ \" or space."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = provider::pgherd::problem("master_password", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, master_password = var.master_password, master_username = var.master_username, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == ""
    error_message = "This is refused. It may be: 8 to 128 printable ASCII characters, none of them / @ \" or space."
  }
}

variable "vpc_id" {
  description = "Network to be in: VPC id (aws, digitalocean), network self link (gcp) or VNet id (azure). Default: the target's default network."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.vpc_id] : provider::pgherd::problem("vpc_id", { cloud_provider = var.cloud_provider, preset = var.preset, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.vpc_id] : provider::pgherd::problem("vpc_id", { cloud_provider = var.cloud_provider, preset = var.preset, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "subnet_ids" {
  description = "Subnets the instance may be placed in. Default: [], the subnets of the default network. May be: on aws with multi_az: subnets of at least two zones."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.subnet_ids] : provider::pgherd::problem("subnet_ids", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset, server_version = var.server_version, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.subnet_ids] : provider::pgherd::problem("subnet_ids", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset, server_version = var.server_version, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "allowed_cidr_blocks" {
  description = "Address ranges that may reach the port (local: lines of pg_hba.conf). Default: [], nobody from outside. May be: each an IPv4 or IPv6 CIDR block."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.allowed_cidr_blocks] : provider::pgherd::problem("allowed_cidr_blocks", { allowed_cidr_blocks = var.allowed_cidr_blocks, cloud_provider = var.cloud_provider, preset = var.preset, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.allowed_cidr_blocks] : provider::pgherd::problem("allowed_cidr_blocks", { allowed_cidr_blocks = var.allowed_cidr_blocks, cloud_provider = var.cloud_provider, preset = var.preset, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "publicly_accessible" {
  description = "Whether it has a public endpoint (local: listens beyond loopback). Default: false."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.publicly_accessible] : provider::pgherd::problem("publicly_accessible", { allowed_cidr_blocks = var.allowed_cidr_blocks, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.publicly_accessible] : provider::pgherd::problem("publicly_accessible", { allowed_cidr_blocks = var.allowed_cidr_blocks, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "create_security_group" {
  description = "Whether pgherd makes and keeps the firewall object. Default: true."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.create_security_group] : provider::pgherd::problem("create_security_group", { cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.create_security_group] : provider::pgherd::problem("create_security_group", { cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "security_group_rules" {
  description = "Further firewall rules, beside those of allowed_cidr_blocks. Default: []. May be: type ingress or egress, ports 0 to 65535, from_port not above to_port; needs create_security_group."
  type        = list(object({ type = string, from_port = number, to_port = number, protocol = string, cidr_blocks = optional(list(string), []), description = optional(string) }))
  default     = null

  validation {
    condition     = alltrue([for one in [var.security_group_rules] : provider::pgherd::problem("security_group_rules", { allowed_cidr_blocks = var.allowed_cidr_blocks, cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, publicly_accessible = var.publicly_accessible, security_group_rules = var.security_group_rules }) == "" if one != null])
    error_message = join("", [for one in [var.security_group_rules] : provider::pgherd::problem("security_group_rules", { allowed_cidr_blocks = var.allowed_cidr_blocks, cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, publicly_accessible = var.publicly_accessible, security_group_rules = var.security_group_rules }) if one != null])
  }
}

variable "security_group_ids" {
  description = "Existing security groups the instance joins, beside the one pgherd makes. Default: []."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.security_group_ids] : provider::pgherd::problem("security_group_ids", { cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, security_group_ids = var.security_group_ids, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.security_group_ids] : provider::pgherd::problem("security_group_ids", { cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, security_group_ids = var.security_group_ids, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "allowed_security_group_ids" {
  description = "Security groups whose members may reach the port, such as that of your containers; an address range lets in all of a network. Default: []. May be: needs create_security_group."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.allowed_security_group_ids] : provider::pgherd::problem("allowed_security_group_ids", { allowed_security_group_ids = var.allowed_security_group_ids, cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, security_group_ids = var.security_group_ids, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) == "" if one != null])
    error_message = join("", [for one in [var.allowed_security_group_ids] : provider::pgherd::problem("allowed_security_group_ids", { allowed_security_group_ids = var.allowed_security_group_ids, cloud_provider = var.cloud_provider, create_security_group = var.create_security_group, preset = var.preset, security_group_ids = var.security_group_ids, subnet_ids = var.subnet_ids, vpc_id = var.vpc_id }) if one != null])
  }
}

variable "port" {
  description = "Port PostgreSQL listens on. Default: 5432 (local: a free port, kept from then on). May be: 1150 to 65535."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.port] : provider::pgherd::problem("port", { cloud_provider = var.cloud_provider, port = var.port, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.port] : provider::pgherd::problem("port", { cloud_provider = var.cloud_provider, port = var.port, preset = var.preset }) if one != null])
  }
}

variable "availability_zone" {
  description = "Preferred zone of the primary. Default: chosen by the target. May be: a zone of the region; on aws not together with multi_az = true."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.availability_zone] : provider::pgherd::problem("availability_zone", { availability_zone = var.availability_zone, cloud_provider = var.cloud_provider, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.availability_zone] : provider::pgherd::problem("availability_zone", { availability_zone = var.availability_zone, cloud_provider = var.cloud_provider, preset = var.preset }) if one != null])
  }
}

variable "aws_region" {
  description = "AWS region, such as eu-central-1. Default: the region of your AWS configuration."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.aws_region] : provider::pgherd::problem("aws_region", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.aws_region] : provider::pgherd::problem("aws_region", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, preset = var.preset }) if one != null])
  }
}

variable "gcp_region" {
  description = "Google Cloud region, such as europe-west3. Default: none: written on gcp."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.gcp_region] : provider::pgherd::problem("gcp_region", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, gcp_region = var.gcp_region, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.gcp_region] : provider::pgherd::problem("gcp_region", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, gcp_region = var.gcp_region, preset = var.preset }) if one != null])
  }
}

variable "location" {
  description = "Azure location; \"East US\" and eastus are the same. Default: the location of the resource group."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.location] : provider::pgherd::problem("location", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, gcp_region = var.gcp_region, location = var.location, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.location] : provider::pgherd::problem("location", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, gcp_region = var.gcp_region, location = var.location, preset = var.preset }) if one != null])
  }
}

variable "do_region" {
  description = "DigitalOcean region slug, such as fra1. Default: none: written on digitalocean."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.do_region] : provider::pgherd::problem("do_region", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, gcp_region = var.gcp_region, location = var.location, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.do_region] : provider::pgherd::problem("do_region", { availability_zone = var.availability_zone, aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, gcp_region = var.gcp_region, location = var.location, preset = var.preset }) if one != null])
  }
}

variable "gcp_project" {
  description = "Google Cloud project id. Default: the project of your gcloud configuration."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.gcp_project] : provider::pgherd::problem("gcp_project", { cloud_provider = var.cloud_provider, gcp_project = var.gcp_project, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.gcp_project] : provider::pgherd::problem("gcp_project", { cloud_provider = var.cloud_provider, gcp_project = var.gcp_project, preset = var.preset }) if one != null])
  }
}

variable "gcp_edition" {
  description = "Cloud SQL edition. Default: what the size belongs to: ENTERPRISE, or ENTERPRISE_PLUS for db-perf-optimized and db-c4a sizes. May be: ENTERPRISE or ENTERPRISE_PLUS."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.gcp_edition] : provider::pgherd::problem("gcp_edition", { cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, gcp_edition = var.gcp_edition, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.gcp_edition] : provider::pgherd::problem("gcp_edition", { cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, gcp_edition = var.gcp_edition, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "resource_group_name" {
  description = "Azure resource group, which must exist. Default: none: written on azure."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.resource_group_name] : provider::pgherd::problem("resource_group_name", { cloud_provider = var.cloud_provider, preset = var.preset, resource_group_name = var.resource_group_name }) == "" if one != null])
    error_message = join("", [for one in [var.resource_group_name] : provider::pgherd::problem("resource_group_name", { cloud_provider = var.cloud_provider, preset = var.preset, resource_group_name = var.resource_group_name }) if one != null])
  }
}

variable "azure_subscription_id" {
  description = "Azure subscription the resource group is in. Default: the subscription of your Azure configuration."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.azure_subscription_id] : provider::pgherd::problem("azure_subscription_id", { azure_subscription_id = var.azure_subscription_id, cloud_provider = var.cloud_provider, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.azure_subscription_id] : provider::pgherd::problem("azure_subscription_id", { azure_subscription_id = var.azure_subscription_id, cloud_provider = var.cloud_provider, preset = var.preset }) if one != null])
  }
}

variable "key_vault_name" {
  description = "Key vault that keeps the credentials, which must exist. Default: the vault that PGHERD_AZURE_KEY_VAULT names."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.key_vault_name] : provider::pgherd::problem("key_vault_name", { cloud_provider = var.cloud_provider, key_vault_name = var.key_vault_name, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.key_vault_name] : provider::pgherd::problem("key_vault_name", { cloud_provider = var.cloud_provider, key_vault_name = var.key_vault_name, preset = var.preset }) if one != null])
  }
}

variable "key_identity_id" {
  description = "Id of the managed identity by which the server uses kms_key_id, which must exist. Default: the identity that PGHERD_AZURE_KEY_IDENTITY names."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.key_identity_id] : provider::pgherd::problem("key_identity_id", { cloud_provider = var.cloud_provider, key_identity_id = var.key_identity_id, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.key_identity_id] : provider::pgherd::problem("key_identity_id", { cloud_provider = var.cloud_provider, key_identity_id = var.key_identity_id, preset = var.preset }) if one != null])
  }
}

variable "log_analytics_workspace_id" {
  description = "Id of the Log Analytics workspace that enable_logging sends the log to. Default: the workspace that PGHERD_AZURE_LOG_WORKSPACE names."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.log_analytics_workspace_id] : provider::pgherd::problem("log_analytics_workspace_id", { cloud_provider = var.cloud_provider, log_analytics_workspace_id = var.log_analytics_workspace_id, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.log_analytics_workspace_id] : provider::pgherd::problem("log_analytics_workspace_id", { cloud_provider = var.cloud_provider, log_analytics_workspace_id = var.log_analytics_workspace_id, preset = var.preset }) if one != null])
  }
}

variable "multi_az" {
  description = "Whether a synchronous standby in another zone takes over by itself (local: a second PostgreSQL process). Default: false; true under the presets staging and prod. May be: not on sizes the target cannot make highly available."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.multi_az] : provider::pgherd::problem("multi_az", { availability_zone = var.availability_zone, cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.multi_az] : provider::pgherd::problem("multi_az", { availability_zone = var.availability_zone, cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "local_sync" {
  description = "What commits do while the standby is lost: go on without it (preferred, as on RDS), or wait until it is back (required). Default: preferred. May be: preferred or required."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.local_sync] : provider::pgherd::problem("local_sync", { cloud_provider = var.cloud_provider, local_sync = var.local_sync, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.local_sync] : provider::pgherd::problem("local_sync", { cloud_provider = var.cloud_provider, local_sync = var.local_sync, preset = var.preset }) if one != null])
  }
}

variable "create_read_replica" {
  description = "Whether there are read replicas. Default: false; true under the preset prod."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.create_read_replica] : provider::pgherd::problem("create_read_replica", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.create_read_replica] : provider::pgherd::problem("create_read_replica", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "read_replica_count" {
  description = "How many read replicas, when create_read_replica is true. Default: 1 when create_read_replica is true. May be: a whole number, at most aws 15, gcp 10, azure 5, local 5, digitalocean 2."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.read_replica_count] : provider::pgherd::problem("read_replica_count", { cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.read_replica_count] : provider::pgherd::problem("read_replica_count", { cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "geo_redundant_backup" {
  description = "Whether backups are also kept in a second region; on local in the second repository of the machine. Default: false. May be: on aws that region is dr_region."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.geo_redundant_backup] : provider::pgherd::problem("geo_redundant_backup", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, do_region = var.do_region, engine_version = var.engine_version, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, subnet_ids = var.subnet_ids, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.geo_redundant_backup] : provider::pgherd::problem("geo_redundant_backup", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, do_region = var.do_region, engine_version = var.engine_version, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, subnet_ids = var.subnet_ids, tier = var.tier }) if one != null])
  }
}

variable "dr_region" {
  description = "Second region, for when the first one is lost: dr_read_replica is kept there, and on aws geo_redundant_backup. Default: none: everything is in one region."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.dr_region] : provider::pgherd::problem("dr_region", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, dr_region = var.dr_region, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.dr_region] : provider::pgherd::problem("dr_region", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, dr_region = var.dr_region, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, preset = var.preset }) if one != null])
  }
}

variable "dr_read_replica" {
  description = "Whether a read replica is kept in dr_region, beside those of read_replica_count. Default: false. May be: needs dr_region."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.dr_read_replica] : provider::pgherd::problem("dr_read_replica", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, dr_read_replica = var.dr_read_replica, dr_region = var.dr_region, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.dr_read_replica] : provider::pgherd::problem("dr_read_replica", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, dr_read_replica = var.dr_read_replica, dr_region = var.dr_region, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, preset = var.preset }) if one != null])
  }
}

variable "dr_vpc_id" {
  description = "Network of the replica in dr_region: a VPC id of that region. Default: the default network of dr_region."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.dr_vpc_id] : provider::pgherd::problem("dr_vpc_id", { cloud_provider = var.cloud_provider, dr_vpc_id = var.dr_vpc_id, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.dr_vpc_id] : provider::pgherd::problem("dr_vpc_id", { cloud_provider = var.cloud_provider, dr_vpc_id = var.dr_vpc_id, preset = var.preset }) if one != null])
  }
}

variable "dr_subnet_ids" {
  description = "Subnets of dr_vpc_id the replica may be placed in. Default: [], the subnets of the default network. May be: subnets of at least two zones."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.dr_subnet_ids] : provider::pgherd::problem("dr_subnet_ids", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, dr_read_replica = var.dr_read_replica, dr_region = var.dr_region, dr_subnet_ids = var.dr_subnet_ids, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.dr_subnet_ids] : provider::pgherd::problem("dr_subnet_ids", { aws_region = var.aws_region, cloud_provider = var.cloud_provider, do_region = var.do_region, dr_read_replica = var.dr_read_replica, dr_region = var.dr_region, dr_subnet_ids = var.dr_subnet_ids, gcp_region = var.gcp_region, geo_redundant_backup = var.geo_redundant_backup, preset = var.preset }) if one != null])
  }
}

variable "dr_security_group_ids" {
  description = "Existing security groups of dr_region the replica joins, beside the one pgherd makes there. Default: []."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.dr_security_group_ids] : provider::pgherd::problem("dr_security_group_ids", { cloud_provider = var.cloud_provider, dr_security_group_ids = var.dr_security_group_ids, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.dr_security_group_ids] : provider::pgherd::problem("dr_security_group_ids", { cloud_provider = var.cloud_provider, dr_security_group_ids = var.dr_security_group_ids, preset = var.preset }) if one != null])
  }
}

variable "dr_kms_key_id" {
  description = "Your own key of dr_region for what is kept there; keys do not leave their region. Default: the key AWS keeps for RDS in dr_region. May be: needs storage_encrypted."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.dr_kms_key_id] : provider::pgherd::problem("dr_kms_key_id", { cloud_provider = var.cloud_provider, dr_kms_key_id = var.dr_kms_key_id, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.dr_kms_key_id] : provider::pgherd::problem("dr_kms_key_id", { cloud_provider = var.cloud_provider, dr_kms_key_id = var.dr_kms_key_id, preset = var.preset }) if one != null])
  }
}

variable "backup_retention_period" {
  description = "Days automated backups are kept and any moment can be restored; 0 turns them off. Default: 7; 1 under the preset dev. May be: a whole number, 0 to 35 (azure 7 to 35, digitalocean 7)."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.backup_retention_period] : provider::pgherd::problem("backup_retention_period", { backup_retention_period = var.backup_retention_period, cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, enable_backup = var.enable_backup, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.backup_retention_period] : provider::pgherd::problem("backup_retention_period", { backup_retention_period = var.backup_retention_period, cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, enable_backup = var.enable_backup, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "backup_retention_days" {
  description = "Days automated backups are kept, Azure's name for it. The same as backup_retention_period. Default: backup_retention_period."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.backup_retention_days] : provider::pgherd::problem("backup_retention_days", { backup_retention_days = var.backup_retention_days, backup_retention_period = var.backup_retention_period, cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, enable_backup = var.enable_backup, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.backup_retention_days] : provider::pgherd::problem("backup_retention_days", { backup_retention_days = var.backup_retention_days, backup_retention_period = var.backup_retention_period, cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, enable_backup = var.enable_backup, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "enable_backup" {
  description = "Whether automated backups are made; false is the same as a retention of 0. Default: whether backup_retention_period is above 0."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_backup] : provider::pgherd::problem("enable_backup", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, enable_backup = var.enable_backup, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count }) == "" if one != null])
    error_message = join("", [for one in [var.enable_backup] : provider::pgherd::problem("enable_backup", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, enable_backup = var.enable_backup, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count }) if one != null])
  }
}

variable "enable_binary_log_backup" {
  description = "Whether any moment can be restored. \"Binary log\" is MySQL's word; in PostgreSQL it is WAL archiving. Default: true when backups are on."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_binary_log_backup] : provider::pgherd::problem("enable_binary_log_backup", { backup_retention_days = var.backup_retention_days, backup_retention_period = var.backup_retention_period, cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, enable_backup = var.enable_backup, enable_binary_log_backup = var.enable_binary_log_backup, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.enable_binary_log_backup] : provider::pgherd::problem("enable_binary_log_backup", { backup_retention_days = var.backup_retention_days, backup_retention_period = var.backup_retention_period, cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, db_instance_class = var.db_instance_class, enable_backup = var.enable_backup, enable_binary_log_backup = var.enable_binary_log_backup, instance_class = var.instance_class, instance_type = var.instance_type, multi_az = var.multi_az, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "backup_window" {
  description = "Daily window in which backups start, UTC. Default: \"03:00-04:00\". May be: hh:mm-hh:mm, at least 30 minutes, not overlapping maintenance_window."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.backup_window] : provider::pgherd::problem("backup_window", { backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, maintenance_window = var.maintenance_window, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids }) == "" if one != null])
    error_message = join("", [for one in [var.backup_window] : provider::pgherd::problem("backup_window", { backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, maintenance_window = var.maintenance_window, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids }) if one != null])
  }
}

variable "backup_time" {
  description = "Start of the daily backup window, UTC; \"03:00\" is the window \"03:00-04:00\". The same as backup_window. Default: the start of backup_window. May be: hh:mm."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.backup_time] : provider::pgherd::problem("backup_time", { backup_time = var.backup_time, backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, maintenance_window = var.maintenance_window, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids }) == "" if one != null])
    error_message = join("", [for one in [var.backup_time] : provider::pgherd::problem("backup_time", { backup_time = var.backup_time, backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, maintenance_window = var.maintenance_window, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids }) if one != null])
  }
}

variable "enable_backup_encryption" {
  description = "Whether backups are encrypted. Default: as storage_encrypted. May be: on aws and local true needs storage_encrypted; never false on gcp, azure and digitalocean."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_backup_encryption] : provider::pgherd::problem("enable_backup_encryption", { cloud_provider = var.cloud_provider, enable_backup_encryption = var.enable_backup_encryption, enable_encryption = var.enable_encryption, preset = var.preset, storage_encrypted = var.storage_encrypted }) == "" if one != null])
    error_message = join("", [for one in [var.enable_backup_encryption] : provider::pgherd::problem("enable_backup_encryption", { cloud_provider = var.cloud_provider, enable_backup_encryption = var.enable_backup_encryption, enable_encryption = var.enable_encryption, preset = var.preset, storage_encrypted = var.storage_encrypted }) if one != null])
  }
}

variable "copy_tags_to_snapshot" {
  description = "Whether tags go onto backups too. Default: true."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.copy_tags_to_snapshot] : provider::pgherd::problem("copy_tags_to_snapshot", { cloud_provider = var.cloud_provider, copy_tags_to_snapshot = var.copy_tags_to_snapshot, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.copy_tags_to_snapshot] : provider::pgherd::problem("copy_tags_to_snapshot", { cloud_provider = var.cloud_provider, copy_tags_to_snapshot = var.copy_tags_to_snapshot, preset = var.preset }) if one != null])
  }
}

variable "skip_final_snapshot" {
  description = "Whether destroying takes no last backup. Default: false; true under the preset dev."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.skip_final_snapshot] : provider::pgherd::problem("skip_final_snapshot", { cloud_provider = var.cloud_provider, preset = var.preset, skip_final_snapshot = var.skip_final_snapshot }) == "" if one != null])
    error_message = join("", [for one in [var.skip_final_snapshot] : provider::pgherd::problem("skip_final_snapshot", { cloud_provider = var.cloud_provider, preset = var.preset, skip_final_snapshot = var.skip_final_snapshot }) if one != null])
  }
}

variable "final_snapshot_identifier" {
  description = "Name of the last backup, taken when the instance is destroyed. Default: <name>-final-<time, UTC>."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.final_snapshot_identifier] : provider::pgherd::problem("final_snapshot_identifier", { cloud_provider = var.cloud_provider, final_snapshot_identifier = var.final_snapshot_identifier, preset = var.preset, skip_final_snapshot = var.skip_final_snapshot }) == "" if one != null])
    error_message = join("", [for one in [var.final_snapshot_identifier] : provider::pgherd::problem("final_snapshot_identifier", { cloud_provider = var.cloud_provider, final_snapshot_identifier = var.final_snapshot_identifier, preset = var.preset, skip_final_snapshot = var.skip_final_snapshot }) if one != null])
  }
}

variable "maintenance_window" {
  description = "Weekly window for maintenance and for changes that interrupt service, UTC. Default: \"sun:04:00-sun:05:00\". May be: ddd:hh:mm-ddd:hh:mm, at least 30 minutes."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.maintenance_window] : provider::pgherd::problem("maintenance_window", { cloud_provider = var.cloud_provider, maintenance_window = var.maintenance_window, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.maintenance_window] : provider::pgherd::problem("maintenance_window", { cloud_provider = var.cloud_provider, maintenance_window = var.maintenance_window, preset = var.preset }) if one != null])
  }
}

variable "apply_immediately" {
  description = "Whether changes that interrupt service happen at once rather than in maintenance_window. Default: asked when applying; the maintenance window where nobody can be asked."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.apply_immediately] : provider::pgherd::problem("apply_immediately", { apply_immediately = var.apply_immediately, cloud_provider = var.cloud_provider, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.apply_immediately] : provider::pgherd::problem("apply_immediately", { apply_immediately = var.apply_immediately, cloud_provider = var.cloud_provider, preset = var.preset }) if one != null])
  }
}

variable "enable_deletion_protection" {
  description = "Whether destroying is refused. Default: false; true under the preset prod."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_deletion_protection] : provider::pgherd::problem("enable_deletion_protection", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.enable_deletion_protection] : provider::pgherd::problem("enable_deletion_protection", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "storage_encrypted" {
  description = "Whether storage is encrypted at rest. Default: true. May be: never false on gcp, azure and digitalocean."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.storage_encrypted] : provider::pgherd::problem("storage_encrypted", { cloud_provider = var.cloud_provider, preset = var.preset, storage_encrypted = var.storage_encrypted }) == "" if one != null])
    error_message = join("", [for one in [var.storage_encrypted] : provider::pgherd::problem("storage_encrypted", { cloud_provider = var.cloud_provider, preset = var.preset, storage_encrypted = var.storage_encrypted }) if one != null])
  }
}

variable "enable_encryption" {
  description = "Whether storage is encrypted at rest, another spelling of storage_encrypted. The same as storage_encrypted. Default: storage_encrypted."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_encryption] : provider::pgherd::problem("enable_encryption", { cloud_provider = var.cloud_provider, enable_encryption = var.enable_encryption, preset = var.preset, storage_encrypted = var.storage_encrypted }) == "" if one != null])
    error_message = join("", [for one in [var.enable_encryption] : provider::pgherd::problem("enable_encryption", { cloud_provider = var.cloud_provider, enable_encryption = var.enable_encryption, preset = var.preset, storage_encrypted = var.storage_encrypted }) if one != null])
  }
}

variable "kms_key_id" {
  description = "Your own key for the storage (local: the absolute path of a key file, for backups). Default: a key the target keeps. May be: needs storage_encrypted."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.kms_key_id] : provider::pgherd::problem("kms_key_id", { backup_time = var.backup_time, backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, enable_encryption = var.enable_encryption, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, kms_key_id = var.kms_key_id, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, storage_encrypted = var.storage_encrypted, subnet_ids = var.subnet_ids }) == "" if one != null])
    error_message = join("", [for one in [var.kms_key_id] : provider::pgherd::problem("kms_key_id", { backup_time = var.backup_time, backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, enable_encryption = var.enable_encryption, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, kms_key_id = var.kms_key_id, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, storage_encrypted = var.storage_encrypted, subnet_ids = var.subnet_ids }) if one != null])
  }
}

variable "iam_database_authentication_enabled" {
  description = "Whether identities of the cloud may log in to the database (azure: Entra). Default: false."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.iam_database_authentication_enabled] : provider::pgherd::problem("iam_database_authentication_enabled", { cloud_provider = var.cloud_provider, iam_database_authentication_enabled = var.iam_database_authentication_enabled, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.iam_database_authentication_enabled] : provider::pgherd::problem("iam_database_authentication_enabled", { cloud_provider = var.cloud_provider, iam_database_authentication_enabled = var.iam_database_authentication_enabled, preset = var.preset }) if one != null])
  }
}

variable "parameter_group_name" {
  description = "Existing parameter group to use as it is. Default: none: pgherd makes one. May be: not together with parameters or parameter_group_family."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.parameter_group_name] : provider::pgherd::problem("parameter_group_name", { cloud_provider = var.cloud_provider, parameter_group_name = var.parameter_group_name, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.parameter_group_name] : provider::pgherd::problem("parameter_group_name", { cloud_provider = var.cloud_provider, parameter_group_name = var.parameter_group_name, preset = var.preset }) if one != null])
  }
}

variable "parameter_group_family" {
  description = "Family of the parameter group pgherd makes; decides the version when engine_version is not written. Default: \"postgres\" and the major. May be: the major of engine_version."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.parameter_group_family] : provider::pgherd::problem("parameter_group_family", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, parameter_group_family = var.parameter_group_family, preset = var.preset, server_version = var.server_version }) == "" if one != null])
    error_message = join("", [for one in [var.parameter_group_family] : provider::pgherd::problem("parameter_group_family", { cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, parameter_group_family = var.parameter_group_family, preset = var.preset, server_version = var.server_version }) if one != null])
  }
}

variable "parameters" {
  description = "PostgreSQL settings, values in PostgreSQL units (\"256MB\"), converted for each target. Default: []; pg_stat_statements and log_min_duration_statement = 1000 are always set. May be: each name once, a value its type takes, none that pgherd itself decides."
  type        = list(object({ name = string, value = string, apply_method = optional(string) }))
  default     = null

  validation {
    condition     = alltrue([for one in [var.parameters] : provider::pgherd::problem("parameters", { cloud_provider = var.cloud_provider, database_name = var.database_name, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, parameter_group_family = var.parameter_group_family, parameter_group_name = var.parameter_group_name, parameters = var.parameters, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.parameters] : provider::pgherd::problem("parameters", { cloud_provider = var.cloud_provider, database_name = var.database_name, database_version = var.database_version, db_instance_class = var.db_instance_class, engine_version = var.engine_version, instance_class = var.instance_class, instance_type = var.instance_type, parameter_group_family = var.parameter_group_family, parameter_group_name = var.parameter_group_name, parameters = var.parameters, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "option_group_name" {
  description = "RDS option group; PostgreSQL has only the default one. Default: none."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.option_group_name] : provider::pgherd::problem("option_group_name", { cloud_provider = var.cloud_provider, option_group_name = var.option_group_name, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.option_group_name] : provider::pgherd::problem("option_group_name", { cloud_provider = var.cloud_provider, option_group_name = var.option_group_name, preset = var.preset }) if one != null])
  }
}

variable "enable_performance_insights" {
  description = "Whether queries are analysed (aws Database Insights, formerly Performance Insights, gcp Query Insights, azure Query Store, local pg_stat_statements). Default: false; true under the presets staging and prod."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_performance_insights] : provider::pgherd::problem("enable_performance_insights", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, enable_performance_insights = var.enable_performance_insights, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.enable_performance_insights] : provider::pgherd::problem("enable_performance_insights", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, enable_performance_insights = var.enable_performance_insights, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "performance_insights_enabled" {
  description = "Whether queries are analysed, another spelling of enable_performance_insights. The same as enable_performance_insights. Default: enable_performance_insights."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.performance_insights_enabled] : provider::pgherd::problem("performance_insights_enabled", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, enable_performance_insights = var.enable_performance_insights, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, performance_insights_enabled = var.performance_insights_enabled, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.performance_insights_enabled] : provider::pgherd::problem("performance_insights_enabled", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, enable_performance_insights = var.enable_performance_insights, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, performance_insights_enabled = var.performance_insights_enabled, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "performance_insights_retention_period" {
  description = "Days the history of query analysis is kept. Default: 7. May be: aws 7, 731 or a multiple of 31; azure 1 to 30; local 1 to 731."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.performance_insights_retention_period] : provider::pgherd::problem("performance_insights_retention_period", { cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, enable_performance_insights = var.enable_performance_insights, instance_class = var.instance_class, instance_type = var.instance_type, performance_insights_enabled = var.performance_insights_enabled, performance_insights_retention_period = var.performance_insights_retention_period, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.performance_insights_retention_period] : provider::pgherd::problem("performance_insights_retention_period", { cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, enable_performance_insights = var.enable_performance_insights, instance_class = var.instance_class, instance_type = var.instance_type, performance_insights_enabled = var.performance_insights_enabled, performance_insights_retention_period = var.performance_insights_retention_period, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "performance_insights_kms_key_id" {
  description = "Your own key for the data of query analysis. Default: a key the target keeps. May be: needs enable_performance_insights."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.performance_insights_kms_key_id] : provider::pgherd::problem("performance_insights_kms_key_id", { cloud_provider = var.cloud_provider, kms_key_id = var.kms_key_id, performance_insights_kms_key_id = var.performance_insights_kms_key_id, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.performance_insights_kms_key_id] : provider::pgherd::problem("performance_insights_kms_key_id", { cloud_provider = var.cloud_provider, kms_key_id = var.kms_key_id, performance_insights_kms_key_id = var.performance_insights_kms_key_id, preset = var.preset }) if one != null])
  }
}

variable "enable_enhanced_monitoring" {
  description = "Whether metrics of the operating system are sampled (azure: those of each database and of autovacuum too). Default: whether monitoring_interval is above 0."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_enhanced_monitoring] : provider::pgherd::problem("enable_enhanced_monitoring", { cloud_provider = var.cloud_provider, enable_enhanced_monitoring = var.enable_enhanced_monitoring, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.enable_enhanced_monitoring] : provider::pgherd::problem("enable_enhanced_monitoring", { cloud_provider = var.cloud_provider, enable_enhanced_monitoring = var.enable_enhanced_monitoring, preset = var.preset }) if one != null])
  }
}

variable "monitoring_interval" {
  description = "Seconds between two samples of the operating system; 0 turns them off. Default: 60 when enable_enhanced_monitoring is true, else 0. May be: 0, 1, 5, 10, 15, 30 or 60."
  type        = number
  default     = null

  validation {
    condition     = alltrue([for one in [var.monitoring_interval] : provider::pgherd::problem("monitoring_interval", { cloud_provider = var.cloud_provider, enable_enhanced_monitoring = var.enable_enhanced_monitoring, monitoring_interval = var.monitoring_interval, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.monitoring_interval] : provider::pgherd::problem("monitoring_interval", { cloud_provider = var.cloud_provider, enable_enhanced_monitoring = var.enable_enhanced_monitoring, monitoring_interval = var.monitoring_interval, preset = var.preset }) if one != null])
  }
}

variable "monitoring_role_arn" {
  description = "Existing role the samples are delivered with. Default: made when monitoring is on."
  type        = string
  default     = null

  validation {
    condition     = alltrue([for one in [var.monitoring_role_arn] : provider::pgherd::problem("monitoring_role_arn", { cloud_provider = var.cloud_provider, monitoring_role_arn = var.monitoring_role_arn, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.monitoring_role_arn] : provider::pgherd::problem("monitoring_role_arn", { cloud_provider = var.cloud_provider, monitoring_role_arn = var.monitoring_role_arn, preset = var.preset }) if one != null])
  }
}

variable "enable_logging" {
  description = "Whether the database's logs are exported and kept. Default: false; true under the presets staging and prod."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_logging] : provider::pgherd::problem("enable_logging", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, enable_logging = var.enable_logging, enable_performance_insights = var.enable_performance_insights, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, performance_insights_enabled = var.performance_insights_enabled, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.enable_logging] : provider::pgherd::problem("enable_logging", { cloud_provider = var.cloud_provider, database_version = var.database_version, db_instance_class = var.db_instance_class, disk_type = var.disk_type, enable_deletion_protection = var.enable_deletion_protection, enable_logging = var.enable_logging, enable_performance_insights = var.enable_performance_insights, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, instance_class = var.instance_class, instance_type = var.instance_type, master_username = var.master_username, multi_az = var.multi_az, performance_insights_enabled = var.performance_insights_enabled, preset = var.preset, server_version = var.server_version, sku_name = var.sku_name, storage_type = var.storage_type, tier = var.tier }) if one != null])
  }
}

variable "enabled_cloudwatch_logs_exports" {
  description = "Which logs are exported. Default: [\"postgresql\", \"upgrade\"] when enable_logging is true. May be: postgresql, upgrade and iam-db-auth-error."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.enabled_cloudwatch_logs_exports] : provider::pgherd::problem("enabled_cloudwatch_logs_exports", { cloud_provider = var.cloud_provider, enable_logging = var.enable_logging, enabled_cloudwatch_logs_exports = var.enabled_cloudwatch_logs_exports, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.enabled_cloudwatch_logs_exports] : provider::pgherd::problem("enabled_cloudwatch_logs_exports", { cloud_provider = var.cloud_provider, enable_logging = var.enable_logging, enabled_cloudwatch_logs_exports = var.enabled_cloudwatch_logs_exports, preset = var.preset }) if one != null])
  }
}

variable "alarms" {
  description = "Thresholds of the alarms. Default: CPU above 80 %, connections above 80 % of max_connections, free storage below 10 %, read latency above 0.2 s. May be: percentages above 0 and at most 100, the others above 0."
  type        = object({ cpu_percent = optional(number, 80), connections = optional(number), free_storage_percent = optional(number, 10), read_latency_seconds = optional(number, 0.2) })
  default     = null

  validation {
    condition     = alltrue([for one in [var.alarms] : provider::pgherd::problem("alarms", { alarms = var.alarms, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.alarms] : provider::pgherd::problem("alarms", { alarms = var.alarms, cloud_provider = var.cloud_provider, db_instance_class = var.db_instance_class, instance_class = var.instance_class, instance_type = var.instance_type, preset = var.preset, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "alarm_targets" {
  description = "Where alarms go: SNS topics, notification channels, action groups, addresses or URLs. Default: []."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for one in [var.alarm_targets] : provider::pgherd::problem("alarm_targets", { alarm_targets = var.alarm_targets, backup_time = var.backup_time, backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, kms_key_id = var.kms_key_id, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids }) == "" if one != null])
    error_message = join("", [for one in [var.alarm_targets] : provider::pgherd::problem("alarm_targets", { alarm_targets = var.alarm_targets, backup_time = var.backup_time, backup_window = var.backup_window, cloud_provider = var.cloud_provider, database_version = var.database_version, engine_version = var.engine_version, geo_redundant_backup = var.geo_redundant_backup, kms_key_id = var.kms_key_id, preset = var.preset, publicly_accessible = var.publicly_accessible, server_version = var.server_version, subnet_ids = var.subnet_ids }) if one != null])
  }
}

variable "create_dashboard" {
  description = "Whether a dashboard of the instance is made. Default: false."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.create_dashboard] : provider::pgherd::problem("create_dashboard", { cloud_provider = var.cloud_provider, create_dashboard = var.create_dashboard, preset = var.preset }) == "" if one != null])
    error_message = join("", [for one in [var.create_dashboard] : provider::pgherd::problem("create_dashboard", { cloud_provider = var.cloud_provider, create_dashboard = var.create_dashboard, preset = var.preset }) if one != null])
  }
}

variable "enable_proxy" {
  description = "Whether a connection pooler stands in front (PgBouncer, or the target's own). Default: whether proxy_config is written."
  type        = bool
  default     = null

  validation {
    condition     = alltrue([for one in [var.enable_proxy] : provider::pgherd::problem("enable_proxy", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, database_name = var.database_name, db_instance_class = var.db_instance_class, enable_proxy = var.enable_proxy, instance_class = var.instance_class, instance_type = var.instance_type, parameters = var.parameters, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.enable_proxy] : provider::pgherd::problem("enable_proxy", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, database_name = var.database_name, db_instance_class = var.db_instance_class, enable_proxy = var.enable_proxy, instance_class = var.instance_class, instance_type = var.instance_type, parameters = var.parameters, preset = var.preset, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}

variable "proxy_config" {
  description = "Settings of the connection pooler. Default: transaction, 20, 100 when enable_proxy is true. May be: pool_mode session, transaction or statement; sizes at least 1."
  type        = object({ pool_mode = optional(string, "transaction"), default_pool_size = optional(number, 20), max_client_conn = optional(number, 100) })
  default     = null

  validation {
    condition     = alltrue([for one in [var.proxy_config] : provider::pgherd::problem("proxy_config", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, database_name = var.database_name, db_instance_class = var.db_instance_class, enable_proxy = var.enable_proxy, instance_class = var.instance_class, instance_type = var.instance_type, parameters = var.parameters, preset = var.preset, proxy_config = var.proxy_config, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) == "" if one != null])
    error_message = join("", [for one in [var.proxy_config] : provider::pgherd::problem("proxy_config", { cloud_provider = var.cloud_provider, create_read_replica = var.create_read_replica, database_name = var.database_name, db_instance_class = var.db_instance_class, enable_proxy = var.enable_proxy, instance_class = var.instance_class, instance_type = var.instance_type, parameters = var.parameters, preset = var.preset, proxy_config = var.proxy_config, read_replica_count = var.read_replica_count, sku_name = var.sku_name, tier = var.tier }) if one != null])
  }
}
