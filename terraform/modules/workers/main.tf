locals {
  group = "${var.name}-workers"

  # The budget of the workers finds their cost by this label.
  cost_label = { "${var.name}-part" = "worker" }
  labels     = merge(var.labels, local.cost_label)

  # Without a notice of its own, a spot VM has the 30 s between the ACPI signal and its end.
  # https://cloud.google.com/compute/docs/instances/spot#preemption-process
  notice = var.preemption_notice_seconds > 30 ? [var.preemption_notice_seconds] : []
}

# Regional, as the group is: an outage of another region cannot keep this one from starting VMs.
resource "google_compute_region_instance_template" "worker" {
  project              = var.project
  region               = var.region
  name_prefix          = "${var.name}-worker-"
  instance_description = "Spotmill worker: may be taken away at any moment."
  machine_type         = var.machine_types[0]
  labels               = local.labels

  disk {
    boot         = true
    auto_delete  = true
    source_image = var.boot_image
    disk_size_gb = var.disk_gb
    disk_type    = "pd-balanced"
    labels       = local.labels
  }

  dynamic "guest_accelerator" {
    for_each = var.gpu == null ? [] : [var.gpu]

    content {
      type  = guest_accelerator.value.type
      count = guest_accelerator.value.count
    }
  }

  # No access_config: no external address.
  network_interface {
    network    = var.network
    subnetwork = var.subnetwork
  }

  scheduling {
    provisioning_model  = "SPOT"
    preemptible         = true
    automatic_restart   = false
    on_host_maintenance = "TERMINATE"

    # A run duration in a group wants DELETE, and the group makes a new VM in place of a preempted one either way.
    # https://cloud.google.com/compute/docs/instance-groups/limit-vm-runtime-in-migs
    instance_termination_action = "DELETE"

    max_run_duration {
      seconds = var.max_run_hours * 3600
    }

    dynamic "preemption_notice_duration" {
      for_each = local.notice

      content {
        seconds = preemption_notice_duration.value
      }
    }
  }

  service_account {
    email  = var.service_account_email
    scopes = ["cloud-platform"] # what the account may do is said by IAM, on each resource
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    block-project-ssh-keys    = "TRUE"
    cos-update-strategy       = "update_disabled" # a VM is younger than any update; each boots the newest image
    disable-legacy-endpoints  = "TRUE"
    enable-oslogin            = "TRUE"
    google-logging-enabled    = "true" # starts fluent-bit, whose configuration is ours
    google-monitoring-enabled = "false"
    user-data                 = local.cloud_init
  }

  lifecycle {
    create_before_destroy = true # the group names the template
  }
}

resource "google_compute_region_instance_group_manager" "workers" {
  project                          = var.project
  region                           = var.region
  name                             = local.group
  base_instance_name               = "${var.name}-worker"
  target_size                      = 0
  distribution_policy_target_shape = "ANY" # wherever there is capacity
  distribution_policy_zones        = var.zones
  list_managed_instances_results   = "PAGINATED"
  wait_for_instances               = false

  version {
    name              = "worker"
    instance_template = google_compute_region_instance_template.worker.self_link
  }

  # A list of one would only forbid what the template allows.
  dynamic "instance_flexibility_policy" {
    for_each = length(var.machine_types) > 1 ? [var.machine_types] : []

    content {
      dynamic "instance_selections" {
        for_each = instance_flexibility_policy.value

        content {
          name          = instance_selections.value
          rank          = instance_selections.key + 1
          machine_types = [instance_selections.value]
        }
      }
    }
  }

  # A VM that works keeps its version; whatever the group makes, or makes again, has the new one.
  update_policy {
    type                           = "OPPORTUNISTIC"
    minimal_action                 = "REPLACE"
    most_disruptive_allowed_action = "REPLACE"
    replacement_method             = "SUBSTITUTE"
    # The provider sends 0 for both where neither is set, and Google refuses that; 0, or no fewer than the region has zones.
    max_surge_fixed              = 0
    max_unavailable_fixed        = 10
    instance_redistribution_type = "NONE" # moving a VM to another zone for balance would end its jobs
  }

  # No health check: systemd restarts a worker that ends, and the dispatcher deletes a VM that falls silent.
  instance_lifecycle_policy {
    default_action_on_failure = "REPAIR"
    force_update_on_repair    = "YES"

    on_repair {
      allow_changing_zone = "YES" # the zone that took a VM away is the last one to have another
    }
  }

  lifecycle {
    ignore_changes = [target_size] # Run and the tick own it: an apply must not end a run
  }
}
