# Every client keeps a pool of connections, and every tier has a limit. Both are known before anything is made.

locals {
  # https://cloud.google.com/sql/docs/postgres/flags (max_connections: default by memory, in GiB)
  shared_core = { "db-f1-micro" = 25, "db-g1-small" = 50 }
  by_memory = [
    { gib = 120, connections = 1000 },
    { gib = 60, connections = 800 },
    { gib = 30, connections = 600 },
    { gib = 15, connections = 500 },
    { gib = 7.5, connections = 400 },
    { gib = 6, connections = 200 },
    { gib = 0, connections = 100 },
  ]

  memory_gib      = try(tonumber(regex("^db-custom-\\d+-(\\d+)$", var.tier)[0]) / 1024, 0)
  max_connections = try(local.shared_core[var.tier], [for step in local.by_memory : step.connections if local.memory_gib >= step.gib][0])

  # superuser_reserved_connections, which Cloud SQL uses for itself.
  reserved = 3
  offered  = local.max_connections - local.reserved
  wanted   = sum([for client in var.clients : client.instances * client.connections])
  reckoning = join(", ", [
    for name, client in var.clients : "${name} ${client.instances} x ${client.connections}"
  ])
}
