"""Phone calls: their records, their state changes, and the phones."""
