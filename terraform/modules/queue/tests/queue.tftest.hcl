mock_provider "google" {}

variables {
  project        = "example-project"
  project_number = "123456789012"
  members = {
    dispatcher = "serviceAccount:dispatcher@example-project.iam.gserviceaccount.com"
    web        = "serviceAccount:web@example-project.iam.gserviceaccount.com"
    worker     = "serviceAccount:worker@example-project.iam.gserviceaccount.com"
  }
}

run "defaults" {
  command = apply

  assert {
    condition = output.topics == {
      budget      = "spotmill-budget"
      dead_letter = "spotmill-jobs-dead"
      ingest      = "spotmill-ingest"
      jobs        = "spotmill-jobs"
      tick        = "spotmill-tick"
    }
    error_message = "The topics have other names than the services look for."
  }

  assert {
    condition     = google_pubsub_subscription.jobs.ack_deadline_seconds == 60 && length(google_pubsub_subscription.jobs.retry_policy) == 0
    error_message = "A message that is not answered is delivered again after 60 s, at once."
  }

  assert {
    condition     = google_pubsub_subscription.jobs.expiration_policy[0].ttl == "" && google_pubsub_subscription.dead_letter.expiration_policy[0].ttl == ""
    error_message = "A subscription that nobody uses for a month would be gone."
  }

  assert {
    condition     = google_pubsub_subscription.jobs.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.this["dead_letter"].id
    error_message = "Messages that nobody can deliver are lost."
  }

  assert {
    condition     = output.republish_after_seconds == 30 * 86400
    error_message = "A job is announced again a day before its message is gone."
  }
}

run "systems_that_ask" {
  command = plan

  variables {
    ingest_publishers = ["serviceAccount:archive@other.iam.gserviceaccount.com", "group:media@example.com"]
  }

  assert {
    condition     = length([for grant in google_pubsub_topic_iam_member.publisher : grant if grant.topic == "spotmill-ingest"]) == 2
    error_message = "Each of them may publish to the ingest topic."
  }
}

run "no_public_publisher" {
  command = plan

  variables {
    ingest_publishers = ["allUsers"]
  }

  expect_failures = [var.ingest_publishers]
}

run "message_gone_before_it_is_sent_again" {
  command = plan

  variables {
    retention_days = 6
  }

  expect_failures = [var.retention_days]
}

run "longer_than_pubsub_keeps" {
  command = plan

  variables {
    retention_days = 32
  }

  expect_failures = [var.retention_days]
}
