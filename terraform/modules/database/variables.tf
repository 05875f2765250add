variable "availability_type" {
  description = "ZONAL, or REGIONAL for a standby in another zone at twice the price."
  type        = string
  nullable    = false
  default     = "ZONAL"

  validation {
    condition     = contains(["ZONAL", "REGIONAL"], var.availability_type)
    error_message = "availability_type must be ZONAL or REGIONAL."
  }
}

variable "clients" {
  description = "Who connects: how many instances at most, and how many connections each opens at most. Checked against the tier."
  type = map(object({
    instances   = number
    connections = number
  }))
  nullable = false
}

variable "database_version" {
  description = "Version of Postgres. Spotmill is tested with 18."
  type        = string
  nullable    = false
  default     = "POSTGRES_18"

  validation {
    condition     = can(regex("^POSTGRES_1[6-9]$", var.database_version))
    error_message = "database_version must be POSTGRES_16 or newer."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the instance, in Terraform and in Google's own API."
  type        = bool
  nullable    = false
  default     = true
}

variable "disk_gb" {
  description = "Size of the disk at the start, in GB; it grows by itself."
  type        = number
  nullable    = false
  default     = 10

  validation {
    condition     = var.disk_gb >= 10
    error_message = "disk_gb must be 10 at least, which is Google's smallest."
  }
}

variable "disk_max_gb" {
  description = "Size that the disk does not outgrow, in GB: a bill that cannot run away."
  type        = number
  nullable    = false
  default     = 100
}

variable "emails" {
  description = "Service accounts that may sign in, by process: web, dispatcher, worker and migrator."
  type = object({
    web        = string
    dispatcher = string
    worker     = string
    migrator   = string
  })
  nullable = false
}

variable "labels" {
  description = "Labels of the instance, for the bill."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "name" {
  description = "Name of the instance, and of the database on it."
  type        = string
  nullable    = false
  default     = "spotmill"
}

variable "network" {
  description = "Full name of the VPC network in which the instance has its address; private services access must be set up there."
  type        = string
  nullable    = false
}

variable "point_in_time_recovery" {
  description = "Keep the log of seven days, so that the database can be restored as it was at any moment of them."
  type        = bool
  nullable    = false
  default     = true
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the instance and of its backups."
  type        = string
  nullable    = false
}

variable "retained_backups" {
  description = "How many daily backups are kept."
  type        = number
  nullable    = false
  default     = 7
}

variable "stopped" {
  description = "Stop the instance: while it is, nothing works, and only disk and backups cost anything."
  type        = bool
  nullable    = false
  default     = false
}

variable "tier" {
  description = "Machine of the instance: db-f1-micro, db-g1-small or db-custom-<cpus>-<MiB>."
  type        = string
  nullable    = false
  default     = "db-f1-micro"

  validation {
    condition     = can(regex("^db-(f1-micro|g1-small|custom-\\d+-\\d+)$", var.tier))
    error_message = "tier must be db-f1-micro, db-g1-small or db-custom-<cpus>-<MiB>: those of the Enterprise edition."
  }
}
