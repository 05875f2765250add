output "database_instance" {
  description = "Cloud SQL instance, as the connector is given it: project:region:name."
  value       = module.database.connection_name
}

output "instance_group" {
  description = "Name of the workers' instance group."
  value       = module.workers.instance_group
}

output "jobs" {
  description = "Cloud Run jobs of a deployment: migrate, then pipelines, then models."
  value       = module.services.jobs
}

output "repository" {
  description = "Where images are pushed, before their name."
  value       = module.delivery.repository
}

output "result_bucket" {
  description = "Bucket for results."
  value       = module.storage.result_bucket
}

output "services" {
  description = "Cloud Run services: web, dispatcher."
  value       = module.services.services
}

output "settings" {
  description = "Settings of each program as this configuration makes them."
  value       = local.settings

  precondition {
    condition     = length(local.settings_twice) == 0
    error_message = "This configuration sets ${join(", ", local.settings_twice)} itself: use its own variables, not `settings`."
  }
}

output "transport_subscriptions" {
  description = "Subscriptions that Eventarc made for the triggers."
  value       = module.events.transport_subscriptions
}

output "upload_bucket" {
  description = "Bucket for uploads."
  value       = module.storage.upload_bucket
}

output "web_url" {
  description = "Where the pages are."
  value       = module.services.web_url
}
