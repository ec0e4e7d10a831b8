"""The same reads by a generator that we did not write, so that our figures do not stand on our own word alone."""
