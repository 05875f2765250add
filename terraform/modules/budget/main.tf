locals {
  budgets = var.billing_account == null ? {} : {
    # What the bill says, free allowances and credits taken off.
    project = { amount = var.project_amount, labels = {}, topic = null, credits = "INCLUDE_ALL_CREDITS" }
    # What the VMs would cost: a fleet that runs away on a free trial's credit is to be stopped, too.
    workers = { amount = var.workers_amount, labels = var.worker_label, topic = var.topic, credits = "EXCLUDE_ALL_CREDITS" }
  }

  thresholds = [for pair in setproduct([0.5, 0.9, 1.0], ["CURRENT_SPEND", "FORECASTED_SPEND"]) : { share = pair[0], basis = pair[1] }]
}

resource "google_billing_budget" "this" {
  for_each = local.budgets

  billing_account = var.billing_account
  display_name    = "${var.name}-${each.key}"

  budget_filter {
    projects               = ["projects/${var.project_number}"]
    labels                 = each.value.labels
    calendar_period        = "MONTH"
    credit_types_treatment = each.value.credits
  }

  amount {
    specified_amount {
      currency_code = var.currency
      units         = tostring(floor(each.value.amount))
      nanos         = floor((each.value.amount - floor(each.value.amount)) * 1000000000)
    }
  }

  dynamic "threshold_rules" {
    for_each = local.thresholds

    content {
      threshold_percent = threshold_rules.value.share
      spend_basis       = threshold_rules.value.basis
    }
  }

  # Google forgets a rule that tells nobody, and Terraform would set it for ever.
  dynamic "all_updates_rule" {
    for_each = length(var.channels) > 0 || each.value.topic != null ? [each.value.topic] : []

    content {
      monitoring_notification_channels = var.channels
      disable_default_iam_recipients   = length(var.channels) > 0
      pubsub_topic                     = all_updates_rule.value == null ? null : "projects/${var.project}/topics/${all_updates_rule.value}"
      schema_version                   = "1.0"
    }
  }
}

# Connecting a budget to a topic makes Google grant this. It stands here so that it comes back if somebody takes it away,
# and after the budget, as the account may not exist before.
resource "google_pubsub_topic_iam_member" "billing" {
  count = var.billing_account == null ? 0 : 1

  project = var.project
  topic   = var.topic
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:billing-budget-alert@system.gserviceaccount.com"

  depends_on = [google_billing_budget.this]
}
