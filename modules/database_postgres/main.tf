# Written by `cargo xtask generate` from the table of variables. Change it there.

terraform {
  # Older ones know no values that are kept in neither plan nor state.
  required_version = ">= 1.11"

  required_providers {
    pgherd = {
      source = "local/pgherd/pgherd"
    }
  }
}

locals {
  # Folds the names that mean the same, so that another name of a setting is no change.
  resolved = provider::pgherd::resolve({
    cloud_provider               = var.cloud_provider
    engine_version               = var.engine_version
    database_version             = var.database_version
    server_version               = var.server_version
    instance_class               = var.instance_class
    db_instance_class            = var.db_instance_class
    instance_type                = var.instance_type
    tier                         = var.tier
    sku_name                     = var.sku_name
    allocated_storage            = var.allocated_storage
    disk_size                    = var.disk_size
    storage_mb                   = var.storage_mb
    storage_type                 = var.storage_type
    disk_type                    = var.disk_type
    backup_retention_period      = var.backup_retention_period
    backup_retention_days        = var.backup_retention_days
    backup_window                = var.backup_window
    backup_time                  = var.backup_time
    storage_encrypted            = var.storage_encrypted
    enable_encryption            = var.enable_encryption
    enable_performance_insights  = var.enable_performance_insights
    performance_insights_enabled = var.performance_insights_enabled
  })
}

resource "pgherd_postgres" "this" {
  name                                  = var.name
  environment                           = var.environment
  preset                                = var.preset
  cloud_provider                        = var.cloud_provider
  tags                                  = var.tags
  engine_version                        = local.resolved.engine_version
  instance_class                        = local.resolved.instance_class
  allocated_storage                     = local.resolved.allocated_storage
  max_allocated_storage                 = var.max_allocated_storage
  auto_grow_enabled                     = var.auto_grow_enabled
  storage_type                          = local.resolved.storage_type
  storage_throughput                    = var.storage_throughput
  storage_iops                          = var.storage_iops
  database_name                         = var.database_name
  master_username                       = var.master_username
  master_password_wo                    = var.master_password
  vpc_id                                = var.vpc_id
  subnet_ids                            = var.subnet_ids
  allowed_cidr_blocks                   = var.allowed_cidr_blocks
  publicly_accessible                   = var.publicly_accessible
  create_security_group                 = var.create_security_group
  security_group_rules                  = var.security_group_rules
  security_group_ids                    = var.security_group_ids
  allowed_security_group_ids            = var.allowed_security_group_ids
  port                                  = var.port
  availability_zone                     = var.availability_zone
  aws_region                            = var.aws_region
  gcp_region                            = var.gcp_region
  location                              = var.location
  do_region                             = var.do_region
  gcp_project                           = var.gcp_project
  gcp_edition                           = var.gcp_edition
  resource_group_name                   = var.resource_group_name
  azure_subscription_id                 = var.azure_subscription_id
  key_vault_name                        = var.key_vault_name
  key_identity_id                       = var.key_identity_id
  log_analytics_workspace_id            = var.log_analytics_workspace_id
  multi_az                              = var.multi_az
  local_sync                            = var.local_sync
  create_read_replica                   = var.create_read_replica
  read_replica_count                    = var.read_replica_count
  geo_redundant_backup                  = var.geo_redundant_backup
  dr_region                             = var.dr_region
  dr_read_replica                       = var.dr_read_replica
  dr_vpc_id                             = var.dr_vpc_id
  dr_subnet_ids                         = var.dr_subnet_ids
  dr_security_group_ids                 = var.dr_security_group_ids
  dr_kms_key_id                         = var.dr_kms_key_id
  backup_retention_period               = local.resolved.backup_retention_period
  enable_backup                         = var.enable_backup
  enable_binary_log_backup              = var.enable_binary_log_backup
  backup_window                         = local.resolved.backup_window
  enable_backup_encryption              = var.enable_backup_encryption
  copy_tags_to_snapshot                 = var.copy_tags_to_snapshot
  skip_final_snapshot                   = var.skip_final_snapshot
  final_snapshot_identifier             = var.final_snapshot_identifier
  maintenance_window                    = var.maintenance_window
  apply_immediately                     = var.apply_immediately
  enable_deletion_protection            = var.enable_deletion_protection
  storage_encrypted                     = local.resolved.storage_encrypted
  kms_key_id                            = var.kms_key_id
  iam_database_authentication_enabled   = var.iam_database_authentication_enabled
  parameter_group_name                  = var.parameter_group_name
  parameter_group_family                = var.parameter_group_family
  parameters                            = var.parameters
  option_group_name                     = var.option_group_name
  enable_performance_insights           = local.resolved.enable_performance_insights
  performance_insights_retention_period = var.performance_insights_retention_period
  performance_insights_kms_key_id       = var.performance_insights_kms_key_id
  enable_enhanced_monitoring            = var.enable_enhanced_monitoring
  monitoring_interval                   = var.monitoring_interval
  monitoring_role_arn                   = var.monitoring_role_arn
  enable_logging                        = var.enable_logging
  enabled_cloudwatch_logs_exports       = var.enabled_cloudwatch_logs_exports
  alarms                                = var.alarms
  alarm_targets                         = var.alarm_targets
  create_dashboard                      = var.create_dashboard
  enable_proxy                          = var.enable_proxy
  proxy_config                          = var.proxy_config
}
