variable "events_email" {
  description = "Service account that the triggers call the dispatcher as."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Labels of the triggers."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Prefix of the names of triggers and schedules."
  type        = string
  default     = "spotmill"
  nullable    = false
}

variable "paused" {
  description = "Publish no ticks, and hear no events but those of the ingest topic: for while the database is stopped."
  type        = bool
  default     = false
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "reconcile_schedule" {
  description = "When both buckets are listed for what no event told of, as unix-cron in UTC."
  type        = string
  default     = "17 3 * * *"
  nullable    = false
}

variable "region" {
  description = "Region of the triggers and schedules: that of the buckets and of the dispatcher."
  type        = string
  nullable    = false
}

variable "service" {
  description = "Name of the dispatcher's Cloud Run service."
  type        = string
  nullable    = false
}

variable "topics" {
  description = "Names of the topics."
  type = object({
    budget      = string
    dead_letter = string
    ingest      = string
    tick        = string
  })
  nullable = false
}

variable "upload_bucket" {
  description = "Name of the bucket for uploads."
  type        = string
  nullable    = false
}
