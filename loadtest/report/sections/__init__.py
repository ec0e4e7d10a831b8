"""The page's sections, in the order a reader needs them; each is a function of the report."""
