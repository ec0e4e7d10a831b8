"""Orders: the order book in PostgreSQL, which decides whether an order exists, is paid, or is released."""
