"""Benchmarks of Spotmill; ``make bench`` runs them all and prints a table and JSON."""
