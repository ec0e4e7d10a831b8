"""The line: one place per buyer; who came to the lobby is drawn, who comes later stands behind, and all are called
forward as fast as the till and the stock can take them.

Waiting costs no question to any store: everybody reads one small document that each worker keeps in memory.

Its parts: `eligibility` (who may join a lane), `joining` (one place each), `draw` (the lobby's order), `pacing` (how
far to call, and when it is over), `admission` (passes). All of them share `place` (what a buyer carries), `positions`,
`phases`, `codes` (what scripts answer) and `sight` (what a worker sees when it looks); `line` puts together what every
process needs. `front` is what buyers meet: the document, where they stand, and what they may ask.
"""
