"""What is started, watched and, at the end, counted: the stack, its stock, every ledger, and the verdict on them."""
