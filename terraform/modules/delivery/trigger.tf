locals {
  # Not every region takes new projects: https://cloud.google.com/build/docs/locations#restricted_regions_for_some_projects
  build_regions = ["asia-east1", "australia-southeast1", "europe-west1", "southamerica-east1", "us-central1", "us-west2"]
  build_region  = contains(local.build_regions, var.region) ? var.region : "us-central1"
}

# Cloud Build listens to GitHub through a connection of its second generation.
resource "google_secret_manager_secret_iam_member" "token" {
  count = var.github == null ? 0 : 1

  project   = split("/", var.github.token_version)[1]
  secret_id = split("/", var.github.token_version)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:service-${var.project_number}@gcp-sa-cloudbuild.iam.gserviceaccount.com"
}

resource "google_cloudbuildv2_connection" "github" {
  count = var.github == null ? 0 : 1

  project  = var.project
  location = local.build_region
  name     = "${var.name}-github"

  github_config {
    app_installation_id = var.github.installation_id

    authorizer_credential {
      oauth_token_secret_version = var.github.token_version
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.token]
}

resource "google_cloudbuildv2_repository" "source" {
  count = var.github == null ? 0 : 1

  project           = var.project
  location          = local.build_region
  name              = var.github.repository
  parent_connection = google_cloudbuildv2_connection.github[0].name
  remote_uri        = "https://github.com/${var.github.owner}/${var.github.repository}.git"
}

resource "google_cloudbuild_trigger" "deploy" {
  for_each = var.github == null ? {} : var.environments

  project         = var.project
  location        = local.build_region
  name            = "${var.name}-${each.key}"
  description     = "Deploys to ${each.key}"
  service_account = "projects/${var.project}/serviceAccounts/${var.deployer_email}"
  filename        = "cloudbuild.yaml"

  # Names: cloudbuild.yaml, which has a default for each. What an environment gives goes before what is known here; the state
  # bucket is this project's own.
  substitutions = merge(
    {
      _ENVIRONMENT = each.key
      _PROJECT     = var.project
      _REGION      = var.region
      _NAME        = var.name
    },
    var.state_bucket == "" || contains(keys(each.value.substitutions), "_PROJECT") ? {} : {
      _STATE_BUCKET = var.state_bucket
    },
    each.value.substitutions,
  )

  repository_event_config {
    repository = google_cloudbuildv2_repository.source[0].id

    push {
      branch = each.value.branch
      tag    = each.value.tag
    }
  }

  approval_config {
    approval_required = each.value.approval
  }
}
