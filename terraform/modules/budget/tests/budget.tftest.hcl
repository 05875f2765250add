mock_provider "google" {}

variables {
  project         = "mill"
  project_number  = "123"
  billing_account = "012345-6789AB-CDEF01"
  topic           = "spotmill-budget"
  worker_label    = { spotmill-part = "worker" }
}

run "both" {
  command = plan

  assert {
    condition     = google_billing_budget.this["project"].amount[0].specified_amount[0].units == "5"
    error_message = "The project's budget is not 5 by default."
  }

  assert {
    condition     = length(google_billing_budget.this["project"].all_updates_rule) == 0
    error_message = "The project's budget has a rule that tells nobody, which Google forgets."
  }

  assert {
    condition     = google_billing_budget.this["workers"].all_updates_rule[0].pubsub_topic == "projects/mill/topics/spotmill-budget"
    error_message = "The workers' budget does not reach the dispatcher."
  }

  assert {
    condition     = google_billing_budget.this["workers"].budget_filter[0].labels == tomap({ spotmill-part = "worker" })
    error_message = "The workers' budget counts what are no workers."
  }
}

run "channels" {
  command = plan

  variables {
    channels = ["projects/mill/notificationChannels/1"]
  }

  assert {
    condition     = google_billing_budget.this["project"].all_updates_rule[0].pubsub_topic == null
    error_message = "The project's budget would stop the fleet."
  }
}

run "cents" {
  command = plan

  variables {
    project_amount = 7.5
  }

  assert {
    condition = (
      google_billing_budget.this["project"].amount[0].specified_amount[0].units == "7" &&
      google_billing_budget.this["project"].amount[0].specified_amount[0].nanos == 500000000
    )
    error_message = "Half a dollar is lost."
  }
}

run "no_billing_account" {
  command = plan

  variables {
    billing_account = null
  }

  assert {
    condition     = length(google_billing_budget.this) + length(google_pubsub_topic_iam_member.billing) == 0
    error_message = "There is something to make without a billing account."
  }
}

run "two_labels" {
  command = plan

  variables {
    worker_label = { a = "1", b = "2" }
  }

  expect_failures = [var.worker_label]
}
