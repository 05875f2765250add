mock_provider "google" {}

variables {
  project = "mill"
  region  = "us-central1"
  network = "projects/mill/global/networks/spotmill"
  emails = {
    web        = "spotmill-web@mill.iam.gserviceaccount.com"
    dispatcher = "spotmill-dispatcher@mill.iam.gserviceaccount.com"
    worker     = "spotmill-worker@mill.iam.gserviceaccount.com"
    migrator   = "spotmill-migrator@mill.iam.gserviceaccount.com"
  }
  clients = { web = { instances = 11, connections = 2 } }
}

run "as_many_connections_as_the_smallest_tier_offers" {
  command = plan

  assert {
    condition     = output.connections.offered == 22 && output.connections.wanted == 22
    error_message = "db-f1-micro takes 25 connections, 3 of them reserved."
  }

  assert {
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled == false
    error_message = "The instance has a public address."
  }
}

run "one_connection_too_many" {
  command = plan

  variables {
    clients = { web = { instances = 11, connections = 2 }, jobs = { instances = 1, connections = 1 } }
  }

  expect_failures = [google_sql_database_instance.this]
}

run "connections_db_g1_small" {
  command = plan

  variables {
    tier    = "db-g1-small"
    clients = { web = { instances = 47, connections = 1 } }
  }

  assert {
    condition     = output.connections.offered == 47
    error_message = "db-g1-small takes 50."
  }
}

run "connections_from_3_75_gib" {
  command = plan

  variables {
    tier    = "db-custom-1-3840"
    clients = { web = { instances = 97, connections = 1 } }
  }

  assert {
    condition     = output.connections.offered == 97
    error_message = "3.75 GiB take 100 connections."
  }
}

run "connections_from_6_gib" {
  command = plan

  variables {
    tier    = "db-custom-1-6656"
    clients = { web = { instances = 197, connections = 1 } }
  }

  assert {
    condition     = output.connections.offered == 197
    error_message = "6.5 GiB take 200 connections."
  }
}

run "connections_from_7_5_gib" {
  command = plan

  variables {
    tier    = "db-custom-2-7680"
    clients = { web = { instances = 397, connections = 1 } }
  }

  assert {
    condition     = output.connections.offered == 397
    error_message = "7.5 GiB take 400 connections."
  }
}

run "connections_from_15_gib" {
  command = plan

  variables {
    tier    = "db-custom-4-15360"
    clients = { web = { instances = 497, connections = 1 } }
  }

  assert {
    condition     = output.connections.offered == 497
    error_message = "15 GiB take 500 connections."
  }
}

run "connections_from_120_gib" {
  command = plan

  variables {
    tier    = "db-custom-32-122880"
    clients = { web = { instances = 997, connections = 1 } }
  }

  assert {
    condition     = output.connections.offered == 997
    error_message = "120 GiB take 1000 connections."
  }
}

run "only_the_migrator_may_make_tables" {
  command = plan

  assert {
    condition     = { for process, user in google_sql_user.process : process => user.database_roles if user.database_roles != null } == { migrator = tolist(["cloudsqlsuperuser"]) }
    error_message = "Somebody besides the migrator starts with rights, or the migrator without."
  }

  assert {
    condition     = output.users.web == "spotmill-web@mill.iam"
    error_message = "A database user is the account without its last part."
  }
}

run "stopped" {
  command = plan

  variables {
    stopped = true
  }

  assert {
    condition     = google_sql_database_instance.this.settings[0].activation_policy == "NEVER"
    error_message = "A stopped instance goes on."
  }
}

run "a_standby_needs_the_log" {
  command = plan

  variables {
    tier                   = "db-custom-2-7680"
    availability_type      = "REGIONAL"
    point_in_time_recovery = false
  }

  expect_failures = [google_sql_database_instance.this]
}

run "no_tier_of_another_edition" {
  command = plan

  variables {
    tier = "db-perf-optimized-N-2"
  }

  expect_failures = [var.tier]
}
