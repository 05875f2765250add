# What cannot be granted on anything smaller than the project. Compute knows neither policies of one instance group nor
# conditions on its name; the roles for it are therefore as narrow as they can be.

locals {
  on_the_database = join(" && ", [
    "resource.type == \"sqladmin.googleapis.com/Instance\"",
    "resource.name == \"projects/${var.project}/instances/${var.database_instance}\"",
  ])

  project_grants = merge(local.model_grants, {
    # Invoked by Eventarc, with events that arrived in this project.
    events-receiver = { member = local.members.events, role = "roles/eventarc.eventReceiver" }
    # On Cloud Run the platform writes the logs, on a VM the machine's own account does.
    worker-logs      = { member = local.members.worker, role = "roles/logging.logWriter" }
    web-fleet        = { member = local.members.web, role = local.roles.fleet_manager }
    dispatcher-fleet = { member = local.members.dispatcher, role = local.roles.fleet_manager }
    # Cloud Storage tells Eventarc of objects through a topic that Eventarc makes.
    storage-agent = { member = var.storage_agent, role = "roles/pubsub.publisher" }
  })

  # Google's own models belong to no project; asking one is granted on the project that pays.
  model_grants = var.asks_vertex ? { worker-models = { member = local.members.worker, role = local.roles.model_asker } } : {}
}

resource "google_project_iam_member" "this" {
  for_each = local.project_grants

  project = var.project
  role    = each.value.role
  member  = each.value.member
}

# Reach the instance through the connector, and log in with IAM.
resource "google_project_iam_member" "database" {
  for_each = {
    for pair in setproduct(["web", "dispatcher", "worker", "migrator"], ["client", "instanceUser"]) :
    "${pair[0]}-${pair[1]}" => { process = pair[0], role = "roles/cloudsql.${pair[1]}" }
  }

  project = var.project
  role    = each.value.role
  member  = local.members[each.value.process]

  condition {
    title       = "Instance ${var.database_instance} only"
    description = "No other Cloud SQL instance of the project."
    expression  = local.on_the_database
  }
}

# Signed URLs are signed by IAM in the name of the web service itself.
resource "google_service_account_iam_member" "signer" {
  service_account_id = "projects/${var.project}/serviceAccounts/${local.emails.web}"
  role               = local.roles.url_signer
  member             = local.members.web
}
