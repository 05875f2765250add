variable "billing_account" {
  description = "Id of the billing account that pays for the project (ABCDEF-012345-6789AB). Null makes no budget."
  type        = string
  default     = null
  nullable    = true

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account is three groups of six hexadecimal digits; `gcloud billing accounts list` shows yours."
  }
}

variable "channels" {
  description = "Names of the notification channels that get mails, five at most. Without any, the account's own administrators do."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.channels) <= 5
    error_message = "A budget mails at most five channels."
  }
}

variable "currency" {
  description = "Currency of the billing account, in which both amounts are."
  type        = string
  default     = "USD"
  nullable    = false
}

variable "name" {
  description = "Prefix of the budgets' names."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "project_amount" {
  description = "What the whole project may cost in a month before mails are sent; nothing is stopped by it."
  type        = number
  default     = 5
  nullable    = false
}

variable "project_number" {
  description = "Project number, by which Cloud Billing knows the project."
  type        = string
  nullable    = false
}

variable "topic" {
  description = "Name of the topic that the workers' budget is published to, and that stops the fleet."
  type        = string
  nullable    = false
}

variable "worker_label" {
  description = "The label, as a map of one, that the workers' VMs and disks have."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.worker_label) == 1
    error_message = "Cloud Billing filters a budget by one label."
  }
}

variable "workers_amount" {
  description = "What the workers may cost in a month; at 100 % the dispatcher stops the fleet."
  type        = number
  default     = 20
  nullable    = false
}
