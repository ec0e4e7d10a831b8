"""What there may be only one of: the ledger, and everything that decides beside it. It runs in one process."""
