"""Synthetic data for trying things out, tests and benchmarks. None of it is about a real person."""
