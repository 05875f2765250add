mock_provider "google" {}

variables {
  project    = "example-project"
  region     = "us-central1"
  web_origin = "https://spotmill-web-123456789012.us-central1.run.app"
  members = {
    dispatcher = "serviceAccount:dispatcher@example-project.iam.gserviceaccount.com"
    web        = "serviceAccount:web@example-project.iam.gserviceaccount.com"
    worker     = "serviceAccount:worker@example-project.iam.gserviceaccount.com"
  }
  roles = {
    result_sweeper = "projects/example-project/roles/spotmill.resultSweeper"
  }
}

run "defaults" {
  command = apply

  assert {
    condition     = output.upload_bucket == "example-project-spotmill-uploads" && output.result_bucket == "example-project-spotmill-results"
    error_message = "The names come from the project's."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "No object is ever public."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.cors[0].origin == tolist([var.web_origin])])
    error_message = "Only our own pages use a bucket from a browser."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : !bucket.force_destroy && !bucket.versioning[0].enabled])
    error_message = "Nothing deletes a bucket with files in it, and versioning is off."
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.allowed) == 0
    error_message = "Nobody has rights in other buckets."
  }
}

run "options" {
  command = plan

  variables {
    upload_bucket    = "in"
    result_bucket    = "out"
    versioning       = true
    soft_delete_days = 0
    force_destroy    = true
    allowed_buckets  = ["archive"]
    model_buckets    = ["archive", "out", "weights"]
  }

  assert {
    condition     = [for bucket in google_storage_bucket.this : bucket.name] == ["out", "in"]
    error_message = "The names are those that were given."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.versioning[0].enabled && bucket.force_destroy && bucket.soft_delete_policy[0].retention_duration_seconds == 0])
    error_message = "An option has no effect."
  }

  assert {
    condition = toset([for grant in google_storage_bucket_iam_member.allowed : "${grant.bucket} ${grant.role} ${grant.member}"]) == toset([
      "archive roles/storage.objectViewer ${var.members.dispatcher}",
      "archive roles/storage.objectViewer ${var.members.worker}",
    ])
    error_message = "Dispatcher and worker read an allowed bucket, and do nothing else in it."
  }

  assert {
    condition = [for grant in google_storage_bucket_iam_member.models : "${grant.bucket} ${grant.role} ${grant.member}"] == [
      "weights roles/storage.objectViewer ${var.members.worker}",
    ]
    error_message = "Workers read a bucket of models, and are not granted twice what they may anyway."
  }
}

run "origin_with_a_path" {
  command = plan

  variables {
    web_origin = "https://media.example.com/"
  }

  expect_failures = [var.web_origin]
}

run "any_origin" {
  command = plan

  variables {
    web_origin = "*"
  }

  expect_failures = [var.web_origin]
}

run "steps_deleted_before_a_retry" {
  command = plan

  variables {
    steps_days = 14
  }

  expect_failures = [var.steps_days]
}

run "soft_delete_that_the_api_refuses" {
  command = plan

  variables {
    soft_delete_days = 3
  }

  expect_failures = [var.soft_delete_days]
}
