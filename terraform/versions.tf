terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.21, < 8"
    }
  }

  # Bucket and prefix come from the command line: `terraform init -backend-config=bucket=… -backend-config=prefix=…`.
  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = var.region
  # Budgets and IAP are billed to the project that makes them, not to gcloud's own.
  user_project_override = true
  billing_project       = var.project
}
