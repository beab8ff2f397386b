"""The scenarios of the benchmark: each yields its rows as soon as they are measured."""
