"""Who comes and what they do: people, bots and organizers, written once for every engine that can carry them."""
