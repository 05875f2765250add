variable "emails" {
  description = "Service accounts of the processes, and of the triggers that call the dispatcher (events)."
  type = object({
    web        = string
    dispatcher = string
    worker     = string
    migrator   = string
    events     = string
  })
  nullable = false
}

variable "images" {
  description = "Images by digest. The worker's is for the jobs that tell the database which pipelines it has, and copy its models."
  type = object({
    web        = string
    dispatcher = string
    worker     = string
  })
  nullable = false

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "images must end with their digest (@sha256:…): a tag may be moved, and would be deployed without a plan."
  }
}

variable "labels" {
  description = "Labels of services and jobs."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "max_instances" {
  description = "Most instances of each service; each of them keeps connections to the database."
  type = object({
    web        = optional(number, 2)
    dispatcher = optional(number, 3)
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for count in values(var.max_instances) : count >= 1 && count <= 5])
    error_message = "max_instances must be 1 to 5: a bill that cannot run away."
  }
}

variable "memory" {
  description = "Memory of one instance of each service. A form without script passes 32 MB through the web service's."
  type = object({
    web        = optional(string, "512Mi")
    dispatcher = optional(string, "512Mi")
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for size in values(var.memory) : can(regex("^(512Mi|[1-4]Gi)$", size))])
    error_message = "memory must be 512Mi (the least in the second generation) or 1Gi to 4Gi (the most with one CPU)."
  }
}

variable "model_memory" {
  description = "Memory of the job that copies models: Cloud Run keeps files in it, so the largest model and 2 GiB more. 8Gi is enough for Whisper's large-v3 (3 GB)."
  type        = string
  nullable    = false
  default     = "8Gi"

  validation {
    condition     = contains(["2Gi", "4Gi", "8Gi", "16Gi", "32Gi"], var.model_memory)
    error_message = "model_memory must be 2Gi, 4Gi, 8Gi, 16Gi or 32Gi."
  }
}

variable "name" {
  description = "Prefix of the names of services and jobs."
  type        = string
  nullable    = false
  default     = "spotmill"
}

variable "network" {
  description = "VPC network in which the database has its address."
  type        = string
  nullable    = false
}

variable "people" {
  description = "Who may open the pages: user:…, group:… or domain:…"
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for member in var.people : can(regex("^(user|group|domain|principal|principalSet):.+", member))])
    error_message = "people must be members such as user:ann@example.com or group:team@example.com; the public is none."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Project number, which is in the service's address and in what IAP signs."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of services and jobs: that of the database and of the buckets."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "Secrets of Secret Manager by the environment variable that a process finds them in; versions are numbers."
  type = map(object({
    secret    = string
    version   = string
    processes = set(string)
  }))
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for secret in values(var.secrets) : can(regex("^[1-9]\\d*$", secret.version))])
    error_message = "A secret is mounted by the number of its version: \"latest\" would change under a running service."
  }

  validation {
    condition = alltrue([
      for secret in values(var.secrets) : length(setsubtract(secret.processes, ["web", "dispatcher", "worker"])) == 0
    ])
    error_message = "The processes of a secret are web, dispatcher and worker."
  }
}

variable "settings" {
  description = "Environment of each program, by the names in docs/settings.md; what only this module knows is added."
  type = object({
    web        = map(string)
    dispatcher = map(string)
    migrate    = map(string)
    models     = map(string)
    pipelines  = map(string)
  })
  nullable = false
}

variable "subnetwork" {
  description = "Subnetwork in which the instances take their addresses."
  type        = string
  nullable    = false
}

variable "web_url" {
  description = "Origin of a custom domain; null is the address that Cloud Run gives."
  type        = string
  nullable    = true
  default     = null

  validation {
    condition     = var.web_url == null || can(regex("^https://[^/]+$", var.web_url))
    error_message = "web_url must be an origin such as https://mill.example.com, without a path."
  }
}
