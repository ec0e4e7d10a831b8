"""What is started, watched and, at the end, counted: the stack, its stock, every ledger, and the verdict on them.

stack      `floodgate up` as a child process; the addresses of whatever a run stands on
watch      stock, orders and line as the admin listeners tell them
reckoning  what is read and asked when the crowd has gone: the evidence
draw       the opening draw, checked as anybody can
verdict    what everybody was told against what the books say; pure
"""
