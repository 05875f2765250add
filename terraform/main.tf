# A whole Spotmill in one project. Each module is named after what it gives; this file says who needs what of whom.

data "google_project" "this" {
  project_id = var.project
}

# Asking for its name has Google make Cloud Storage's account, if nobody did before.
data "google_storage_project_service_account" "this" {
  project = var.project
}

locals {
  project_number = data.google_project.this.number
  labels         = merge({ app = var.name }, var.labels)

  # Whoever may not see it gets no budget unless the account is named.
  seen_account    = try(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", data.google_project.this.billing_account), null)
  billing_account = var.budget.enabled ? try(coalesce(var.budget.billing_account, local.seen_account), null) : null

  # Others in the project may use them, and enabling them again costs minutes: they stay when Spotmill goes.
  apis = concat(local.asks_vertex ? ["aiplatform"] : [], [
    "artifactregistry",
    "billingbudgets",
    "cloudbilling",
    "cloudbuild",
    "cloudresourcemanager",
    "cloudscheduler",
    "compute",
    "eventarc",
    "iam",
    "iamcredentials",
    "iap",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "servicenetworking",
    "sqladmin",
    "storage",
  ])

  asks_vertex = try(var.language_model.engine, null) == "vertex"
}

resource "google_project_service" "this" {
  for_each = toset(local.apis)

  project            = var.project
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false
}

module "identity" {
  source = "./modules/identity"

  project           = var.project
  name              = var.name
  database_instance = var.name
  storage_agent     = data.google_storage_project_service_account.this.member
  asks_vertex       = local.asks_vertex

  depends_on = [google_project_service.this]
}

module "network" {
  source = "./modules/network"

  project      = var.project
  region       = var.region
  name         = var.name
  subnet_range = var.subnet_range
  external_ai  = var.external_ai
  allow_ssh    = var.allow_ssh
  worker_email = module.identity.emails.worker

  depends_on = [google_project_service.this]
}

module "storage" {
  source = "./modules/storage"

  project          = var.project
  region           = var.region
  name             = var.name
  labels           = local.labels
  upload_bucket    = var.upload_bucket
  result_bucket    = var.result_bucket
  allowed_buckets  = var.allowed_buckets
  model_buckets    = toset(flatten([for place in values(var.models) : regexall("^gs://([^/]+)", place)]))
  web_origin       = module.services.web_url
  versioning       = var.versioning
  soft_delete_days = var.soft_delete_days
  force_destroy    = var.force_destroy
  members          = module.identity.members
  roles            = module.identity.roles

  depends_on = [google_project_service.this]
}

module "queue" {
  source = "./modules/queue"

  project           = var.project
  project_number    = local.project_number
  name              = var.name
  labels            = local.labels
  ingest_publishers = var.ingest_publishers
  members           = module.identity.members

  depends_on = [google_project_service.this]
}

module "database" {
  source = "./modules/database"

  project                = var.project
  region                 = var.region
  name                   = var.name
  labels                 = local.labels
  network                = module.network.private_network
  emails                 = module.identity.emails
  database_version       = var.database.version
  tier                   = var.database.tier
  availability_type      = var.database.availability
  disk_gb                = var.database.disk_gb
  disk_max_gb            = var.database.disk_max_gb
  deletion_protection    = var.unprotected ? false : var.database.deletion_protection
  point_in_time_recovery = var.database.point_in_time_recovery
  retained_backups       = var.database.retained_backups
  stopped                = var.database.stopped

  clients = {
    web        = { instances = var.max_instances.web, connections = var.database.pool_size }
    dispatcher = { instances = var.max_instances.dispatcher, connections = var.database.pool_size }
    # The agent has two engines: transactions, and statements that are each their own.
    worker = { instances = var.workers.max, connections = 2 * var.database.pool_size }
    # A deployment's job, or the connection that a reconcile keeps to itself.
    jobs      = { instances = 1, connections = 2 }
    reconcile = { instances = 1, connections = 1 }
  }

  depends_on = [google_project_service.this]
}

module "services" {
  source = "./modules/services"

  project        = var.project
  project_number = local.project_number
  region         = var.region
  name           = var.name
  labels         = local.labels
  network        = module.network.network
  subnetwork     = module.network.subnetwork
  emails         = module.identity.emails
  images         = local.images
  people         = var.people
  max_instances  = var.max_instances
  web_url        = var.web_url
  settings       = merge(local.settings, { models = local.settings.worker, pipelines = local.settings.worker })
  model_memory   = var.model_memory
  secrets        = var.secrets

  depends_on = [google_project_service.this]
}

module "events" {
  source = "./modules/events"

  project       = var.project
  region        = var.region
  name          = var.name
  labels        = local.labels
  events_email  = module.identity.emails.events
  service       = module.services.services.dispatcher
  topics        = module.queue.topics
  upload_bucket = module.storage.upload_bucket
  paused        = var.database.stopped

  depends_on = [google_project_service.this]
}

module "workers" {
  source = "./modules/workers"

  project                   = var.project
  region                    = var.region
  name                      = var.name
  labels                    = local.labels
  network                   = module.network.network
  subnetwork                = module.network.subnetwork
  service_account_email     = module.identity.emails.worker
  image                     = local.worker_image
  env                       = local.settings.worker
  secrets                   = module.services.worker_secrets
  machine_types             = var.workers.machine_types
  zones                     = var.workers.zones
  max_workers               = var.workers.max
  disk_gb                   = var.workers.disk_gb
  gpu                       = var.workers.gpu
  max_run_hours             = var.workers.max_run_hours
  preemption_notice_seconds = var.workers.preemption_notice_seconds

  depends_on = [google_project_service.this]
}

module "observability" {
  source = "./modules/observability"

  project                  = var.project
  name                     = var.name
  labels                   = local.labels
  notification_emails      = var.notification_emails
  database_instance        = module.database.name
  database_max_connections = module.database.max_connections
  subscription             = module.queue.subscription
  docs_url                 = var.github == null ? null : "https://github.com/${var.github.owner}/${var.github.repository}/blob/main"
  muted                    = var.database.stopped

  depends_on = [google_project_service.this]
}

module "budget" {
  source = "./modules/budget"

  project         = var.project
  project_number  = local.project_number
  name            = var.name
  billing_account = local.billing_account
  currency        = var.budget.currency
  project_amount  = var.budget.project_amount
  workers_amount  = var.budget.workers_amount
  worker_label    = module.workers.cost_label
  topic           = module.queue.topics.budget
  channels        = module.observability.channels

  depends_on = [google_project_service.this]
}

# Can be made alone, before the images that everything else runs: -target=module.delivery.
module "delivery" {
  source = "./modules/delivery"

  project          = var.project
  project_number   = local.project_number
  region           = var.region
  name             = var.name
  labels           = local.labels
  github           = var.github
  environments     = var.environments
  state_bucket     = var.state_bucket
  deployer_email   = module.identity.emails.deployer
  custom_roles     = [module.identity.roles.fleet_manager, module.identity.roles.model_asker]
  service_accounts = { for process, name in module.identity.names : process => name if process != "deployer" }
  members          = merge({ worker = module.identity.members.worker }, var.image_readers)
  taggers          = var.image_taggers

  depends_on = [google_project_service.this]
}
