mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      number          = "123456789012"
      billing_account = "000000-AAAAAA-111111"
    }
  }

  mock_data "google_storage_project_service_account" {
    defaults = {
      member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    }
  }
}

variables {
  project = "mill"
  people  = ["group:team@example.com"]
  images = {
    web        = "us-central1-docker.pkg.dev/mill/spotmill/web@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    dispatcher = "us-central1-docker.pkg.dev/mill/spotmill/dispatcher@sha256:1111111111111111111111111111111111111111111111111111111111111111"
    worker     = "us-central1-docker.pkg.dev/mill/spotmill/worker@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  }
}

run "defaults" {
  command = plan

  assert {
    condition     = output.web_url == "https://spotmill-web-123456789012.us-central1.run.app"
    error_message = "The web service is elsewhere."
  }

  assert {
    condition     = output.upload_bucket == "mill-spotmill-uploads" && output.result_bucket == "mill-spotmill-results"
    error_message = "The buckets are not named after project and prefix."
  }

  assert {
    condition     = output.settings.web.SPOTMILL_INSTANCE_GROUP == output.instance_group
    error_message = "The settings name another instance group than the one that is made."
  }
}

run "a_region_that_costs_more" {
  command = plan

  variables {
    region = "europe-west1"
  }

  expect_failures = [var.region]
}

run "any_region_if_asked_for" {
  command = plan

  variables {
    region           = "europe-west1"
    allow_any_region = true
  }

  assert {
    condition     = output.database_instance == "mill:europe-west1:spotmill"
    error_message = "The database is in another region."
  }
}

run "a_setting_that_is_set_here" {
  command = plan

  variables {
    settings = { SPOTMILL_MAX_WORKERS = "7" }
  }

  expect_failures = [output.settings]
}

run "gpus_without_their_image" {
  command = plan

  variables {
    workers = { gpu = { type = "nvidia-l4" } }
  }

  expect_failures = [var.workers]
}
