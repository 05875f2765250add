output "emails" {
  description = "E-mail of the service account of each process: web, dispatcher, worker, migrator, events, deployer."
  value       = local.emails
  # Whoever is told an address may use what the account was granted: a process that starts too early would be refused.
  depends_on = [google_project_iam_member.database, google_project_iam_member.this]
}

output "members" {
  description = "The same accounts as IAM members."
  value       = local.members
  depends_on  = [google_project_iam_member.database, google_project_iam_member.this]
}

output "names" {
  description = "The same accounts as resources: projects/<project>/serviceAccounts/<e-mail>."
  value       = { for process, email in local.emails : process => "projects/${var.project}/serviceAccounts/${email}" }
}

output "roles" {
  description = "Full names of the custom roles: fleet_manager, model_asker, url_signer, result_sweeper."
  value       = local.roles
}
