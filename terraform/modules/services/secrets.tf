# Secrets are made and filled by hand, so that no value is ever in a state or a plan; here they are only handed out.

locals {
  secrets = {
    for process in ["web", "dispatcher", "worker"] : process => {
      for variable, secret in var.secrets : variable => secret if contains(secret.processes, process)
    }
  }

  readers = merge([
    for process, secrets in local.secrets : {
      for variable, secret in secrets : "${process} ${secret.secret}" => { process = process, secret = secret.secret }...
    }
  ]...)
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  project   = var.project
  secret_id = each.value[0].secret
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${var.emails[each.value[0].process]}"
}
