"""Faults on request: every local server can be told to fail, reproducibly, and counts how often it did."""
