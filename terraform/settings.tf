# The environment of each program, by the names in docs/settings.md. A module adds what it alone knows.

locals {
  # A name and no reference: the group's own template carries these settings.
  instance_group = "${var.name}-workers"

  # Without any, whatever runs one says that it wants a digest.
  images       = coalesce(var.images, { web = "", dispatcher = "", worker = "", worker_gpu = "" })
  worker_image = var.workers.gpu == null ? local.images.worker : local.images.worker_gpu

  database_settings = { for process in ["web", "dispatcher", "worker", "migrator"] : process => {
    SPOTMILL_DATABASE_INSTANCE  = module.database.connection_name
    SPOTMILL_DATABASE_NAME      = module.database.database
    SPOTMILL_DATABASE_USER      = module.database.users[process]
    SPOTMILL_DATABASE_POOL_SIZE = tostring(var.database.pool_size)
  } }

  # What web, dispatcher and workers must agree on.
  shared_settings = {
    GOOGLE_CLOUD_PROJECT       = var.project
    SPOTMILL_REGION            = var.region
    SPOTMILL_UPLOAD_BUCKET     = module.storage.upload_bucket
    SPOTMILL_RESULT_BUCKET     = module.storage.result_bucket
    SPOTMILL_JOBS_TOPIC        = module.queue.topics.jobs
    SPOTMILL_JOBS_SUBSCRIPTION = module.queue.subscription
    SPOTMILL_INGEST_TOPIC      = module.queue.topics.ingest
    SPOTMILL_INSTANCE_GROUP    = local.instance_group
    SPOTMILL_MAX_WORKERS       = tostring(var.workers.max)
    SPOTMILL_WORKER_SLOTS      = tostring(var.workers.slots)
    SPOTMILL_LOG_FORMAT        = "json"
  }
  price = var.workers.hourly_usd == null ? {} : { SPOTMILL_VM_HOURLY_USD = tostring(var.workers.hourly_usd) }

  own_settings = {
    web = {
      SPOTMILL_ADMINS = join(",", sort(var.admins))
      # Cloud Run takes requests of 32 MiB, and a form is more than its file.
      SPOTMILL_FORM_UPLOAD_MAX_BYTES = tostring(31 * 1024 * 1024)
    }
    dispatcher = {
      SPOTMILL_TICK_TOPIC              = module.queue.topics.tick
      SPOTMILL_BUDGET_TOPIC            = module.queue.topics.budget
      SPOTMILL_DEAD_LETTER_TOPIC       = module.queue.topics.dead_letter
      SPOTMILL_ALLOWED_BUCKETS         = join(",", sort(var.allowed_buckets))
      SPOTMILL_REPUBLISH_AFTER_SECONDS = tostring(module.queue.republish_after_seconds)
    }
    worker = merge(
      # A list of none, as an empty variable may count as one that was left out, which has a default.
      { SPOTMILL_MODELS = coalesce(join(",", [for name, place in var.models : "${name}=${place}"]), ",") },
      # The key comes as a secret.
      { for setting, value in {
        SPOTMILL_LANGUAGE_MODEL          = try(var.language_model.model, null)
        SPOTMILL_LANGUAGE_MODEL_ENDPOINT = try(var.language_model.endpoint, null)
        SPOTMILL_LANGUAGE_MODEL_ENGINE   = try(var.language_model.engine, null)
        SPOTMILL_LANGUAGE_MODEL_REGION   = try(var.language_model.region, null)
      } : setting => value if value != null },
    )
  }

  settings = merge(
    { for process, own in local.own_settings : process => merge(
      var.settings, local.shared_settings, local.price, local.database_settings[process], own
    ) },
    {
      migrate = merge(local.database_settings.migrator, {
        # Made by Cloud SQL, and the migrator is a member: tables outlive the account that made them.
        SPOTMILL_DATABASE_OWNER = "cloudsqlsuperuser"
        SPOTMILL_DATABASE_GRANTS = join(",", [
          for process in ["web", "dispatcher", "worker"] : "${process}=${module.database.users[process]}"
        ])
      })
    },
  )

  # Ours would win without a word.
  settings_twice = sort(setintersection(keys(var.settings), flatten([
    [for own in values(local.own_settings) : keys(own)],
    keys(local.shared_settings),
    keys(local.price),
    keys(local.database_settings.web),
    ["SPOTMILL_IAP_AUDIENCE", "SPOTMILL_PREEMPTION_NOTICE_SECONDS", "SPOTMILL_SIGNER_EMAIL", "SPOTMILL_WEB_URL"],
    # Past language_model nothing would be enabled, granted or asked for, and a key would lie open.
    [for part in ["", "_ENDPOINT", "_ENGINE", "_KEY", "_REGION"] : "SPOTMILL_LANGUAGE_MODEL${part}"],
  ])))
}
