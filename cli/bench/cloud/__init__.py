"""A telephony cloud at 0 ms inside the processes of the actors, with one ledger for all of them."""
