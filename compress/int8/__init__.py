"""Int8: one quantization scheme, the ways to it, and what each layer loses by it."""
