variable "name" {
  description = "Name of the database instance: lower-case letters, digits and hyphens."
  type        = string
  default     = "example-database"

  validation {
    condition     = lower(var.name) == var.name
    error_message = "write the name in lower case"
  }
}
