"""The page on which people review a session: what it is told, what it looks like, what it sends back."""
