"""Learner pages: from published values to plain files that any static host or bucket can serve."""
