"""What buyers see of the line and ask of it. The rooms behind it decide; here it is told.

`handlers`, with `asking`, `limits` and `challenge`; `desk` (one line in one worker), `turns` and `states` (what a
visitor is told), `outlook` (rates, waits, chances), `document` and `streams`.
"""
