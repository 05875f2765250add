mock_provider "google" {}

variables {
  project           = "mill"
  name              = "spotmill"
  database_instance = "spotmill"
  storage_agent     = "serviceAccount:service-123@gs-project-accounts.iam.gserviceaccount.com"
}

run "accounts" {
  command = plan

  assert {
    condition     = output.emails.web == "spotmill-web@mill.iam.gserviceaccount.com"
    error_message = "The web service's address is not what Google makes of its account id."
  }

  assert {
    condition     = output.members.worker == "serviceAccount:spotmill-worker@mill.iam.gserviceaccount.com"
    error_message = "A member is not an account with its kind before it."
  }

  assert {
    condition     = toset(keys(output.emails)) == toset(["web", "dispatcher", "worker", "migrator", "events", "deployer"])
    error_message = "There is an account too many or too few."
  }
}

run "a_project_of_a_domain" {
  command = plan

  variables {
    project = "example.com:mill"
  }

  assert {
    condition     = output.emails.web == "spotmill-web@mill.example.com.iam.gserviceaccount.com"
    error_message = "A project of a domain has its domain turned round in addresses."
  }
}

run "workers_hold_no_compute_role" {
  command = plan

  assert {
    condition = alltrue([
      for grant in google_project_iam_member.this :
      grant.role == "roles/logging.logWriter" if grant.member == output.members.worker
    ])
    error_message = "A worker holds more on the project than the right to write logs."
  }

  assert {
    condition = alltrue([
      for custom in google_project_iam_custom_role.this :
      alltrue([for permission in custom.permissions : !startswith(permission, "compute.instances.")])
    ])
    error_message = "A role reaches VMs of the project that are no workers: the group alone acts on its VMs."
  }
}

run "nobody_asks_a_model_unasked" {
  command = plan

  assert {
    condition     = !contains(keys(google_project_iam_member.this), "worker-models")
    error_message = "Workers may send text to Vertex AI though nobody chose a model of its."
  }
}

run "workers_ask_a_model" {
  command = plan

  variables {
    asks_vertex = true
  }

  assert {
    condition     = google_project_iam_member.this["worker-models"].role == "projects/mill/roles/spotmill_model_asker"
    error_message = "Workers have another role at Vertex AI than the one that only asks."
  }
}

run "the_database_is_named_in_a_condition" {
  command = plan

  assert {
    condition = alltrue([
      for grant in google_project_iam_member.database :
      strcontains(grant.condition[0].expression, "projects/mill/instances/spotmill\"")
    ])
    error_message = "A grant on Cloud SQL reaches other instances than Spotmill's."
  }
}

run "a_long_name_is_refused" {
  command = plan

  variables {
    name = "a-name-that-is-far-too-long"
  }

  expect_failures = [var.name]
}
