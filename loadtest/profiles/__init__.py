"""The stories that can be played, as files, and what reads and checks them.

NAME.toml              one story each
profile                what a file may say, with bounds; `tables`, `people` and `arrivals` are its parts
loading                finding, reading, changing, and every mistake in words
casting                who comes: everybody drawn from the seed
curves                 when they come
fitting                the same people in front of another sale than the story's
sale_file              the sale as an organizer would apply it
manual                 the chapters of docs/profiles.md
"""
