variable "custom_roles" {
  description = "Names (projects/P/roles/R) of the custom roles that the deployer may grant on the project."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deployer_email" {
  description = "Account that Cloud Build runs as."
  type        = string
  nullable    = false
}

variable "environments" {
  description = <<-EOT
    What is deployed from where, by the environment's name: a push to the branch, or of the tag (regular expressions), starts
    cloudbuild.yaml with the substitutions; where approval is true, it waits for a person.
  EOT
  type = map(object({
    branch        = optional(string)
    tag           = optional(string)
    approval      = optional(bool, false)
    substitutions = optional(map(string), {})
  }))
  default = {
    prod = { branch = "^main$", approval = true }
  }
  nullable = false

  validation {
    condition     = alltrue([for environment in var.environments : (environment.branch == null) != (environment.tag == null)])
    error_message = "Each environment has either a branch or a tag."
  }

  validation {
    condition     = alltrue([for name, environment in var.environments : !startswith(name, "prod") || environment.approval])
    error_message = "An environment whose name begins with prod needs approval = true."
  }
}

variable "github" {
  description = <<-EOT
    The repository that Cloud Build listens to: its owner and name, the id of the Cloud Build app's installation, and the
    secret version with a token that the app made (docs/deploy.md). Null makes no trigger.
  EOT
  type = object({
    owner           = string
    repository      = string
    installation_id = number
    token_version   = string
  })
  default  = null
  nullable = true

  validation {
    condition     = var.github == null || can(regex("^projects/[^/]+/secrets/[^/]+/versions/[^/]+$", var.github.token_version))
    error_message = "github.token_version is projects/P/secrets/S/versions/N."
  }
}

variable "keep" {
  description = "How many of the newest versions of each image are kept whatever their age."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.keep >= 2
    error_message = "keep is 2 at least: what runs, and what it can be rolled back to."
  }
}

variable "labels" {
  description = "Labels of the repository."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "members" {
  description = "IAM members of those who take images out of the repository, such as the worker's VMs."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the repository and prefix of the triggers'."
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
  description = "Project number, which is in the name of Cloud Build's service agent."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the repository, the connection and the triggers."
  type        = string
  default     = "us-central1"
  nullable    = false
}

variable "service_accounts" {
  description = "Names (projects/P/serviceAccounts/EMAIL) of the accounts that the deployer may give to what it deploys, by process."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "state_bucket" {
  description = "Bucket of this project's Terraform state, for cloudbuild.yaml. Empty leaves the name to that."
  type        = string
  default     = ""
  nullable    = false
}

variable "taggers" {
  description = "IAM members of other environments' deployers, which take images out of the repository and tag what they deploy."
  type        = map(string)
  default     = {}
  nullable    = false
}
