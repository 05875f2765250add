"""What Terraform does in Google Cloud: buckets, topics, the database and its logins, as the programs expect them."""
