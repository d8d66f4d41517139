"""Synthetic data for trying things out, tests and benchmarks. Nothing in it was ever said about a real
person."""
