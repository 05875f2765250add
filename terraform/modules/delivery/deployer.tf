# What the deployer may do: build, push, and `terraform apply` of the root module. No Editor, no Owner; each role is here for
# the resources that the module has. Custom roles it can only read: who may change a role and grant it could become owner.
locals {
  deployer = "serviceAccount:${var.deployer_email}"

  # role => why
  deployer_roles = {
    "roles/artifactregistry.admin"               = "the repository, its cleanup and its readers; pushes images"
    "roles/cloudbuild.builds.editor"             = "the triggers"
    "roles/cloudbuild.connectionAdmin"           = "the connection to GitHub"
    "roles/cloudscheduler.admin"                 = "tick and reconcile"
    "roles/cloudsql.admin"                       = "instance, database and users"
    "roles/compute.instanceAdmin.v1"             = "instance template and group"
    "roles/compute.networkAdmin"                 = "network, subnetwork, address range, NAT"
    "roles/compute.securityAdmin"                = "firewall rules"
    "roles/eventarc.admin"                       = "triggers"
    "roles/iam.roleViewer"                       = "reads the custom roles; a person changes them"
    "roles/iam.serviceAccountCreator"            = "the processes' accounts"
    "roles/iap.admin"                            = "who may open the web service"
    "roles/logging.configWriter"                 = "log-based metrics"
    "roles/logging.logWriter"                    = "the build's own log"
    "roles/logging.viewer"                       = "the smoke test reads what the dispatcher logged"
    "roles/monitoring.alertPolicyEditor"         = "alerts"
    "roles/monitoring.dashboardEditor"           = "the dashboard"
    "roles/monitoring.notificationChannelEditor" = "who gets mails"
    "roles/pubsub.admin"                         = "topics, subscriptions and who may publish"
    "roles/run.admin"                            = "services and jobs, and who may call them; runs the migration"
    "roles/serviceusage.serviceUsageAdmin"       = "enables APIs"
    "roles/storage.admin"                        = "buckets, and Terraform's state"
  }

  # The grants on the project that the root module makes, and nothing more: a build that was taken over could otherwise
  # make itself owner. https://cloud.google.com/iam/docs/setting-limits-on-granting-roles
  grantable = concat(var.custom_roles, [
    "roles/cloudsql.client",
    "roles/cloudsql.instanceUser",
    "roles/eventarc.eventReceiver",
    "roles/logging.logWriter",
    "roles/pubsub.publisher",
  ])
}

resource "google_project_iam_member" "deployer" {
  for_each = local.deployer_roles

  project = var.project
  role    = each.key
  member  = local.deployer
}

resource "google_project_iam_member" "deployer_grants" {
  project = var.project
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = local.deployer

  condition {
    title       = "only-what-spotmill-grants"
    description = "Roles that the processes need on the project"
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in local.grantable : "'${role}'"])}])"
  }
}

# Says who may read a secret. The predefined role for that could read all of them as well.
resource "google_project_iam_custom_role" "secret_granter" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_secret_granter"
  title       = "${var.name}: grants secrets to processes"
  permissions = ["secretmanager.secrets.get", "secretmanager.secrets.getIamPolicy", "secretmanager.secrets.setIamPolicy"]
}

resource "google_project_iam_member" "secret_granter" {
  project = var.project
  role    = "projects/${var.project}/roles/${google_project_iam_custom_role.secret_granter.role_id}"
  member  = local.deployer
}

# It may give these accounts to what it deploys, and say who signs as them. Over the whole project, the one would be a way
# to any account there is.
resource "google_service_account_iam_member" "deployer" {
  for_each = {
    for pair in setproduct(keys(var.service_accounts), ["serviceAccountAdmin", "serviceAccountUser"]) :
    "${pair[0]}-${pair[1]}" => { account = var.service_accounts[pair[0]], role = "roles/iam.${pair[1]}" }
  }

  service_account_id = each.value.account
  role               = each.value.role
  member             = local.deployer
}
