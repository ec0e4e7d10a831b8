"""The line as operators and organizers see it: its numbers, its controls, its audit."""
