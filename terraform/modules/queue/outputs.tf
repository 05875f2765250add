output "dead_letter_subscription" {
  description = "Name of the subscription that holds a copy of every dead letter."
  value       = google_pubsub_subscription.dead_letter.name
}

output "republish_after_seconds" {
  description = "A day less than a message lives: the value for SPOTMILL_REPUBLISH_AFTER_SECONDS."
  value       = (var.retention_days - 1) * 86400
}

output "subscription" {
  description = "Name of the workers' subscription."
  value       = google_pubsub_subscription.jobs.name
}

output "topics" {
  description = "Names of the topics: budget, dead_letter, ingest, jobs, tick."
  value       = { for key, topic in google_pubsub_topic.this : key => topic.name }
}
