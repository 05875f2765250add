locals {
  # One definition, which the local cloud reads, too.
  definitions = yamldecode(templatefile("${path.module}/../../../eventarc/triggers.yaml", {
    budget_topic      = var.topics.budget
    dead_letter_topic = var.topics.dead_letter
    ingest_topic      = var.topics.ingest
    tick_topic        = var.topics.tick
    upload_bucket     = var.upload_bucket
  }))

  triggers = { for trigger in local.definitions : trigger.name => {
    event_type = trigger.event_type
    filters    = lookup(trigger, "filters", {})
    path       = trigger.path
    topics     = [for topic in [lookup(trigger, "topic", null)] : "projects/${var.project}/topics/${topic}" if topic != null]
  } }

  # An event for a database that is stopped would be delivered again for a day, and each time be paid for. What happens to
  # the bucket meanwhile, the reconcile finds afterwards; nothing would find what other systems ask for.
  heard = { for name, trigger in local.triggers : name => trigger if !var.paused || name == "ingest" }

  schedules = {
    # A tick that could not be published is no loss: a minute later the next one says the same.
    tick = {
      description = "A minute has passed."
      schedule    = "* * * * *"
      retries     = []
    }
    reconcile = {
      description = "List the buckets for what no event told of."
      schedule    = var.reconcile_schedule
      retries     = [5]
    }
  }
}

resource "google_eventarc_trigger" "this" {
  for_each = local.heard

  project         = var.project
  name            = "${var.name}-${each.key}"
  location        = var.region
  service_account = var.events_email
  labels          = var.labels

  matching_criteria {
    attribute = "type"
    value     = each.value.event_type
  }

  dynamic "matching_criteria" {
    for_each = each.value.filters

    content {
      attribute = matching_criteria.key
      value     = matching_criteria.value
    }
  }

  # A trigger of a topic listens to that topic; for Cloud Storage, Eventarc makes one.
  dynamic "transport" {
    for_each = each.value.topics

    content {
      pubsub {
        topic = transport.value
      }
    }
  }

  destination {
    cloud_run_service {
      service = var.service
      region  = var.region
      path    = each.value.path
    }
  }
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.schedules

  project     = var.project
  region      = var.region
  name        = "${var.name}-${each.key}"
  description = each.value.description
  schedule    = each.value.schedule
  time_zone   = "Etc/UTC"
  paused      = var.paused

  pubsub_target {
    topic_name = "projects/${var.project}/topics/${var.topics.tick}"
    data       = base64encode(jsonencode({ task = each.key }))
  }

  dynamic "retry_config" {
    for_each = each.value.retries

    content {
      retry_count          = retry_config.value
      min_backoff_duration = "10s"
      max_backoff_duration = "600s"
      max_retry_duration   = "3600s"
      max_doublings        = 5
    }
  }
}
