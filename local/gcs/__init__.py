"""A Cloud Storage server for one machine: the JSON and XML APIs over SQLite and plain files."""
