mock_provider "google" {}

variables {
  project       = "example-project"
  region        = "us-central1"
  service       = "spotmill-dispatcher"
  events_email  = "spotmill-events@example-project.iam.gserviceaccount.com"
  upload_bucket = "example-uploads"
  topics = {
    budget      = "spotmill-budget"
    dead_letter = "spotmill-jobs-dead"
    ingest      = "spotmill-ingest"
    tick        = "spotmill-tick"
  }
}

run "defaults" {
  command = apply

  assert {
    condition     = alltrue([for trigger in google_eventarc_trigger.this : trigger.service_account == var.events_email])
    error_message = "Only one account calls the dispatcher."
  }

  assert {
    condition     = alltrue([for trigger in google_eventarc_trigger.this : trigger.destination[0].cloud_run_service[0].service == var.service])
    error_message = "All events go to the dispatcher."
  }

  assert {
    condition     = google_eventarc_trigger.this["tick"].transport[0].pubsub[0].topic == "projects/example-project/topics/spotmill-tick"
    error_message = "A trigger of a topic listens to our own topic."
  }

  assert {
    condition     = length(google_eventarc_trigger.this["upload-finalized"].transport) == 0
    error_message = "A trigger of a bucket has a topic that Eventarc makes."
  }

  assert {
    condition     = keys(output.transport_subscriptions) == keys(google_eventarc_trigger.this)
    error_message = "Every trigger's subscription needs a longer deadline."
  }

  assert {
    condition     = output.transport_subscriptions["tick"] != null
    error_message = "The subscription is not where the provider tells it."
  }

  assert {
    condition     = { for key, job in google_cloud_scheduler_job.this : key => base64decode(job.pubsub_target[0].data) } == { reconcile = "{\"task\":\"reconcile\"}", tick = "{\"task\":\"tick\"}" }
    error_message = "The dispatcher would not understand the schedules' messages."
  }

  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.this : !job.paused && job.attempt_deadline == null])
    error_message = "A schedule is paused, or has the deadline that Cloud Scheduler ignores and Terraform would set for ever."
  }
}

run "paused" {
  command = plan

  variables {
    paused = true
  }

  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.this : job.paused])
    error_message = "Nothing ticks while the database is stopped."
  }

  assert {
    condition     = keys(google_eventarc_trigger.this) == ["ingest"]
    error_message = "Only what nothing would find afterwards is heard while the database is stopped."
  }
}
