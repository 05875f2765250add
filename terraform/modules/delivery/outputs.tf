output "deployer_roles" {
  description = "Roles of the deployer on the project, each with what it is for."
  value       = local.deployer_roles
}

output "repository" {
  description = "Address of the repository, before an image's name."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "triggers" {
  description = "Names of the triggers by environment."
  value       = { for name, trigger in google_cloudbuild_trigger.deploy : name => trigger.name }
}
