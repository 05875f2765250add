output "alerts" {
  description = "The alerts: heading in docs/operations.md to what it says."
  value       = { for key, alert in local.alerts : key => alert.title }
}

output "channels" {
  description = "Names of the notification channels."
  value       = [for channel in google_monitoring_notification_channel.email : channel.name]
}

output "metrics" {
  description = "Types of the metrics that are made here, by their short name."
  value       = local.metric
}
