# Postgres with a private address and IAM sign-in only: there is no password, here or anywhere.

resource "google_sql_database_instance" "this" {
  project             = var.project
  region              = var.region
  name                = var.name
  database_version    = var.database_version
  deletion_protection = var.deletion_protection

  settings {
    # Named, as Google's default is the dear edition, which has no shared-core tiers.
    edition           = "ENTERPRISE"
    tier              = var.tier
    availability_type = var.availability_type
    # Stopped, only its disk and backups cost anything.
    activation_policy           = var.stopped ? "NEVER" : "ALWAYS"
    connector_enforcement       = "REQUIRED"
    deletion_protection_enabled = var.deletion_protection
    retain_backups_on_delete    = false

    disk_type             = "PD_SSD"
    disk_size             = var.disk_gb
    disk_autoresize       = true
    disk_autoresize_limit = max(var.disk_gb, var.disk_max_gb)

    user_labels = var.labels

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
      ssl_mode        = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "03:00"
      location                       = var.region
      point_in_time_recovery_enabled = var.point_in_time_recovery
      transaction_log_retention_days = var.point_in_time_recovery ? 7 : null

      backup_retention_settings {
        retained_backups = var.retained_backups
        retention_unit   = "COUNT"
      }
    }

    maintenance_window {
      day          = 7
      hour         = 4
      update_track = "stable"
    }

    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }
  }

  lifecycle {
    # It grows by itself, and would be replaced by an empty one of the old size.
    ignore_changes = [settings[0].disk_size]

    precondition {
      condition     = local.wanted <= local.offered
      error_message = <<-TEXT
        The tier ${var.tier} takes ${local.max_connections} connections, of which ${local.reserved} are reserved; the clients may open
        ${local.wanted}: ${local.reckoning}. Choose a larger tier (database.tier), or fewer instances and workers.
      TEXT
    }

    precondition {
      condition     = var.availability_type == "ZONAL" || var.point_in_time_recovery
      error_message = "A REGIONAL instance needs point-in-time recovery: its standby is fed by the same log."
    }
  }
}

resource "google_sql_database" "this" {
  project  = var.project
  instance = google_sql_database_instance.this.name
  name     = var.name
  # Google refuses to drop a database that others may use; it goes with its instance.
  deletion_policy = "ABANDON"
}

# They may sign in and nothing else: the migration job gives web, dispatcher and worker the rights of their processes.
resource "google_sql_user" "process" {
  for_each = local.users

  project  = var.project
  instance = google_sql_database_instance.this.name
  name     = each.value
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"
  # The first grants of all: those of who makes the schema and grants the others theirs.
  database_roles = each.key == "migrator" ? ["cloudsqlsuperuser"] : null
  # As above: a user who owns tables goes with the instance.
  deletion_policy = "ABANDON"
}

locals {
  # Google leaves out this part, as Postgres takes 63 characters.
  users = { for process, email in var.emails : process => trimsuffix(email, ".gserviceaccount.com") }
}
