mock_provider "google" {}

variables {
  project        = "mill"
  project_number = "123"
  region         = "us-central1"
  network        = "n"
  subnetwork     = "s"
  people         = ["user:ann@example.com"]
  images = {
    web        = "r/web@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    dispatcher = "r/dispatcher@sha256:1111111111111111111111111111111111111111111111111111111111111111"
    worker     = "r/worker@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  }
  emails = {
    web        = "web@mill.iam.gserviceaccount.com"
    dispatcher = "dispatcher@mill.iam.gserviceaccount.com"
    worker     = "worker@mill.iam.gserviceaccount.com"
    migrator   = "migrator@mill.iam.gserviceaccount.com"
    events     = "events@mill.iam.gserviceaccount.com"
  }
  settings = {
    web        = { A = "1" }
    dispatcher = { B = "2" }
    migrate    = { C = "3" }
    pipelines  = { D = "4" }
    models     = { E = "5" }
  }
}

run "iap_stands_before_the_web_service_alone" {
  command = plan

  assert {
    condition     = { for process, service in google_cloud_run_v2_service.this : process => service.iap_enabled } == { web = true, dispatcher = false }
    error_message = "IAP belongs before the web service, and before nothing else: Eventarc cannot pass it."
  }

  assert {
    condition     = google_cloud_run_v2_service.this["dispatcher"].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "The internet reaches the dispatcher."
  }

  assert {
    condition     = output.iap_audience == "/projects/123/locations/us-central1/services/spotmill-web"
    error_message = "IAP signs for another audience."
  }

  assert {
    condition     = output.web_url == "https://spotmill-web-123.us-central1.run.app"
    error_message = "Cloud Run gives the service another address."
  }
}

run "a_job_for_each_part_of_a_deployment" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_job.this["migrate"].template[0].template[0].service_account == "migrator@mill.iam.gserviceaccount.com"
    error_message = "Migrations run as somebody else than the owner of the schema."
  }

  assert {
    condition     = google_cloud_run_v2_job.this["pipelines"].template[0].template[0].containers[0].image == var.images.worker
    error_message = "Pipelines are those of another image than the workers'."
  }

  assert {
    condition     = google_cloud_run_v2_job.this["models"].template[0].template[0].containers[0].image == var.images.worker
    error_message = "Models are copied by another image than the one that loads them."
  }
}

run "a_job_has_as_many_cpus_as_its_memory_wants" {
  command = plan

  variables {
    model_memory = "32Gi"
  }

  assert {
    condition     = google_cloud_run_v2_job.this["models"].template[0].template[0].containers[0].resources[0].limits == tomap({ cpu = "8", memory = "32Gi" })
    error_message = "Cloud Run refuses so much memory with fewer CPUs."
  }

  assert {
    condition     = google_cloud_run_v2_job.this["pipelines"].template[0].template[0].containers[0].resources[0].limits == tomap({ cpu = "1", memory = "1Gi" })
    error_message = "A job that holds no model has memory for one."
  }
}

run "memory_that_cloud_run_does_not_have" {
  command = plan

  variables {
    model_memory = "64Gi"
  }

  expect_failures = [var.model_memory]
}

run "a_secret_goes_to_whom_it_is_for" {
  command = plan

  variables {
    secrets = {
      OPENAI_API_KEY = { secret = "openai", version = "3", processes = ["worker"] }
      HOOK           = { secret = "hook", version = "1", processes = ["web", "dispatcher"] }
      HOOK_OLD       = { secret = "hook", version = "2", processes = ["web"] }
    }
  }

  assert {
    condition = toset([for grant in google_secret_manager_secret_iam_member.reader : "${grant.secret_id} ${grant.member}"]) == toset([
      "openai serviceAccount:worker@mill.iam.gserviceaccount.com",
      "hook serviceAccount:web@mill.iam.gserviceaccount.com",
      "hook serviceAccount:dispatcher@mill.iam.gserviceaccount.com",
    ])
    error_message = "A secret can be read by others than those it is for."
  }

  assert {
    condition     = output.worker_secrets == { OPENAI_API_KEY = "projects/mill/secrets/openai/versions/3" }
    error_message = "The workers get other secrets than theirs."
  }
}

run "a_secret_without_a_version" {
  command = plan

  variables {
    secrets = { KEY = { secret = "key", version = "latest", processes = ["web"] } }
  }

  expect_failures = [var.secrets]
}

run "the_public" {
  command = plan

  variables {
    people = ["allUsers"]
  }

  expect_failures = [var.people]
}

run "an_image_by_its_tag" {
  command = plan

  variables {
    images = { web = "r/web:latest", dispatcher = "r/d:1", worker = "r/w:1" }
  }

  expect_failures = [var.images]
}

run "too_many_instances" {
  command = plan

  variables {
    max_instances = { web = 6 }
  }

  expect_failures = [var.max_instances]
}
