"""The console: what organizers and operators ask, on a listener of its own with a key of its own."""
