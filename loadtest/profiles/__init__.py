"""The stories that can be played, as files, and what reads and checks them."""
