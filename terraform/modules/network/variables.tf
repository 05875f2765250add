variable "allow_ssh" {
  description = "Let people with IAP-secured tunnel access open SSH sessions to the workers."
  type        = bool
  default     = false
  nullable    = false
}

variable "external_ai" {
  description = "Give the workers a way out to the internet (Cloud NAT), for AI engines outside Google."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Name of the network, and prefix of all that is in it."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the subnet."
  type        = string
  nullable    = false
}

variable "services_prefix_length" {
  description = "Size of the range that Cloud SQL takes addresses from, as the length of its prefix."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.services_prefix_length >= 16 && var.services_prefix_length <= 24
    error_message = "Cloud SQL needs a range of /16 to /24."
  }
}

variable "subnet_range" {
  description = "IPv4 range of the workers and of the Cloud Run instances."
  type        = string
  default     = "10.20.0.0/20"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.subnet_range)) && try(tonumber(split("/", var.subnet_range)[1]) <= 24, false)
    error_message = "subnet_range is an IPv4 range of /24 or larger: each Cloud Run instance takes two addresses while a revision is replaced."
  }
}

variable "worker_email" {
  description = "Service account of the workers, which the rule for SSH is about."
  type        = string
  nullable    = false
}
