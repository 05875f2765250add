variable "allowed_buckets" {
  description = "Buckets of other systems whose objects may be announced for processing; they are read, never written."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "force_destroy" {
  description = "Delete the buckets with everything in them on destroy."
  type        = bool
  default     = false
  nullable    = false
}

variable "labels" {
  description = "Labels of the buckets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "members" {
  description = "IAM members (serviceAccount:…) of the processes."
  type = object({
    dispatcher = string
    web        = string
    worker     = string
  })
  nullable = false
}

variable "model_buckets" {
  description = "Buckets that hold models; the workers read them."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "name" {
  description = "Part of the buckets' names."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days for which a generation that was overwritten or deleted is kept while versioning is on."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days is at least 1."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the buckets; their triggers must be in the same one."
  type        = string
  nullable    = false
}

variable "result_bucket" {
  description = "Name of the bucket for results; null makes one from the project's."
  type        = string
  default     = null
  nullable    = true
}

variable "roles" {
  description = "Custom roles: result_sweeper lists and deletes objects."
  type = object({
    result_sweeper = string
  })
  nullable = false
}

variable "soft_delete_days" {
  description = "Days for which a deleted object can be restored, and is paid for; 0 turns that off."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "soft_delete_days is 0, or 7 to 90."
  }
}

variable "steps_days" {
  description = "Days after which a stored step is deleted, whatever became of its job; above SPOTMILL_STEPS_RETENTION_DAYS."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.steps_days > 14
    error_message = "steps_days is more than 14: the dispatcher keeps the steps of a failed job that long for a retry."
  }
}

variable "upload_bucket" {
  description = "Name of the bucket for uploads; null makes one from the project's."
  type        = string
  default     = null
  nullable    = true
}

variable "versioning" {
  description = "Keep what was overwritten or deleted as a noncurrent generation for a while."
  type        = bool
  default     = false
  nullable    = false
}

variable "web_origin" {
  description = "Origin of the web service's pages, which alone may use the buckets from a browser."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.web_origin))
    error_message = "web_origin is https:// and a host, without a path."
  }
}
