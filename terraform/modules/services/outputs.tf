output "iap_audience" {
  description = "Audience of the assertions that IAP sends along."
  value       = local.iap_audience
}

output "jobs" {
  description = "Names of the Cloud Run jobs: migrate, pipelines, models."
  value       = { for job, resource in google_cloud_run_v2_job.this : job => resource.name }
}

output "services" {
  description = "Names of the Cloud Run services: web, dispatcher."
  value       = { for process, service in google_cloud_run_v2_service.this : process => service.name }
}

output "web_url" {
  description = "Origin under which browsers reach the web service; known before it is made."
  value       = local.web_url
}

output "worker_secrets" {
  description = "Secrets of the workers: environment variable to full name of the version."
  value = {
    for variable, secret in local.secrets.worker :
    variable => "projects/${var.project}/secrets/${secret.secret}/versions/${secret.version}"
  }
}
