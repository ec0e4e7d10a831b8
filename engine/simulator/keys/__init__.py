"""Who holds which key, and what is done with keys: signing, verifying, sealing."""
