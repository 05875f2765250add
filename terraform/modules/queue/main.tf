locals {
  topics = {
    budget      = "${var.name}-budget"
    dead_letter = "${var.name}-jobs-dead"
    ingest      = "${var.name}-ingest"
    jobs        = "${var.name}-jobs"
    tick        = "${var.name}-tick"
  }

  retention = "${var.retention_days * 86400}s"
}

resource "google_pubsub_topic" "this" {
  for_each = local.topics

  project = var.project
  name    = each.value
  labels  = var.labels
}

# No retry policy: all delay lives in the jobs' not_before, and what a worker gives back is to be had at once.
resource "google_pubsub_subscription" "jobs" {
  project                      = var.project
  name                         = local.topics.jobs
  topic                        = google_pubsub_topic.this["jobs"].id
  ack_deadline_seconds         = 60
  message_retention_duration   = local.retention
  retain_acked_messages        = false
  enable_exactly_once_delivery = false
  enable_message_ordering      = false
  labels                       = var.labels

  expiration_policy {
    ttl = "" # never: a queue may be idle for months
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["dead_letter"].id
    max_delivery_attempts = 100 # the most that Pub/Sub counts to
  }
}

# The dispatcher takes dead letters in by a trigger. This holds a copy of each, whatever becomes of the dispatcher.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.project
  name                       = local.topics.dead_letter
  topic                      = google_pubsub_topic.this["dead_letter"].id
  ack_deadline_seconds       = 60
  message_retention_duration = local.retention
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }
}
