mock_provider "google" {}

variables {
  project      = "example-project"
  region       = "us-central1"
  worker_email = "spotmill-worker@example-project.iam.gserviceaccount.com"
}

run "nothing_reaches_in_or_out" {
  command = apply

  assert {
    condition     = google_compute_network.this.auto_create_subnetworks == false
    error_message = "A network of Google's own making has subnets everywhere."
  }

  assert {
    condition     = google_compute_subnetwork.this.private_ip_google_access
    error_message = "Workers reach Google's APIs without an external address."
  }

  assert {
    condition     = length(google_compute_firewall.ssh) == 0 && length(google_compute_router_nat.this) == 0
    error_message = "There is a way in, or a way out, that nobody asked for."
  }

  assert {
    condition     = output.private_network == output.network
    error_message = "Both are the one network's id."
  }
}

run "nat_for_an_engine_outside" {
  command = plan

  variables {
    external_ai = true
  }

  assert {
    condition     = google_compute_router_nat.this[0].nat_ip_allocate_option == "AUTO_ONLY"
    error_message = "Addresses of the NAT come and go by themselves."
  }
}

run "ssh_by_iap_to_workers" {
  command = plan

  variables {
    allow_ssh = true
  }

  assert {
    condition     = google_compute_firewall.ssh[0].source_ranges == toset(["35.235.240.0/20"])
    error_message = "Only Identity-Aware Proxy may open a connection."
  }

  assert {
    condition     = google_compute_firewall.ssh[0].target_service_accounts == toset([var.worker_email])
    error_message = "SSH is for workers."
  }
}

run "subnet_too_small" {
  command = plan

  variables {
    subnet_range = "10.20.0.0/28"
  }

  expect_failures = [var.subnet_range]
}

run "subnet_of_nonsense" {
  command = plan

  variables {
    subnet_range = "spotmill"
  }

  expect_failures = [var.subnet_range]
}
