output "db_instance_endpoint" {
  description = "Host to connect to."
  value       = module.database.db_instance_endpoint
}

output "db_instance_port" {
  description = "Port to connect to."
  value       = module.database.db_instance_port
}

output "db_instance_name" {
  description = "The database on it."
  value       = module.database.db_instance_name
}

output "db_credentials_secret_arn" {
  description = "Where the password is kept."
  value       = module.database.db_credentials_secret_arn
}
