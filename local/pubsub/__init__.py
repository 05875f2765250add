"""A Pub/Sub server for one machine: the real clients' publish, pull and streaming pull over SQLite."""
