# What a deployment runs: the schema and its roles before the services change, then the list of pipelines and the copies of
# models.

locals {
  jobs = {
    migrate = {
      account  = var.emails.migrator
      image    = var.images.dispatcher
      command  = ["spotmill"]
      args     = ["migrate"]
      settings = var.settings.migrate
      secrets  = {}
      limits   = { cpu = "1", memory = "1Gi" }
    }
    models = {
      account  = var.emails.worker
      image    = var.images.worker
      command  = null
      args     = ["models", "sync"]
      settings = var.settings.models
      secrets  = local.secrets.worker
      limits   = { cpu = local.cpus[var.model_memory], memory = var.model_memory }
    }
    pipelines = {
      account = var.emails.worker
      image   = var.images.worker
      command = null # the image's own, which takes these words
      args    = ["pipelines", "sync"]
      # A new instance may take a minute to have its way into the VPC.
      settings = merge({ SPOTMILL_DATABASE_TIMEOUT_SECONDS = "120" }, var.settings.pipelines)
      secrets  = local.secrets.worker
      limits   = { cpu = "1", memory = "1Gi" }
    }
  }

  # The fewest that Cloud Run gives so much memory to: https://cloud.google.com/run/docs/configuring/jobs/memory-limits
  cpus = { "2Gi" = "1", "4Gi" = "1", "8Gi" = "2", "16Gi" = "4", "32Gi" = "8" }
}

resource "google_cloud_run_v2_job" "this" {
  for_each = local.jobs

  project             = var.project
  location            = var.region
  name                = "${var.name}-${each.key}"
  labels              = var.labels
  deletion_protection = false

  template {
    labels     = var.labels
    task_count = 1

    template {
      service_account       = each.value.account
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      max_retries           = 3 # each is safe to run twice
      timeout               = "3600s"

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = var.network
          subnetwork = var.subnetwork
        }
      }

      containers {
        image   = each.value.image
        command = each.value.command
        args    = each.value.args

        resources {
          limits = each.value.limits
        }

        dynamic "env" {
          for_each = each.value.settings

          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = each.value.secrets

          content {
            name = env.key

            value_source {
              secret_key_ref {
                secret  = env.value.secret
                version = env.value.version
              }
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
