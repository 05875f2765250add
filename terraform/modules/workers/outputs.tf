output "cloud_init" {
  description = "What the VMs are told at boot (cloud-config)."
  value       = local.cloud_init
}

output "cost_label" {
  description = "The label, as a map of one, by which the bill tells the workers from the rest."
  value       = local.cost_label
}

output "instance_group" {
  description = "Name of the instance group."
  value       = google_compute_region_instance_group_manager.workers.name
}

output "template" {
  description = "Link of the instance template."
  value       = google_compute_region_instance_template.worker.self_link
}
