locals {
  hosts = {
    # Made of what is known beforehand, so that buckets can name it before the service is there.
    for process in ["web", "dispatcher"] : process => "${var.name}-${process}-${var.project_number}.${var.region}.run.app"
  }
  web_url      = coalesce(var.web_url, "https://${local.hosts.web}")
  iap_audience = "/projects/${var.project_number}/locations/${var.region}/services/${var.name}-web"

  services = {
    web = {
      ingress     = "INGRESS_TRAFFIC_ALL"
      iap         = true
      concurrency = 16 # its threads (services/web/gunicorn.conf.py)
      timeout     = "120s"
      settings = merge(var.settings.web, {
        SPOTMILL_WEB_URL      = local.web_url
        SPOTMILL_IAP_AUDIENCE = local.iap_audience
        SPOTMILL_SIGNER_EMAIL = var.emails.web
      })
    }
    # Eventarc comes from inside; nobody else comes at all.
    dispatcher = {
      ingress     = "INGRESS_TRAFFIC_INTERNAL_ONLY"
      iap         = false
      concurrency = 8 # its threads (images/)
      # A reconcile lists whole buckets. This is the longest that Cloud Run lets a request take.
      timeout  = "3600s"
      settings = var.settings.dispatcher
    }
  }
}

resource "google_cloud_run_v2_service" "this" {
  for_each = local.services

  project             = var.project
  location            = var.region
  name                = "${var.name}-${each.key}"
  ingress             = each.value.ingress
  iap_enabled         = each.value.iap
  labels              = var.labels
  deletion_protection = false # it keeps nothing: what counts is in the database and the buckets

  # Of all revisions together: one that is being replaced may not double the connections to the database.
  scaling {
    min_instance_count = 0
    max_instance_count = var.max_instances[each.key]
  }

  template {
    service_account                  = var.emails[each.key]
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    max_instance_request_concurrency = each.value.concurrency
    timeout                          = each.value.timeout
    labels                           = var.labels

    scaling {
      min_instance_count = 0
      max_instance_count = var.max_instances[each.key]
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        network    = var.network
        subnetwork = var.subnetwork
      }
    }

    containers {
      image = var.images[each.key]

      ports {
        container_port = 8080
      }

      resources {
        cpu_idle          = true # paid for while a request is at hand, and not a second longer
        startup_cpu_boost = true
        limits            = { cpu = "1", memory = var.memory[each.key] }
      }

      dynamic "env" {
        for_each = each.value.settings

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets[each.key]

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

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30

        http_get {
          path = "/health"
          port = 8080
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/health"
          port = 8080
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
