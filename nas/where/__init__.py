"""Where: the places in which candidates are trained and scored: this process, processes beside it, a Ray cluster."""
