"""The process that runs pipelines: it sees the files of one job at a time, and never the network or a credential."""
