output "emails" {
  description = "E-mail of the service account of each process: web, dispatcher, worker, migrator, events, deployer."
  value       = local.emails
}

output "members" {
  description = "The same accounts as IAM members."
  value       = local.members
}

output "roles" {
  description = "Full names of the custom roles: fleet_resizer, fleet_manager, url_signer, result_sweeper."
  value       = local.roles
}
