"""Data: which photographs there are, what is on them, and the patches and pairs that are taken from them."""
