"""HTTP interface: REST API, chat completions, admin API, fault injection."""
