"""The line: one place per buyer; who came to the lobby is drawn, who comes later stands behind, and all are called
forward as fast as the till and the stock can take them.

Waiting costs no question to any store: everybody reads one small document that each worker keeps in memory.
"""
