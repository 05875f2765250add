variable "admins" {
  description = "E-mails of people who see everybody's jobs. They must be among `people`, too, or in a group there."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for email in var.admins : can(regex("^[^@:,\\s]+@[^@:,\\s]+$", email))])
    error_message = "admins must be e-mail addresses such as ann@example.com, without \"user:\"."
  }
}

variable "allow_any_region" {
  description = "Allow a region outside the three in which Google has free tiers."
  type        = bool
  nullable    = false
  default     = false
}

variable "allow_ssh" {
  description = "Allow SSH to workers through IAP."
  type        = bool
  nullable    = false
  default     = false
}

variable "allowed_buckets" {
  description = "Buckets besides the upload bucket whose objects other systems may ask to be processed."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "budget" {
  description = "Monthly limits: mails for the project's, a stop of the fleet for the workers'. The billing account is the project's own unless named."
  type = object({
    enabled         = optional(bool, true)
    billing_account = optional(string)
    currency        = optional(string)
    project_amount  = optional(number)
    workers_amount  = optional(number)
  })
  nullable = false
  default  = {}
}

variable "database" {
  description = "The Cloud SQL instance; see modules/database. pool_size is what each process keeps open, and is checked against the tier."
  type = object({
    tier                   = optional(string)
    availability           = optional(string)
    version                = optional(string)
    disk_gb                = optional(number)
    disk_max_gb            = optional(number)
    retained_backups       = optional(number)
    deletion_protection    = optional(bool)
    point_in_time_recovery = optional(bool)
    stopped                = optional(bool, false)
    pool_size              = optional(number, 2)
  })
  nullable = false
  default  = {}
}

variable "environments" {
  description = "What Cloud Build deploys from where; see modules/delivery."
  type = map(object({
    branch        = optional(string)
    tag           = optional(string)
    approval      = optional(bool, false)
    substitutions = optional(map(string), {})
  }))
  nullable = true
  default  = null
}

variable "external_ai" {
  description = "Give workers a way to the internet (Cloud NAT), for AI engines outside Google."
  type        = bool
  nullable    = false
  default     = false
}

variable "force_destroy" {
  description = "Let a destroy delete buckets with everything in them."
  type        = bool
  nullable    = false
  default     = false
}

variable "github" {
  description = "Repository that Cloud Build listens to; see modules/delivery. Null makes no trigger."
  type = object({
    owner           = string
    repository      = string
    installation_id = number
    token_version   = string
  })
  nullable = true
  default  = null
}

variable "image_readers" {
  description = "Members besides the workers that take images out of the repository: workers and Cloud Run's agent of another environment."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "image_taggers" {
  description = "Deployers of other environments, as members: they take images out of the repository, and tag what they deploy."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "images" {
  description = "Images to run, by digest; worker_gpu if workers have GPUs. Null only while the repository for them is being made."
  type = object({
    web        = string
    dispatcher = string
    worker     = string
    worker_gpu = optional(string)
  })
  nullable = true
  default  = null

  validation {
    condition = var.images == null || alltrue([
      for image in values(var.images) : image == null || can(regex("@sha256:[0-9a-f]{64}$", image))
    ])
    error_message = "images must end with their digest (@sha256:…): a tag may be moved, and would be deployed without a plan."
  }
}

variable "ingest_publishers" {
  description = "Members that may publish to the ingest topic: other systems that ask for objects to be processed."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "labels" {
  description = "Labels of everything that can have some, besides app = <name>."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "language_model" {
  description = <<-END
    Hosted model (as its service names it) that analyses transcripts, whose text is sent there; null sends none. engine is gemini, vertex (Google's),
    openai or anthropic. All but vertex want a key among `secrets`: SPOTMILL_LANGUAGE_MODEL_KEY. endpoint is another server that
    speaks as the engine does; one with a private address is in reach without external_ai. region is where Vertex AI is asked: a
    region, us, eu or global; null is the mill's.
  END
  type = object({
    engine   = string
    model    = string
    endpoint = optional(string)
    region   = optional(string)
  })
  nullable = true
  default  = null

  validation {
    condition     = var.language_model == null || contains(["gemini", "vertex", "openai", "anthropic"], try(var.language_model.engine, ""))
    error_message = "language_model.engine is gemini, vertex, openai or anthropic; without any, leave language_model out."
  }

  validation {
    condition = try(var.language_model.region, null) == null || (
      try(var.language_model.engine, "") == "vertex" && can(regex("^(global|us|eu|[a-z]+-[a-z]+\\d+)$", var.language_model.region))
    )
    error_message = "language_model.region is where Vertex AI is asked: a region such as europe-west4, us, eu or global; no other engine has one."
  }

  validation {
    condition     = try(var.language_model.endpoint, null) == null || can(regex("^https?://[^\\s?#]+$", var.language_model.endpoint))
    error_message = "language_model.endpoint is a URL such as https://llm.example.com/v1."
  }

  validation {
    # Where Private Google Access leads, or the network itself.
    condition = var.external_ai || can(regex(
      "^https?://((10\\.\\d+|172\\.(1[6-9]|2\\d|3[01])|192\\.168)\\.\\d+\\.\\d+|([a-z0-9-]+\\.)+(internal|googleapis\\.com))([:/]|$)",
      coalesce(
        try(var.language_model.endpoint, null),
        contains(["openai", "anthropic"], try(var.language_model.engine, "")) ? "outside" : "https://a.googleapis.com"
      )
    ))
    error_message = "language_model is outside Google, which workers cannot reach: set external_ai = true, which makes a way to the internet (Cloud NAT) and lets transcripts leave the project."
  }

  validation {
    condition = var.language_model == null || try(var.language_model.engine, "") == "vertex" || contains(
      try(var.secrets["SPOTMILL_LANGUAGE_MODEL_KEY"].processes, []), "worker"
    )
    error_message = "language_model wants a key: put it into Secret Manager, and name it in secrets.SPOTMILL_LANGUAGE_MODEL_KEY with processes = [\"worker\"]."
  }

  validation {
    condition     = try(var.language_model.engine, "") != "vertex" || !contains(keys(var.secrets), "SPOTMILL_LANGUAGE_MODEL_KEY")
    error_message = "Vertex AI takes the workers' own account and no key: leave SPOTMILL_LANGUAGE_MODEL_KEY out of secrets."
  }
}

variable "max_instances" {
  description = "Most instances of each Cloud Run service, 1 to 5; more than the default needs a larger database.tier."
  type = object({
    web        = optional(number, 2)
    dispatcher = optional(number, 3)
  })
  nullable = false
  default  = {}
}

variable "model_memory" {
  description = "Memory of the job that copies the hub's models, whose files are in it: the largest model and 2 GiB more."
  type        = string
  nullable    = false
  default     = "8Gi"
}

variable "models" {
  description = <<-END
    Models that pipelines load, by name: one of the Hugging Face hub (small, ORGANISATION/REPOSITORY, either with @REVISION), which
    a deployment copies into the bucket for results; gs://BUCKET/PREFIX; package:NAME/PATH or a path in the workers' image.
  END
  type        = map(string)
  nullable    = false
  default     = { whisper = "small" }

  validation {
    condition = alltrue([
      for name, place in var.models : can(regex("^[a-z0-9][a-z0-9_.-]*$", name)) && can(regex(
        "^(gs://[a-z0-9][a-z0-9_.-]+[a-z0-9](/[^,\\s]*)?|package:[^,\\s]+|/[^,\\s]+|[\\w.-]+(/[\\w.-]+)?(@[\\w./-]+)?)$", place
      ))
    ])
    error_message = "models maps names such as whisper to small, ORGANISATION/REPOSITORY@REVISION, gs://BUCKET/PREFIX, package:NAME/PATH or /PATH."
  }
}

variable "name" {
  description = "Prefix of all names. Another one beside it makes a second Spotmill in the same project."
  type        = string
  nullable    = false
  default     = "spotmill"
}

variable "notification_emails" {
  description = "Who gets the mails of alerts and budgets."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "people" {
  description = "Who may open the pages, as members: user:…, group:… or domain:…"
  type        = set(string)
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of everything."
  type        = string
  nullable    = false
  default     = "us-central1"

  validation {
    condition     = var.allow_any_region || contains(["us-central1", "us-east1", "us-west1"], var.region)
    error_message = "In ${var.region} Google has no free tier for storage; choose us-central1, us-east1 or us-west1, or set allow_any_region."
  }
}

variable "result_bucket" {
  description = "Name of the bucket for results; null is <project>-<name>-results."
  type        = string
  nullable    = true
  default     = null
}

variable "secrets" {
  description = "Secrets by the environment variable that a process finds them in; made by hand, mounted by the number of a version."
  type = map(object({
    secret    = string
    version   = string
    processes = set(string)
  }))
  nullable = false
  default  = {}
}

variable "settings" {
  description = "More settings for all processes, by the names in docs/settings.md. None that this configuration sets itself."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^SPOTMILL_[A-Z_]+$", name))])
    error_message = "settings must be named as in docs/settings.md: SPOTMILL_…"
  }
}

variable "soft_delete_days" {
  description = "Days for which deleted objects can be brought back (and are paid for); 0 turns that off."
  type        = number
  nullable    = false
  default     = 7
}

variable "state_bucket" {
  description = "Bucket of Terraform's state, for the builds that Cloud Build starts."
  type        = string
  nullable    = false
  default     = ""
}

variable "subnet_range" {
  description = "Addresses of workers and service instances."
  type        = string
  nullable    = true
  default     = null
}

variable "unprotected" {
  description = "Take the database's protection against deletion away, whatever `database` says: for a destroy."
  type        = bool
  nullable    = false
  default     = false
}

variable "upload_bucket" {
  description = "Name of the bucket for uploads; null is <project>-<name>-uploads."
  type        = string
  nullable    = true
  default     = null
}

variable "versioning" {
  description = "Keep overwritten and deleted objects as noncurrent versions."
  type        = bool
  nullable    = false
  default     = false
}

variable "web_url" {
  description = "Origin of a custom domain, such as https://mill.example.com; null is the address that Cloud Run gives."
  type        = string
  nullable    = true
  default     = null
}

variable "workers" {
  description = "The fleet; see modules/workers. slots are files that one VM works on at once, each with all of its cores. hourly_usd is the price of one VM, for the costs that pages show."
  type = object({
    max                       = optional(number, 2)
    slots                     = optional(number, 2)
    machine_types             = optional(list(string))
    zones                     = optional(set(string))
    disk_gb                   = optional(number)
    gpu                       = optional(object({ type = string, count = optional(number, 1) }))
    max_run_hours             = optional(number)
    preemption_notice_seconds = optional(number)
    hourly_usd                = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.workers.max >= 1 && var.workers.max <= 1000
    error_message = "workers.max must be 1 to 1000."
  }

  validation {
    condition     = var.workers.gpu == null || try(var.images.worker_gpu, null) != null || var.images == null
    error_message = "Workers with GPUs run another image: name it in images.worker_gpu."
  }
}
