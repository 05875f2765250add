locals {
  # Each line is what one process calls on one bucket, and no more. Viewers may list, too: Cloud Storage says "not found"
  # only to those who may, "forbidden" to all others, and a job ends differently by it.
  grants = {
    # Signed URLs act as the web service: it creates what browsers upload, and can neither read nor replace it.
    uploads-web        = { bucket = "uploads", member = var.members.web, role = "roles/storage.objectCreator" }
    uploads-dispatcher = { bucket = "uploads", member = var.members.dispatcher, role = "roles/storage.objectViewer" }
    uploads-worker     = { bucket = "uploads", member = var.members.worker, role = "roles/storage.objectViewer" }

    # Fetches artifacts by name; lists nothing.
    results-web        = { bucket = "results", member = var.members.web, role = "roles/storage.legacyObjectReader" }
    results-dispatcher = { bucket = "results", member = var.members.dispatcher, role = var.roles.result_sweeper }
    results-worker     = { bucket = "results", member = var.members.worker, role = "roles/storage.objectCreator" }
    steps-worker       = { bucket = "results", member = var.members.worker, role = "roles/storage.objectViewer" }
  }

  readers = { for pair in setproduct(var.allowed_buckets, ["dispatcher", "worker"]) : "${pair[0]}/${pair[1]}" => {
    bucket = pair[0]
    member = var.members[pair[1]]
  } }

  # Where the workers may read anyway.
  read_by_workers = setunion(var.allowed_buckets, [for bucket in local.buckets : bucket.name])
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = local.grants

  bucket = google_storage_bucket.this[each.value.bucket].name
  member = each.value.member
  role   = each.value.role
}

resource "google_storage_bucket_iam_member" "allowed" {
  for_each = local.readers

  bucket = each.value.bucket
  member = each.value.member
  role   = "roles/storage.objectViewer"
}

resource "google_storage_bucket_iam_member" "models" {
  for_each = setsubtract(var.model_buckets, local.read_by_workers)

  bucket = each.value
  member = var.members.worker
  role   = "roles/storage.objectViewer"
}
