"""The payment storm: thousands of orders paid through a WeChat Pay that loses, repeats, delays, reorders and tampers
with what it tells, answers 500 after the effect, changes its keys, and is killed, as the engine is. Afterwards every
fen must be one paid order or one refund, by three accounts that know nothing of each other: the simulator's ledger,
what each buyer can read, and WeChat's own bill.

__main__  the command, the report, the exit status
storm     one storm: pay, change keys, kill, come to rest, gather the accounts
payers    who pays, and how
weather   what goes wrong, and when
books     the three accounts compared; pure

The lab's profile `payment-storm` is a drop in such weather; this is payment alone, with WeChat's bill.
"""
