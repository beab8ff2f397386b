"""The demo voice agent: AI sessions in sandbox rooms."""
