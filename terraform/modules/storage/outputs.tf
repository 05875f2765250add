output "result_bucket" {
  description = "Name of the bucket for results."
  value       = google_storage_bucket.this["results"].name
}

output "upload_bucket" {
  description = "Name of the bucket for uploads."
  value       = google_storage_bucket.this["uploads"].name
}
