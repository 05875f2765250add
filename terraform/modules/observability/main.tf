locals {
  # A query is [legend, filter, aligner, reducer, fields to group by].
  on_service  = "resource.type=\"cloud_run_revision\""
  on_vm       = "resource.type=\"gce_instance\""
  of_services = "resource.type=\"cloud_run_revision\" resource.label.service_name=${local.services}"

  tiles = [
    { title = "Queue", chart = "LINE", queries = [
      ["queued jobs", "metric.type=\"${local.metric.queue_jobs}\" ${local.on_service}", "ALIGN_PERCENTILE_50", "REDUCE_MAX", []],
      ["workers", "metric.type=\"${local.metric.workers}\" ${local.on_service}", "ALIGN_PERCENTILE_50", "REDUCE_MAX", []],
    ] },
    { title = "Age of the oldest due job (s)", chart = "LINE", queries = [
      ["oldest", "metric.type=\"${local.metric.queue_age_seconds}\" ${local.on_service}", "ALIGN_PERCENTILE_99", "REDUCE_MAX", []],
    ] },
    { title = "Jobs by outcome", chart = "STACKED_BAR", queries = [
      ["$${metric.labels.outcome}", "metric.type=\"${local.metric.jobs}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", ["metric.label.outcome"]],
      ["retried", "metric.type=\"${local.metric.retries}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", []],
    ] },
    { title = "Jobs by pipeline", chart = "STACKED_BAR", queries = [
      ["done: $${metric.labels.pipeline}", "metric.type=\"${local.metric.jobs}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", ["metric.label.pipeline"]],
      ["new", "metric.type=\"${local.metric.recorded}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_SUM", []],
    ] },
    { title = "Wait until a worker takes a job (s)", chart = "LINE", queries = [
      ["half of them", "metric.type=\"${local.metric.wait_seconds}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_PERCENTILE_50", []],
      ["95 %", "metric.type=\"${local.metric.wait_seconds}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_PERCENTILE_95", []],
    ] },
    { title = "Duration by pipeline (s, 95 %)", chart = "LINE", queries = [
      ["$${metric.labels.pipeline}", "metric.type=\"${local.metric.duration_seconds}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_PERCENTILE_95", ["metric.label.pipeline"]],
    ] },
    { title = "Preemptions and handed-over jobs", chart = "STACKED_BAR", queries = [
      ["VM told to go", "metric.type=\"${local.metric.preemptions}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", []],
      ["handed over: $${metric.labels.pipeline}", "metric.type=\"${local.metric.releases}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", ["metric.label.pipeline"]],
    ] },
    { title = "Lost without a word", chart = "STACKED_BAR", queries = [
      ["lease ran out", "metric.type=\"${local.metric.lease_losses}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_SUM", []],
      ["found in other hands", "metric.type=\"${local.metric.takeovers}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", []],
      ["worker crashed", "metric.type=\"${local.metric.crashes}\" ${local.on_vm}", "ALIGN_DELTA", "REDUCE_SUM", []],
    ] },
    { title = "Cost of a run (USD)", chart = "LINE", queries = [
      ["half of them", "metric.type=\"${local.metric.run_cost_usd}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_PERCENTILE_50", []],
      ["mean", "metric.type=\"${local.metric.run_cost_usd}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_MEAN", []],
    ] },
    { title = "Trouble", chart = "STACKED_BAR", queries = [
      ["Compute refused", "metric.type=\"${local.metric.fleet_errors}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_SUM", []],
      ["dead letters", "metric.type=\"${local.metric.dead_letters}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_SUM", []],
      ["malformed events", "metric.type=\"${local.metric.malformed_events}\" ${local.on_service}", "ALIGN_DELTA", "REDUCE_SUM", []],
    ] },
    { title = "Requests by answer", chart = "STACKED_BAR", queries = [
      ["$${resource.labels.service_name} $${metric.labels.response_code_class}", "metric.type=\"run.googleapis.com/request_count\" ${local.of_services}", "ALIGN_DELTA", "REDUCE_SUM", ["resource.label.service_name", "metric.label.response_code_class"]],
    ] },
    { title = "Time to answer (ms, 95 %)", chart = "LINE", queries = [
      ["$${resource.labels.service_name}", "metric.type=\"run.googleapis.com/request_latencies\" ${local.of_services}", "ALIGN_DELTA", "REDUCE_PERCENTILE_95", ["resource.label.service_name"]],
    ] },
    { title = "Database connections of ${var.database_max_connections}", chart = "LINE", queries = [
      ["connections", "metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\" resource.type=\"cloudsql_database\" resource.label.database_id=\"${local.database}\"", "ALIGN_MEAN", "REDUCE_SUM", []],
    ] },
    { title = "Messages that wait", chart = "LINE", queries = [
      ["undelivered", "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=\"${var.subscription}\"", "ALIGN_MEAN", "REDUCE_SUM", []],
    ] },
  ]

  log = {
    title = "Errors"
    logsPanel = {
      filter        = "severity>=ERROR (${local.on_vm} OR resource.labels.service_name=(\"${var.name}-web\" OR \"${var.name}-dispatcher\"))"
      resourceNames = ["projects/${var.project}"]
    }
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = "Spotmill (${var.name})"
    labels      = { (var.name) = "" }
    mosaicLayout = {
      columns = 48
      tiles = concat(
        [for number, tile in local.tiles : {
          xPos   = number % 2 * 24
          yPos   = floor(number / 2) * 16
          width  = 24
          height = 16
          widget = {
            title = tile.title
            xyChart = {
              dataSets = [for query in tile.queries : {
                legendTemplate = query[0]
                plotType       = tile.chart
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = query[1]
                    aggregation = {
                      alignmentPeriod    = "60s"
                      perSeriesAligner   = query[2]
                      crossSeriesReducer = query[3]
                      groupByFields      = query[4]
                    }
                  }
                }
              }]
            }
          }
        }],
        [{ xPos = 0, yPos = ceil(length(local.tiles) / 2) * 16, width = 48, height = 16, widget = local.log }],
      )
    }
  })
}
