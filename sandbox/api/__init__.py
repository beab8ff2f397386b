"""HTTP: the REST API, the chat model, the admin API, injected faults."""
