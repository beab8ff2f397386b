"""Calls: their life, their records, the phones that answer them."""
