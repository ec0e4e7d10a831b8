"""What several folders of tests stand on: real processes to start and kill, and buyers who speak HTTP to them."""
