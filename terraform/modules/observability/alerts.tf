# Every alert is something that a person can do something about, and says what: its key is the heading in
# docs/operations.md that tells how.
locals {
  services     = "one_of(\"${var.name}-web\", \"${var.name}-dispatcher\")"
  database     = "${var.project}:${var.database_instance}"
  ticks_filter = "resource.type=\"cloud_run_revision\""

  # What most conditions have in common: a sum over one period, told at once.
  usual = {
    aligner      = "ALIGN_DELTA"
    comparison   = "COMPARISON_GT"
    denominator  = null
    duration     = "0s"
    group_by     = []
    missing_data = null
  }

  alerts = {
    # A queue may wait for weeks until somebody presses Run: only while a run is open is waiting a fault.
    queue-stuck = {
      title    = "A run is open, jobs are waiting, and no worker is alive"
      severity = "ERROR"
      runbook  = "The page says what Compute Engine refused: capacity, quota, or a VM that does not come up."
      combiner = "OR"
      conditions = [merge(local.usual, {
        title     = "Due for more than ${var.thresholds.queue_minutes} min with no worker, for 10 min"
        filter    = "metric.type=\"${local.metric.ticks_stuck_queue}\" ${local.ticks_filter}"
        period    = "600s"
        threshold = 7
      })]
    }

    # The other way round: what costs money without anybody having asked for it.
    stray-fleet = {
      title    = "VMs run though no run is open"
      severity = "ERROR"
      runbook  = "Nothing works on these VMs, and they cost money. See why the dispatcher does not delete them, or delete them yourself."
      combiner = "OR"
      conditions = [merge(local.usual, {
        title     = "VMs without a run for ${var.thresholds.stray_fleet_minutes} min"
        filter    = "metric.type=\"${local.metric.ticks_stray_fleet}\" ${local.ticks_filter}"
        period    = "${var.thresholds.stray_fleet_minutes * 60}s"
        threshold = floor(var.thresholds.stray_fleet_minutes * 0.8)
      })]
    }

    # Logged zeros stop with the logs, so missing data counts as none.
    tick-missing = {
      title    = "The mill's clock has stopped"
      severity = "CRITICAL"
      runbook  = "Nothing is published, deleted or stopped by the budget any more: Cloud Scheduler, its topic, the trigger or the dispatcher is at fault."
      combiner = "OR"
      conditions = [merge(local.usual, {
        title        = "No tick for ${var.thresholds.tick_missing_minutes} min"
        filter       = "metric.type=\"${local.metric.ticks}\" ${local.ticks_filter}"
        comparison   = "COMPARISON_LT"
        period       = "${var.thresholds.tick_missing_minutes * 60}s"
        duration     = "60s"
        threshold    = 1
        missing_data = "EVALUATION_MISSING_DATA_ACTIVE"
      })]
    }

    dead-letters = {
      title    = "Messages cannot be delivered to the workers"
      severity = "ERROR"
      runbook  = "A job's message was delivered 100 times in vain. The admin page lists it; the job itself is safe in the database."
      combiner = "OR"
      conditions = [
        merge(local.usual, {
          title     = "The dispatcher kept one"
          filter    = "metric.type=\"${local.metric.dead_letters}\" ${local.ticks_filter}"
          period    = "300s"
          threshold = 0
        }),
        merge(local.usual, {
          title     = "Pub/Sub put one aside"
          filter    = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=\"${var.subscription}\""
          period    = "300s"
          threshold = 0
        }),
      ]
    }

    # Both at once: one corrupt file out of two is no news.
    failure-rate = {
      title    = "Many jobs fail"
      severity = "WARNING"
      runbook  = "Look at the errors of the failed jobs: one pipeline, one kind of file, or a release?"
      combiner = "AND"
      conditions = [
        merge(local.usual, {
          title       = "More than ${var.thresholds.failures_share * 100} % of the jobs of an hour"
          filter      = "metric.type=\"${local.metric.jobs}\" resource.type=\"gce_instance\" metric.label.outcome=\"failed\""
          denominator = "metric.type=\"${local.metric.jobs}\" resource.type=\"gce_instance\""
          period      = "3600s"
          threshold   = var.thresholds.failures_share
        }),
        merge(local.usual, {
          title     = "More than ${var.thresholds.failures} in an hour"
          filter    = "metric.type=\"${local.metric.jobs}\" resource.type=\"gce_instance\" metric.label.outcome=\"failed\""
          period    = "3600s"
          threshold = var.thresholds.failures
        }),
      ]
    }

    database-connections = {
      title    = "The database runs out of connections"
      severity = "WARNING"
      runbook  = "The tier allows ${var.database_max_connections}. Fewer workers, smaller pools, or a larger tier."
      combiner = "OR"
      conditions = [merge(local.usual, {
        title     = "More than ${var.thresholds.connections_share * 100} % of ${var.database_max_connections} for 5 min"
        filter    = "metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\" resource.type=\"cloudsql_database\" resource.label.database_id=\"${local.database}\""
        aligner   = "ALIGN_MEAN"
        period    = "60s"
        duration  = "300s"
        threshold = floor(var.database_max_connections * var.thresholds.connections_share)
      })]
    }

    # An event that the dispatcher refuses comes again, so a few in a restart of the database are no news.
    server-errors = {
      title    = "A service answers with errors"
      severity = "ERROR"
      runbook  = "The service's log says why; the database away is the usual reason."
      combiner = "OR"
      conditions = [merge(local.usual, {
        title     = "More than ${var.thresholds.server_errors} answers of 5xx in 5 min, for 5 min"
        filter    = "metric.type=\"run.googleapis.com/request_count\" resource.type=\"cloud_run_revision\" resource.label.service_name=${local.services} metric.label.response_code_class=\"5xx\""
        period    = "300s"
        duration  = "300s"
        threshold = var.thresholds.server_errors
        group_by  = ["resource.label.service_name"]
      })]
    }

    worker-crash-loop = {
      title    = "A worker ends again and again"
      severity = "ERROR"
      runbook  = "The VM's log says how its service ends: settings, a secret or the image that cannot be read, or a bug. The VM costs money meanwhile."
      combiner = "OR"
      conditions = [merge(local.usual, {
        title     = "More than ${var.thresholds.crashes} times in 15 min on one VM"
        filter    = "metric.type=\"${local.metric.crashes}\" resource.type=\"gce_instance\""
        period    = "900s"
        threshold = var.thresholds.crashes
        group_by  = ["resource.label.instance_id"]
      })]
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.notification_emails

  project      = var.project
  type         = "email"
  display_name = each.key
  labels       = { email_address = each.key }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = each.value.combiner
  enabled               = !var.muted
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = each.value.conditions

    content {
      display_name = conditions.value.title

      condition_threshold {
        filter                  = conditions.value.filter
        denominator_filter      = conditions.value.denominator
        comparison              = conditions.value.comparison
        threshold_value         = conditions.value.threshold
        duration                = conditions.value.duration
        evaluation_missing_data = conditions.value.missing_data

        aggregations {
          alignment_period     = conditions.value.period
          per_series_aligner   = conditions.value.aligner
          cross_series_reducer = "REDUCE_SUM"
          group_by_fields      = conditions.value.group_by
        }

        dynamic "denominator_aggregations" {
          for_each = conditions.value.denominator == null ? [] : [conditions.value]

          content {
            alignment_period     = denominator_aggregations.value.period
            per_series_aligner   = denominator_aggregations.value.aligner
            cross_series_reducer = "REDUCE_SUM"
            group_by_fields      = denominator_aggregations.value.group_by
          }
        }
      }
    }
  }

  alert_strategy {
    auto_close = "${var.auto_close_hours * 3600}s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.runbook}\n\nWhat to do: docs/operations.md#${each.key}"

    dynamic "links" {
      for_each = var.docs_url == null ? [] : [var.docs_url]

      content {
        display_name = "What to do"
        url          = "${links.value}/docs/operations.md#${each.key}"
      }
    }
  }

  # The metrics must be known before a policy may name them; Google takes up to ten minutes, see docs/operations.md.
  depends_on = [google_logging_metric.counter]
}
