locals {
  # Moves what was delivered too often, and does so as itself.
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  publishers = merge(
    {
      jobs-dispatcher   = { topic = "jobs", member = var.members.dispatcher }
      jobs-web          = { topic = "jobs", member = var.members.web }
      dead-letter-agent = { topic = "dead_letter", member = local.pubsub_agent }
    },
    { for member in var.ingest_publishers : "ingest/${member}" => { topic = "ingest", member = member } },
  )

  subscribers = {
    agent  = local.pubsub_agent
    worker = var.members.worker
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers

  project = var.project
  topic   = google_pubsub_topic.this[each.value.topic].name
  member  = each.value.member
  role    = "roles/pubsub.publisher"
}

resource "google_pubsub_subscription_iam_member" "subscriber" {
  for_each = local.subscribers

  project      = var.project
  subscription = google_pubsub_subscription.jobs.name
  member       = each.value
  role         = "roles/pubsub.subscriber"
}
