"""What varies: settings, caption rules and glossaries."""
