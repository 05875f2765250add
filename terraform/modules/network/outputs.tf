output "network" {
  description = "Id of the network."
  value       = google_compute_network.this.id
}

output "private_network" {
  description = "Id of the network once a database can get a private address in it."
  value       = google_compute_network.this.id
  depends_on  = [google_service_networking_connection.services]
}

output "subnetwork" {
  description = "Id of the subnet."
  value       = google_compute_subnetwork.this.id
}
