output "schedules" {
  description = "Names of the Cloud Scheduler jobs: tick, reconcile."
  value       = { for key, job in google_cloud_scheduler_job.this : key => job.name }
}

output "transport_subscriptions" {
  description = "The Pub/Sub subscription that Eventarc made for each trigger, by its name in triggers.yaml; its ack deadline is 10 s until `make deploy` raises it."
  value       = { for key, trigger in google_eventarc_trigger.this : key => try(trigger.transport[0].pubsub[0].subscription, null) }
}

output "triggers" {
  description = "Names of the triggers by their names in triggers.yaml."
  value       = { for key, trigger in google_eventarc_trigger.this : key => trigger.name }
}
