variable "boot_image" {
  description = "Container-Optimized OS that the VMs boot: a family gives the newest one at each boot."
  type        = string
  default     = "projects/cos-cloud/global/images/family/cos-stable"
  nullable    = false
}

variable "child_uid" {
  description = "Number of the user that pipelines run as in the image (images/README.md); the VM's firewall gives it no network."
  type        = number
  default     = 10002
  nullable    = false
}

variable "disk_gb" {
  description = "Size of the boot disk: 20 GB for system, image and models, the rest for the files of running jobs. A recording takes its size and half as much for its results; the default has room for one of 40 GB beside usual ones."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.disk_gb >= 30
    error_message = "disk_gb is 30 at least: the system, the worker's image, models and the largest source with its results must fit."
  }
}

variable "env" {
  description = "Environment of the worker (docs/settings.md). Nothing secret: every process on the VM can read it."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.env : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !strcontains(value, "\n")])
    error_message = "env maps names of environment variables to values of one line."
  }
}

variable "gpu" {
  description = "GPUs of each VM, such as {type = \"nvidia-l4\", count = 1}; the image must then be worker-gpu. Null for none."
  type = object({
    type  = string
    count = optional(number, 1)
  })
  default  = null
  nullable = true
}

variable "image" {
  description = "The worker's image in Artifact Registry, by digest, so that a VM never runs what was not deployed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9-]+-docker\\.pkg\\.dev/[^@]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image is REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME@sha256:DIGEST."
  }
}

variable "labels" {
  description = "Labels of the VMs and their disks, which the bill shows; NAME-part = worker is added."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "machine_types" {
  description = "Machine types in order of preference: the group takes the first that there is capacity for."
  type        = list(string)
  default     = ["n2d-standard-4", "n2-standard-4", "e2-standard-4"]
  nullable    = false

  validation {
    condition     = length(var.machine_types) > 0 && length(var.machine_types) == length(distinct(var.machine_types))
    error_message = "machine_types names at least one type, and none twice."
  }

  validation {
    condition     = !anytrue([for type in var.machine_types : can(regex("^(t2a|c4a|n4a|a4x)-", type))])
    error_message = "machine_types has an Arm type; the worker's image is built for x86."
  }
}

variable "max_run_hours" {
  description = "Hours after which Compute Engine ends a VM that everything else forgot."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.max_run_hours >= 1 && var.max_run_hours <= 2880
    error_message = "max_run_hours is 1 to 2880 (120 days, the most that Compute Engine takes)."
  }
}

variable "max_workers" {
  description = "Most VMs that a run may ask for."
  type        = number
  default     = 2
  nullable    = false
}

variable "name" {
  description = "Prefix of the names of group, VMs and template."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "network" {
  description = "Id of the VPC network."
  type        = string
  nullable    = false
}

variable "preemption_notice_seconds" {
  description = "What a preempted VM may count on: 0, 30 (the usual shutdown period) or 120 (asked for in the template)."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([0, 30, 120], var.preemption_notice_seconds)
    error_message = "preemption_notice_seconds is 0, 30 or 120."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the group; its VMs start in whichever zone has capacity."
  type        = string
  default     = "us-central1"
  nullable    = false
}

variable "scratch" {
  description = "Directory on the VM that becomes /scratch in the container: the files of running jobs."
  type        = string
  default     = "/var/lib/spotmill/scratch"
  nullable    = false

  validation {
    condition     = can(regex("^/var/[A-Za-z0-9/_-]+$", var.scratch))
    error_message = "scratch is below /var: the rest of Container-Optimized OS is read-only or in memory."
  }
}

variable "secrets" {
  description = "Secret environment of the worker: name to projects/P/secrets/S/versions/N. Read at boot, never in metadata."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for name, version in var.secrets :
      can(regex("^[A-Z][A-Z0-9_]*$", name)) && can(regex("^projects/[^/ ]+/secrets/[^/ ]+/versions/[0-9]+$", version))
    ])
    error_message = "secrets maps names of environment variables to projects/P/secrets/S/versions/N; N is a number, not latest."
  }
}

variable "service_account_email" {
  description = "Account of the VMs."
  type        = string
  nullable    = false
}

variable "subnetwork" {
  description = "Id of the subnetwork, which must have Private Google Access: the VMs have no external address."
  type        = string
  nullable    = false
}

variable "zones" {
  description = "Zones of the region to use, where the machine types or GPUs are not in all of them. Null for all."
  type        = set(string)
  default     = null
  nullable    = true
}
