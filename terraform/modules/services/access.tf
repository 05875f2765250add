# Who reaches the services: people through IAP, events as their own account. Nobody unknown.

resource "google_iap_web_cloud_run_service_iam_member" "person" {
  for_each = var.people

  project                = var.project
  location               = var.region
  cloud_run_service_name = google_cloud_run_v2_service.this["web"].name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.value
}

# Whom IAP lets in, it brings to the service as its own agent.
resource "google_cloud_run_v2_service_iam_member" "iap" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.this["web"].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:service-${var.project_number}@gcp-sa-iap.iam.gserviceaccount.com"
}

resource "google_cloud_run_v2_service_iam_member" "events" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.this["dispatcher"].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${var.emails.events}"
}
