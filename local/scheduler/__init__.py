"""Cloud Scheduler for one machine: publishes messages when it is time."""
