resource "google_compute_network" "this" {
  project                 = var.project
  name                    = var.name
  description             = "Spotmill's workers, services and database. Nothing reaches in."
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}

# Without an external address, a VM reaches Google's APIs by Private Google Access and nothing else.
resource "google_compute_subnetwork" "this" {
  project                  = var.project
  name                     = var.name
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.subnet_range
  stack_type               = "IPV4_ONLY"
  private_ip_google_access = true
}

resource "google_compute_global_address" "services" {
  project       = var.project
  name          = "${var.name}-services"
  description   = "Addresses for Cloud SQL."
  network       = google_compute_network.this.id
  address_type  = "INTERNAL"
  purpose       = "VPC_PEERING"
  prefix_length = var.services_prefix_length
}

# Cloud SQL keeps its end of the connection for days after an instance is gone, and refuses to end it until then. A destroy
# leaves it, and `make destroy` cuts our end, without which the network could not be deleted.
# What Google then still remembers of it makes a second deployment under the same name fail, unless it may update it.
resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
  deletion_policy         = "ABANDON"
  update_on_creation_fail = true
}

# The only way in there ever is; every other packet meets the network's implied rule, which drops it.
resource "google_compute_firewall" "ssh" {
  count = var.allow_ssh ? 1 : 0

  project                 = var.project
  name                    = "${var.name}-ssh-by-iap"
  description             = "SSH to the workers from Identity-Aware Proxy."
  network                 = google_compute_network.this.id
  direction               = "INGRESS"
  source_ranges           = ["35.235.240.0/20"] # https://cloud.google.com/iap/docs/using-tcp-forwarding
  target_service_accounts = [var.worker_email]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_router" "this" {
  count = var.external_ai ? 1 : 0

  project = var.project
  name    = var.name
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  count = var.external_ai ? 1 : 0

  project                            = var.project
  name                               = var.name
  region                             = var.region
  router                             = google_compute_router.this[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.this.id
    source_ip_ranges_to_nat = ["PRIMARY_IP_RANGE"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
