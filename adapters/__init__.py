"""The outside world: one protocol a folder, and one folder of it a vendor."""
