"""Floodgate: sells a scarce thing to a flood of people, exactly once each. The rooms follow a ticket's life."""
