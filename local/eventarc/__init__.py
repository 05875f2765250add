"""Eventarc for one machine: carries what the triggers name from Pub/Sub to the dispatcher, as CloudEvents over HTTP."""
