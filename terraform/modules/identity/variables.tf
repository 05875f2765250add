variable "asks_vertex" {
  description = "Let the workers ask models of Vertex AI."
  type        = bool
  nullable    = false
  default     = false
}

variable "database_instance" {
  description = "Name of the Cloud SQL instance: connecting is allowed to this one only."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Prefix of the names of accounts and roles."
  type        = string
  nullable    = false
  default     = "spotmill"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 17 lower-case letters, digits or hyphens: account ids may have 30 characters."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "storage_agent" {
  description = "Member of Cloud Storage's own account in the project (service-<number>@gs-project-accounts…), which announces objects."
  type        = string
  nullable    = false
}
