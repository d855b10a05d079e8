"""The engine: trials (loop), what paths share (prefixes), fits (hop), and where they run (executors)."""
