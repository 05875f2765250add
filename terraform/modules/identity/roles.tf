# Narrower than any predefined role with these permissions.

locals {
  custom_roles = {
    fleet_resizer = {
      title       = "Fleet resizer"
      description = "See the workers' instance group and raise its size."
      permissions = ["compute.instanceGroupManagers.get", "compute.instanceGroupManagers.update"]
    }
    fleet_manager = {
      title       = "Fleet manager"
      description = "See the workers' instance group, raise its size and delete workers that are done."
      permissions = [
        "compute.instanceGroupManagers.get",
        "compute.instanceGroupManagers.update",
        "compute.instances.delete",
      ]
    }
    url_signer = {
      title       = "URL signer"
      description = "Sign as a service account, without tokens of it (roles/iam.serviceAccountTokenCreator gives both)."
      permissions = ["iam.serviceAccounts.signBlob"]
    }
    result_sweeper = {
      title       = "Result sweeper"
      description = "List and delete objects without reading them."
      permissions = ["storage.objects.delete", "storage.objects.list"]
    }
  }
}

resource "google_project_iam_custom_role" "this" {
  for_each = local.custom_roles

  project     = var.project
  role_id     = "${local.role_prefix}_${each.key}"
  title       = "${var.name}: ${each.value.title}"
  description = each.value.description
  permissions = each.value.permissions
}
