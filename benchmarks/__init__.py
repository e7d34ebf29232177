"""Measurements: ``python -m benchmarks.NAME`` prints the figures of one of them."""
