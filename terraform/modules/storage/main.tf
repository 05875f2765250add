locals {
  # Names of buckets have no colon, which a project of a domain has, and those with a dot belong to the dot's domain.
  prefix = "${replace(var.project, "/[.:]/", "-")}-${var.name}"

  buckets = {
    uploads = {
      name         = coalesce(var.upload_bucket, "${local.prefix}-uploads")
      methods      = ["DELETE", "GET", "HEAD", "POST", "PUT"]
      delete_after = {}
    }
    # The dispatcher deletes steps when their job is over; this is for those that its database has forgotten.
    results = {
      name         = coalesce(var.result_bucket, "${local.prefix}-results")
      methods      = ["GET", "HEAD"]
      delete_after = { "steps/" = var.steps_days }
    }
  }

  # Cloud Storage has one list for what a page may send and what it may read of an answer.
  cors_headers = concat(
    # What a page sends with an upload, most of it part of the signature.
    [
      "Content-Length",
      "Content-Range",
      "Content-Type",
      "x-goog-content-length-range",
      "x-goog-if-generation-match",
      "x-goog-meta-owner",
      "x-goog-meta-pipeline",
      "x-goog-meta-settings",
      "x-goog-resumable",
    ],
    # What it must be able to read of the answers to a resumable upload.
    [
      "ETag",
      "Location",
      "Range",
      "x-goog-generation",
      "x-goog-hash",
      "x-goog-metageneration",
      "x-goog-stored-content-length",
      "x-guploader-uploadid",
    ],
  )
}

resource "google_storage_bucket" "this" {
  for_each = local.buckets

  project                     = var.project
  name                        = each.value.name
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy
  labels                      = var.labels

  cors {
    origin          = [var.web_origin]
    method          = each.value.methods
    response_header = local.cors_headers
    max_age_seconds = 3600
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  versioning {
    enabled = var.versioning
  }

  # Resumable sessions end by themselves after a week; the parts of a multipart upload would stay, and cost, for ever.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  # Also while versioning is off: it may have been on.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.delete_after

    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = [lifecycle_rule.key]
      }
    }
  }
}
