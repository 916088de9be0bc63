"""What can be built: genotypes, blueprints, networks and their cost."""
