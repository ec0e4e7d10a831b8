"""`floodgate loadtest`: one profile played against one Floodgate, watched, audited and judged."""
