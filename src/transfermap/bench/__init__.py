"""Benchmarks: data sets x methods x seeds -> records -> tables; records are written here, never drawn."""
