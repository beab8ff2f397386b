"""Voice-agent frameworks whose live sessions attach."""
