mock_provider "google" {}

variables {
  project               = "mill"
  network               = "projects/mill/global/networks/spotmill"
  subnetwork            = "projects/mill/regions/us-central1/subnetworks/spotmill"
  service_account_email = "spotmill-worker@mill.iam.gserviceaccount.com"
  image                 = "us-central1-docker.pkg.dev/mill/spotmill/worker@sha256:1f5ba3c63d1e3b8b5bd1f6d8ab1d1e9e9c0b6f2f0a0b9b6d5a4c3b2a19080706"
}

run "defaults" {
  command = apply

  assert {
    condition     = google_compute_region_instance_group_manager.workers.target_size == 0
    error_message = "The group is made with VMs in it."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.workers.version[0].instance_template == google_compute_region_instance_template.worker.self_link
    error_message = "The group makes VMs from another template."
  }

  assert {
    condition     = length(google_compute_region_instance_template.worker.network_interface[0].access_config) == 0
    error_message = "A VM has an external address."
  }

  assert {
    condition     = output.instance_group == "spotmill-workers"
    error_message = "The settings of the processes name another group."
  }

  assert {
    condition     = startswith(output.cloud_init, "#cloud-config\n") && can(yamldecode(output.cloud_init))
    error_message = "cloud-init would not read this."
  }
}

run "one_machine_type" {
  command = plan

  variables {
    machine_types = ["e2-standard-4"]
  }

  assert {
    condition     = length(google_compute_region_instance_group_manager.workers.instance_flexibility_policy) == 0
    error_message = "There is nothing to choose from."
  }
}

run "longer_notice" {
  command = plan

  variables {
    preemption_notice_seconds = 120
  }

  assert {
    condition     = google_compute_region_instance_template.worker.scheduling[0].preemption_notice_duration[0].seconds == 120
    error_message = "The template does not ask for the notice that the worker counts on."
  }
}

run "arm" {
  command = plan

  variables {
    machine_types = ["t2a-standard-4"]
  }

  expect_failures = [var.machine_types]
}

run "an_image_by_tag" {
  command = plan

  variables {
    image = "us-central1-docker.pkg.dev/mill/spotmill/worker:latest"
  }

  expect_failures = [var.image]
}

run "the_latest_secret" {
  command = plan

  variables {
    secrets = { SPOTMILL_AI_KEY = "projects/mill/secrets/ai-key/versions/latest" }
  }

  expect_failures = [var.secrets]
}
