"""Turn a recorded session into captions, transcripts and pages: plain Python, no orchestration, no settings."""
