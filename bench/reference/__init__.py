"""What others build, kept as a measure: each sells every unit once, and leaves out what would only make it slower.

obvious      one Redis call and one INSERT for each order
hot_row      one row of PostgreSQL that everybody waits for
skip_locked  a row for each unit, taken by whoever finds it unlocked
serving      what all of them have in common
"""
