# What a VM is told at boot. The files are the same on every VM; what differs stands in vm.env, which the unit reads.
locals {
  # A shutdown takes 30 s and no more: a third for the step at hand, as the agent has it (images/README.md), half for letting
  # go of the jobs, the rest for systemd.
  finish_seconds = 10
  let_go_seconds = 15

  devices = var.gpu == null ? [] : concat(
    [for number in range(var.gpu.count) : "--device=/dev/nvidia${number}"],
    ["--device=/dev/nvidiactl", "--device=/dev/nvidia-uvm"],
    ["--volume=/var/lib/nvidia/lib64:/usr/local/nvidia/lib64:ro", "--volume=/var/lib/nvidia/bin:/usr/local/nvidia/bin:ro"],
  )

  vm_env = {
    CHILD_UID      = tostring(var.child_uid)
    FINISH_SECONDS = tostring(local.finish_seconds)
    GPU_OPTIONS    = join(" ", local.devices)
    IMAGE          = var.image
    LET_GO_SECONDS = tostring(local.let_go_seconds)
    SCRATCH        = var.scratch
  }

  gpu_env = var.gpu == null ? {} : {
    SPOTMILL_CHILD_MEMORY_BYTES = "1099511627776" # CUDA reserves far more addresses than memory
  }

  worker_env = merge(local.gpu_env, var.env, {
    GOOGLE_CLOUD_PROJECT               = var.project
    SPOTMILL_INSTANCE_GROUP            = local.group
    SPOTMILL_LOG_FORMAT                = "json"
    SPOTMILL_MAX_WORKERS               = tostring(var.max_workers)
    SPOTMILL_PREEMPTION_NOTICE_SECONDS = tostring(var.preemption_notice_seconds)
    SPOTMILL_REGION                    = var.region
  })

  lines = {
    "vm.env"       = join("", [for name, value in local.vm_env : "${name}=${value}\n"])
    "worker.env"   = join("", [for name, value in local.worker_env : "${name}=${value}\n"])
    "secrets.list" = join("", [for name, version in var.secrets : "${name} ${version}\n"])
  }

  scripts = { for name in ["wall.sh", "secrets.sh", "image.sh", "ended.sh"] : name => file("${path.module}/files/${name}") }

  gpu_units = var.gpu == null ? {} : {
    "spotmill-gpu.service"                     = file("${path.module}/files/spotmill-gpu.service")
    "spotmill-worker.service.d/needs-gpu.conf" = file("${path.module}/files/needs-gpu.conf")
  }
  units = merge(local.gpu_units, {
    "spotmill-worker.service" = file("${path.module}/files/spotmill-worker.service")
  })

  files = merge(
    { for name, content in merge(local.lines, local.scripts) : "/etc/spotmill/${name}" => content },
    { for name, content in local.units : "/etc/systemd/system/${name}" => content },
    # The system's own unit runs fluent-bit with this file.
    { "/etc/fluent-bit/fluent-bit.conf" = file("${path.module}/files/fluent-bit.conf") },
    { "/etc/spotmill/parsers.conf" = file("${path.module}/files/parsers.conf") },
  )

  cloud_config = yamlencode({
    write_files = [for path in sort(keys(local.files)) : {
      path        = path
      permissions = "0644"
      owner       = "root:root"
      content     = local.files[path]
    }]
    runcmd = [
      ["systemctl", "daemon-reload"],
      ["systemctl", "restart", "fluent-bit.service"],
      ["systemctl", "start", "--no-block", "spotmill-worker.service"],
    ]
  })

  cloud_init = "#cloud-config\n${local.cloud_config}"
}
