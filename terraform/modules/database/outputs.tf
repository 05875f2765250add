output "connection_name" {
  description = "What the connector is given: project:region:name."
  value       = "${var.project}:${var.region}:${google_sql_database_instance.this.name}"
}

output "connections" {
  description = "Connections that the tier offers, and that the clients may open at most."
  value       = { offered = local.offered, wanted = local.wanted }
}

output "max_connections" {
  description = "Connections that the tier takes in all."
  value       = local.max_connections
}

output "name" {
  description = "Name of the instance."
  value       = google_sql_database_instance.this.name
}

output "database" {
  description = "Name of the database on it."
  value       = google_sql_database.this.name
}

output "users" {
  description = "Database user of each process: web, dispatcher, worker, migrator."
  value       = { for process, user in google_sql_user.process : process => user.name }
}
