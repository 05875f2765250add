mock_provider "google" {}

variables {
  project                  = "mill"
  database_instance        = "spotmill"
  database_max_connections = 25
  subscription             = "spotmill-jobs"
}

run "without_anybody_to_tell" {
  command = plan

  assert {
    condition     = length(google_monitoring_notification_channel.email) == 0 && length(google_monitoring_alert_policy.this) == 8
    error_message = "Alerts stand on the page of the project even if nobody gets a mail."
  }

  assert {
    condition     = alltrue([for alert in google_monitoring_alert_policy.this : alert.enabled])
    error_message = "An alert is off."
  }
}

run "with_somebody" {
  command = apply

  variables {
    notification_emails = ["a@example.com", "b@example.com"]
  }

  assert {
    condition     = alltrue([for alert in google_monitoring_alert_policy.this : length(alert.notification_channels) == 2])
    error_message = "Somebody does not get an alert."
  }
}

run "muted" {
  command = plan

  variables {
    muted = true
  }

  assert {
    condition     = !anytrue([for alert in google_monitoring_alert_policy.this : alert.enabled])
    error_message = "While the database is stopped on purpose, an alert is on."
  }
}

run "thresholds" {
  command = plan

  variables {
    database_max_connections = 100
    thresholds               = { connections_share = 0.5, queue_minutes = 30 }
  }

  assert {
    condition     = google_monitoring_alert_policy.this["database-connections"].conditions[0].condition_threshold[0].threshold_value == 50
    error_message = "The share is not one of the tier's connections."
  }

  assert {
    condition     = strcontains(google_logging_metric.counter["ticks_stuck_queue"].filter, "jsonPayload.oldest_seconds>1800")
    error_message = "The age is not in seconds."
  }
}

run "no_address" {
  command = plan

  variables {
    notification_emails = ["the team"]
  }

  expect_failures = [var.notification_emails]
}
