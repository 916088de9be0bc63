"""How a network is made small and shipped."""
