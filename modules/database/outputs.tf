# Written by `cargo xtask generate` from the table of variables. Change it there.

output "db_instance_id" {
  description = "Identifier of the instance in its target."
  value       = pgherd_postgres.this.db_instance_id
}

output "db_instance_arn" {
  description = "Full resource name of the instance in its target."
  value       = pgherd_postgres.this.db_instance_arn
}

output "db_instance_endpoint" {
  description = "Host to connect to, without a port. It stays the same after a failover."
  value       = pgherd_postgres.this.db_instance_endpoint
}

output "db_instance_port" {
  description = "Port to connect to: on local that of the pooler when there is one."
  value       = pgherd_postgres.this.db_instance_port
}

output "db_instance_host_port" {
  description = "Host and port as `host:port`, for tools that want both in one."
  value       = pgherd_postgres.this.db_instance_host_port
}

output "proxy_endpoint" {
  description = "Host of the pooler, to be used with db_instance_port: on aws that of RDS Proxy, which db_instance_endpoint goes past. Null without one."
  value       = pgherd_postgres.this.proxy_endpoint
}

output "db_instance_name" {
  description = "Name of the initial database."
  value       = pgherd_postgres.this.db_instance_name
}

output "db_instance_username" {
  description = "Name of the administrator role."
  value       = pgherd_postgres.this.db_instance_username
}

output "db_instance_resource_id" {
  description = "Identifier that stays the same when the instance is renamed (local: the system identifier of the cluster)."
  value       = pgherd_postgres.this.db_instance_resource_id
}

output "read_replica_endpoints" {
  description = "Hosts of the read replicas, or `host:port` where they share one host; empty without replicas."
  value       = pgherd_postgres.this.read_replica_endpoints
}

output "read_replica_endpoint" {
  description = "Where to connect for reading: on local one `host:port` for all replicas, elsewhere the first of read_replica_endpoints; null without replicas."
  value       = pgherd_postgres.this.read_replica_endpoint
}

output "read_replica_ids" {
  description = "Identifiers of the read replicas; empty without replicas."
  value       = pgherd_postgres.this.read_replica_ids
}

output "read_replica_arns" {
  description = "Full resource names of the read replicas; empty without replicas."
  value       = pgherd_postgres.this.read_replica_arns
}

output "db_security_group_id" {
  description = "Identifier of the firewall object (local: a fingerprint of pg_hba.conf)."
  value       = pgherd_postgres.this.db_security_group_id
}

output "db_security_group_arn" {
  description = "Full resource name of the firewall object, or null."
  value       = pgherd_postgres.this.db_security_group_arn
}

output "db_subnet_group_id" {
  description = "Identifier of the subnet group, or null."
  value       = pgherd_postgres.this.db_subnet_group_id
}

output "db_subnet_group_arn" {
  description = "Full resource name of the subnet group, or null."
  value       = pgherd_postgres.this.db_subnet_group_arn
}

output "db_parameter_group_id" {
  description = "Identifier of the set of PostgreSQL settings in force (local: the generation of the configuration)."
  value       = pgherd_postgres.this.db_parameter_group_id
}

output "db_parameter_group_arn" {
  description = "Full resource name of the parameter group, or null."
  value       = pgherd_postgres.this.db_parameter_group_arn
}

output "performance_insights_enabled" {
  description = "Whether query analysis is on."
  value       = pgherd_postgres.this.effective_performance_insights_enabled
}

output "performance_insights_kms_key_id" {
  description = "Key that encrypts the data of query analysis, or null."
  value       = pgherd_postgres.this.effective_performance_insights_kms_key_id
}

output "enhanced_monitoring_arn" {
  description = "Full resource name of the role or endpoint of OS-level monitoring, or null."
  value       = pgherd_postgres.this.enhanced_monitoring_arn
}

output "db_credentials_secret_arn" {
  description = "Name of the secret that holds username, password, host, port and dbname as JSON."
  value       = pgherd_postgres.this.db_credentials_secret_arn
}

output "flask_db_config" {
  description = "Environment of an application: DB_SECRET_ARN, DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_SSLMODE."
  value       = pgherd_postgres.this.flask_db_config
  sensitive   = true
}

output "connection_string" {
  description = "Connection URL for libpq, complete without holding the password: it names the file that does."
  value       = pgherd_postgres.this.connection_string
  sensitive   = true
}

output "effective" {
  description = "Every setting as resolved, by variable name; known when planning."
  value       = pgherd_postgres.this.effective
}
