"""The payment storm: thousands of orders paid through a WeChat Pay that loses, repeats, delays, reorders and tampers
with what it tells, answers 500 after the effect, changes its keys, and is killed, as the engine is. Afterwards every
fen must be one paid order or one refund, by three accounts that know nothing of each other: the simulator's ledger,
what each buyer can read, and WeChat's own bill."""
