"""The Prefect flows, and the commands that put every part together."""
