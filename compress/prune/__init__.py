"""Prune: whole channels go, and what is left learns from the network before."""
