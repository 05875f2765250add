# One account for each process. Grants on buckets, topics and services stand in the modules of those; here are the ones that
# Google can only give on the whole project.

locals {
  processes = {
    web        = "Web service: signs URLs, starts workers"
    dispatcher = "Dispatcher: turns events into jobs, sizes the fleet"
    worker     = "Workers: run pipelines on spot VMs"
    migrator   = "Migration job: owns the database schema"
    events     = "Eventarc triggers: call the dispatcher"
    deployer   = "Cloud Build: deploys new versions"
  }

  # The address is put together here, as the provider tells it only after an apply, and a plan should show who may do what.
  # A project of a domain ("example.com:mill") stands in it as "mill.example.com".
  host   = "${join(".", reverse(split(":", var.project)))}.iam.gserviceaccount.com"
  emails = { for process, account in google_service_account.this : process => "${account.account_id}@${local.host}" }
  members = {
    for process, email in local.emails : process => "serviceAccount:${email}"
  }

  role_prefix = replace(var.name, "-", "_")
  roles = {
    for role, custom in google_project_iam_custom_role.this : role => "projects/${var.project}/roles/${custom.role_id}"
  }
}

resource "google_service_account" "this" {
  for_each = local.processes

  project      = var.project
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name} ${each.key}"
  description  = each.value
}
