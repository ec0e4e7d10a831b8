"""Trade and fund-flow bills of the ledger: their rows, how they are written, and lies for a drill."""
