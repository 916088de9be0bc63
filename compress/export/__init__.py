"""Files for phones, one module a format, each checked in its own runtime."""
