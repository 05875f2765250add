mock_provider "google" {}

variables {
  project        = "mill"
  project_number = "123"
  deployer_email = "spotmill-deployer@mill.iam.gserviceaccount.com"
}

run "without_github" {
  command = plan

  assert {
    condition     = length(google_cloudbuild_trigger.deploy) + length(google_cloudbuildv2_connection.github) == 0
    error_message = "There is a trigger without anything to listen to."
  }

  assert {
    condition     = output.repository == "us-central1-docker.pkg.dev/mill/spotmill"
    error_message = "Images are pushed elsewhere."
  }
}

run "three_environments" {
  command = apply

  variables {
    github = {
      owner           = "example"
      repository      = "mill"
      installation_id = 1
      token_version   = "projects/mill/secrets/github-token/versions/1"
    }
    environments = {
      dev     = { branch = "^main$" }
      staging = { tag = "^v.*-rc$", substitutions = { _PROJECT = "mill-staging" } }
      prod    = { tag = "^v", approval = true }
    }
  }

  assert {
    condition     = { for name, trigger in google_cloudbuild_trigger.deploy : name => trigger.approval_config[0].approval_required } == { dev = false, staging = false, prod = true }
    error_message = "Production is deployed without a person, or another environment waits for one."
  }

  assert {
    condition     = google_cloudbuild_trigger.deploy["staging"].substitutions["_PROJECT"] == "mill-staging" && google_cloudbuild_trigger.deploy["dev"].substitutions["_PROJECT"] == "mill"
    error_message = "An environment is deployed into the wrong project."
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.token[0].secret_id == "github-token"
    error_message = "Cloud Build cannot read GitHub's token."
  }
}

run "production_without_approval" {
  command = plan

  variables {
    environments = { production = { branch = "^main$" } }
  }

  expect_failures = [var.environments]
}

run "branch_and_tag" {
  command = plan

  variables {
    environments = { dev = { branch = "^main$", tag = "^v" } }
  }

  expect_failures = [var.environments]
}
