# Metrics are counted from the events that the processes log; docs/operations.md says which event has which fields.
locals {
  service = "resource.type=\"cloud_run_revision\""
  vm      = "resource.type=\"gce_instance\""

  # Seconds and counts from 1 to a million, each bound twice the one before.
  doubling = { scale = 1, growth_factor = 2, num_finite_buckets = 20 }
  # Dollars from a tenth of a cent to a thousand.
  dollars = { scale = 0.001, growth_factor = 2, num_finite_buckets = 20 }

  counters = {
    crashes = {
      description = "Ends of a worker's service that nobody asked for, failures to come up included."
      filter      = "${local.vm} jsonPayload.message=\"worker.unit_ended\" jsonPayload.result!=\"success\""
      labels      = { result = "EXTRACT(jsonPayload.result)" }
    }
    dead_letters = {
      description = "Messages that Pub/Sub gave up delivering to the workers."
      filter      = "${local.service} jsonPayload.message=\"dead_letter.kept\""
      labels      = {}
    }
    fleet_errors = {
      description = "Calls to Compute that failed, and plans for the fleet that could not be applied."
      filter      = "${local.service} jsonPayload.message=(\"fleet.unreachable\" OR \"fleet.not_applied\")"
      labels      = { event = "EXTRACT(jsonPayload.message)" }
    }
    jobs = {
      description = "Jobs that are over, by outcome and pipeline."
      filter      = "${local.vm} jsonPayload.message=(\"job.succeeded\" OR \"job.failed\") NOT jsonPayload.final=false"
      labels = {
        outcome  = "REGEXP_EXTRACT(jsonPayload.message, \"job\\\\.(.*)\")"
        pipeline = "EXTRACT(jsonPayload.pipeline)"
      }
    }
    lease_losses = {
      description = "Attempts whose lease ran out: the VM was gone without a word."
      filter      = "${local.service} jsonPayload.message=\"job.lost\""
      labels      = {}
    }
    malformed_events = {
      description = "Events that no retry would mend."
      filter      = "${local.service} jsonPayload.message=\"event.malformed\""
      labels      = {}
    }
    preemptions = {
      description = "VMs that were told to go."
      filter      = "${local.vm} jsonPayload.message=\"worker.notice\""
      labels      = { reason = "EXTRACT(jsonPayload.reason)" }
    }
    recorded = {
      description = "New jobs."
      filter      = "${local.service} jsonPayload.message=\"job.recorded\" jsonPayload.new=true"
      labels      = {}
    }
    releases = {
      description = "Attempts that were handed over unfinished."
      filter      = "${local.vm} jsonPayload.message=\"job.released\""
      labels      = { pipeline = "EXTRACT(jsonPayload.pipeline)" }
    }
    retries = {
      description = "Failures after which a job went back to the queue."
      filter      = "${local.vm} jsonPayload.message=\"job.failed\" jsonPayload.final=false"
      labels      = { pipeline = "EXTRACT(jsonPayload.pipeline)" }
    }
    takeovers = {
      description = "Attempts that found their job in other hands: a VM that was cut off and came back."
      filter      = "${local.vm} jsonPayload.message=\"job.fenced\""
      labels      = {}
    }
    ticks = {
      description = "Ticks that ended well; one a minute."
      filter      = "${local.service} jsonPayload.message=\"tick.done\""
      labels      = {}
    }
    ticks_stray_fleet = {
      description = "Ticks that found VMs though no run is open."
      filter      = "${local.service} jsonPayload.message=\"tick.done\" jsonPayload.run_open=false jsonPayload.target>0"
      labels      = {}
    }
    ticks_stuck_queue = {
      description = "Ticks that found a run open, jobs that have long been due, and no worker alive."
      filter = join(" ", [
        local.service, "jsonPayload.message=\"tick.done\"", "jsonPayload.run_open=true", "jsonPayload.paused=false",
        "jsonPayload.workers=0", "jsonPayload.oldest_seconds>${var.thresholds.queue_minutes * 60}",
      ])
      labels = {}
    }
  }

  distributions = {
    duration_seconds = {
      description = "What an attempt took, by pipeline and outcome."
      filter      = "${local.vm} jsonPayload.message=(\"job.succeeded\" OR \"job.failed\")"
      value       = "EXTRACT(jsonPayload.seconds)"
      unit        = "s"
      buckets     = local.doubling
      labels = {
        outcome  = "REGEXP_EXTRACT(jsonPayload.message, \"job\\\\.(.*)\")"
        pipeline = "EXTRACT(jsonPayload.pipeline)"
      }
    }
    queue_age_seconds = {
      description = "How long the oldest due job has waited."
      filter      = "${local.service} jsonPayload.message=\"tick.done\""
      value       = "EXTRACT(jsonPayload.oldest_seconds)"
      unit        = "s"
      buckets     = local.doubling
      labels      = {}
    }
    queue_jobs = {
      description = "Jobs in the queue."
      filter      = "${local.service} jsonPayload.message=\"tick.done\""
      value       = "EXTRACT(jsonPayload.queued)"
      unit        = "1"
      buckets     = local.doubling
      labels      = {}
    }
    run_cost_usd = {
      description = "What a run's VMs cost, by the price in SPOTMILL_VM_HOURLY_USD."
      filter      = "${local.service} jsonPayload.message=\"run.closed\" jsonPayload.cost_usd>=0"
      value       = "EXTRACT(jsonPayload.cost_usd)"
      unit        = "1"
      buckets     = local.dollars
      labels      = { reason = "EXTRACT(jsonPayload.reason)" }
    }
    wait_seconds = {
      description = "From when a job was due until a worker took it, by pipeline."
      filter      = "${local.vm} jsonPayload.message=(\"job.succeeded\" OR \"job.failed\")"
      value       = "EXTRACT(jsonPayload.waited_seconds)"
      unit        = "s"
      buckets     = local.doubling
      labels      = { pipeline = "EXTRACT(jsonPayload.pipeline)" }
    }
    workers = {
      description = "Workers alive."
      filter      = "${local.service} jsonPayload.message=\"tick.done\""
      value       = "EXTRACT(jsonPayload.workers)"
      unit        = "1"
      buckets     = local.doubling
      labels      = {}
    }
  }

  metric = { for name in keys(merge(local.counters, local.distributions)) : name => "logging.googleapis.com/user/${var.name}/${name}" }
}

resource "google_logging_metric" "counter" {
  for_each = local.counters

  project          = var.project
  name             = "${var.name}/${each.key}"
  description      = each.value.description
  filter           = each.value.filter
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = keys(each.value.labels)

      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }
}

resource "google_logging_metric" "distribution" {
  for_each = local.distributions

  project          = var.project
  name             = "${var.name}/${each.key}"
  description      = each.value.description
  filter           = each.value.filter
  value_extractor  = each.value.value
  label_extractors = each.value.labels

  bucket_options {
    exponential_buckets {
      scale              = each.value.buckets.scale
      growth_factor      = each.value.buckets.growth_factor
      num_finite_buckets = each.value.buckets.num_finite_buckets
    }
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit

    dynamic "labels" {
      for_each = keys(each.value.labels)

      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }
}
