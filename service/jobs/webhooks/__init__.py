"""Webhooks: telling others by signed HTTP requests how jobs ended."""
