"""Electronic invoices: the life of one as pure functions, its forms, and the work done between calls."""
