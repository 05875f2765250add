# Narrower than any predefined role with these permissions.

locals {
  custom_roles = {
    # Raising the size and deleting a VM of the group are both updates of the group, which acts on VMs by itself.
    # https://cloud.google.com/compute/docs/reference/rest/v1/regionInstanceGroupManagers/deleteInstances
    fleet_manager = {
      title       = "Fleet manager"
      description = "See the workers' instance group, raise its size and have it delete workers that are done."
      permissions = ["compute.instanceGroupManagers.get", "compute.instanceGroupManagers.update"]
    }
    # Nobody has it unless language_model says so. It is here all the same, as a build could not make it later.
    # https://cloud.google.com/vertex-ai/docs/general/access-control
    model_asker = {
      title       = "Model asker"
      description = "Ask models of Vertex AI (roles/aiplatform.user also makes, changes and deletes everything of its)."
      permissions = ["aiplatform.endpoints.predict"]
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
