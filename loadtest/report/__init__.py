"""What a run leaves behind for people: a page, tables, and a comparison with another run."""
