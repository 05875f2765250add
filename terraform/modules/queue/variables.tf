variable "ingest_publishers" {
  description = "IAM members of other systems that may ask for objects to be processed."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.ingest_publishers : can(regex("^(serviceAccount|group|user|principal|principalSet):", member))])
    error_message = "ingest_publishers are members such as serviceAccount:…; nobody unknown may start work."
  }
}

variable "labels" {
  description = "Labels of topics and subscriptions."
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

variable "name" {
  description = "Prefix of the topics' names."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Project number, which is in the name of Pub/Sub's service agent."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "Days for which a message waits for a worker. Pub/Sub keeps none for more than 31."
  type        = number
  default     = 31
  nullable    = false

  validation {
    condition     = var.retention_days >= 7 && var.retention_days <= 31
    error_message = "retention_days is 7 to 31: a queued job is announced again after 6 days unless told otherwise, and a message must live longer."
  }
}
