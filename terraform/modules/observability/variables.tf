variable "auto_close_hours" {
  description = "Hours without data after which an alert closes by itself."
  type        = number
  default     = 24
  nullable    = false
}

variable "database_instance" {
  description = "Name of the Cloud SQL instance."
  type        = string
  nullable    = false
}

variable "database_max_connections" {
  description = "Connections that the instance's tier allows."
  type        = number
  nullable    = false
}

variable "docs_url" {
  description = "Where docs/ can be read, such as https://github.com/OWNER/REPOSITORY/blob/main; alerts link there. Null names the file only."
  type        = string
  default     = null
  nullable    = true
}

variable "labels" {
  description = "Labels of the alerts."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "muted" {
  description = "Whether alerts are off: while the database is stopped on purpose, nothing can be well."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Prefix of metrics, and of the services that are watched."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "notification_emails" {
  description = "Who gets the alerts by mail."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.notification_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "notification_emails are e-mail addresses."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "subscription" {
  description = "Name of the workers' subscription."
  type        = string
  nullable    = false
}

variable "thresholds" {
  description = "When a person is told; each is explained beside the alert that it belongs to."
  type = object({
    connections_share    = optional(number, 0.8)
    crashes              = optional(number, 3)
    failures             = optional(number, 5)
    failures_share       = optional(number, 0.2)
    queue_minutes        = optional(number, 15)
    server_errors        = optional(number, 5)
    stray_fleet_minutes  = optional(number, 30)
    tick_missing_minutes = optional(number, 10)
  })
  default  = {}
  nullable = false
}
