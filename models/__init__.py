"""Which weights, where they come from, and how they are opened."""
